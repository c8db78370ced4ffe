//! Everything at once, each on a host of its own: collector, demo site, referring site, CRM.

use crate::app::TestApp;
use crate::settings::{WEBHOOK_SECRET, destination};
use crate::storage::Backend;
use clew_core::Clock;
use serde_json::Value;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use www::{Demo, Listeners, Settings};

/// The collector and the demo around it, on one clock.
pub struct Town {
    /// The collector.
    pub app: TestApp,
    /// The demo's site, referring site and CRM.
    pub demo: Demo,
    /// The machine's time, moved by the test.
    pub clock: Clock,
    /// The demo site's address for browsers.
    pub site: String,
    /// The referring site's address for browsers.
    pub news: String,
}

impl Town {
    /// Starts all of it; `policy` is the demo site's Content-Security-Policy, where `{tracker}`
    /// stands for the collector's origin.
    pub fn start(backend: Backend, policy: Option<&str>) -> Self {
        Self::start_with(backend, policy, "")
    }

    /// The same with more settings of the collector.
    pub fn start_with(backend: Backend, policy: Option<&str>, more: &str) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let (collector, listeners) =
            (listen(), Listeners { site: listen(), news: listen(), crm: listen() });
        let tracker = format!("http://track.demo.test:{}", port(&collector));
        let site = format!("http://www.demo.test:{}", port(&listeners.site));
        let news = format!("http://news.test:{}", port(&listeners.news));
        let webhook = format!("http://127.0.0.1:{}/webhook", port(&listeners.crm));
        let clock = Clock::system();
        let destinations = destination("crm", &webhook) + more;
        let app = TestApp::start_on(backend, collector, &destinations, clock.clone());

        let mut settings = Settings::new(&app.url, crate::settings::KEY, WEBHOOK_SECRET);
        settings.tracker_url = format!("{tracker}/c");
        settings.public_site_url = Some(site.clone());
        settings.content_security_policy =
            policy.map(|policy| policy.replace("{tracker}", &tracker));
        settings.retry_every = None;
        let now = clock.clone();
        settings.now = Arc::new(move || now.now_ms());
        let demo = Demo::start(settings, listeners).unwrap();
        Self { app, demo, clock, site, news }
    }

    /// The visitor's journey once it is as asked.
    pub async fn journey_when(&self, visitor: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/visitors/{visitor}/journey");
        self.answer_when(&path, |answer| is_so(&answer["journey"])).await["journey"].take()
    }

    /// What the API answers once it is as asked; browsers and the network take their time.
    pub async fn answer_when(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut answer = Value::Null;
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..500 {
            looks.tick().await;
            answer = self.app.get(path).await.json;
            if is_so(&answer) {
                return answer;
            }
        }
        panic!("{path} never came to be as expected: {answer:#}");
    }

    /// Stops all of it.
    pub async fn stop(self) {
        self.demo.stop().await;
        self.app.stop().await;
    }
}
