//! The whole system: collector, demo site, referring site and CRM, each on its own host.

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
    /// The machine's time, which the test can move.
    pub clock: Clock,
    /// The demo site's address, as browsers use it.
    pub site: String,
    /// The referring site's address, as browsers use it.
    pub news: String,
}

impl Town {
    /// Starts all of it. `policy` is the demo site's Content-Security-Policy, in which `{tracker}`
    /// stands for the collector's origin.
    pub fn start(backend: Backend, policy: Option<&str>) -> Self {
        Self::start_with(backend, policy, "")
    }

    /// Like [`start`](Self::start), with more settings for the collector.
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

    /// Polls the visitor's journey until it is as expected.
    pub async fn journey_when(&self, visitor: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/visitors/{visitor}/journey");
        self.answer_when(&path, |answer| is_so(&answer["journey"])).await["journey"].take()
    }

    /// Polls an API path until the response is as expected; browsers and the network take their
    /// time.
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
        panic!("{path} never was as expected: {answer:#}");
    }

    /// Stops all of it.
    pub async fn stop(self) {
        self.demo.stop().await;
        self.app.stop().await;
    }
}
