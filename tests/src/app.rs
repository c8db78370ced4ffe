//! [`TestApp`]: the collector in this process, on a real socket, with a clock that the test
//! controls.

use crate::settings::{KEY, settings_for};
use crate::storage::{Backend, Storage, open_store, open_store_on};
use crate::wire::{batch, new_event, view};
use clew_core::{Clock, Random};
use clew_server::App;
use clew_server::server::{self, Serving};
use clew_store::Store;
use clew_store::sled::Disk;
use collector::config::Config;
use collector::follow::Follower;
use collector::outbox::Outbox;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The user agent of a person's browser.
pub const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
/// Saturday, 21 November 2026, 10:00 UTC.
pub const NOW_MS: i64 = 1_795_255_200_000;

/// A running collector with its own store.
pub struct TestApp {
    /// The application and its services.
    pub app: Arc<App>,
    /// Its base URL, without a trailing slash.
    pub url: String,
    outbox: Outbox,
    follower: Follower,
    server: Serving,
    client: Client,
    storage: Storage,
}

/// A response, read to the end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body as JSON, or null if it is not valid JSON.
    pub json: Value,
    /// The body.
    pub text: String,
}

impl TestApp {
    /// Starts it with the test site, key and token key, and a clock fixed at [`NOW_MS`]: on a new
    /// store of the given backend, or on the store that another application left.
    pub fn start(storage: impl Into<Storage>) -> Self {
        Self::start_with(storage, "", Clock::fixed(NOW_MS))
    }

    /// Like [`start`](Self::start), with more settings and the given clock.
    pub fn start_with(storage: impl Into<Storage>, settings: &str, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(storage, listener, settings, clock)
    }

    /// Like [`start_with`](Self::start_with), on a listener that the test has bound.
    pub fn start_on(
        storage: impl Into<Storage>,
        listener: TcpListener,
        settings: &str,
        clock: Clock,
    ) -> Self {
        Self::start_adjusted(storage, listener, settings, clock, |_| {})
    }

    /// Starts it on a new sled store, on a disk with as much room as the test sets.
    pub fn start_on_disk(disk: Disk) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = |config: &Config| open_store_on(config, disk);
        let clock = Clock::fixed(NOW_MS);
        let adjust = |config: &mut Config| {
            (config.store.warn_free_mib, config.store.min_free_mib) = (2048, 512);
        };
        Self::start_given(Storage::new(Backend::Sled), listener, "", clock, adjust, open)
    }

    /// Like [`start_on`](Self::start_on), and changes the configuration after it was parsed.
    pub fn start_adjusted(
        storage: impl Into<Storage>,
        listener: TcpListener,
        settings: &str,
        clock: Clock,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        Self::start_given(storage.into(), listener, settings, clock, adjust, open_store)
    }

    fn start_given(
        storage: Storage,
        listener: TcpListener,
        settings: &str,
        clock: Clock,
        adjust: impl FnOnce(&mut Config),
        open: impl FnOnce(&Config) -> Arc<dyn Store>,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let text = format!("public_url = \"{url}\"\n{}\n{settings}", settings_for(&storage.url()));
        let mut config = Config::parse(&text, &[]).unwrap();
        adjust(&mut config);
        let store = open(&config);
        let app = App::new(config, store, clock, Random::system()).unwrap();
        let server = server::serve(listener, &app).unwrap();
        let outbox = app.outbox();
        let follower = app.follower();
        Self { app, url, outbox, follower, server, client: client(), storage }
    }

    /// Sends a batch as a browser on the site does.
    pub async fn send(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request =
            self.request(Method::POST, "/c/e").header("origin", "https://www.example.com");
        answer(request.header("user-agent", USER_AGENT).body(body)).await
    }

    /// A browser opens a page now.
    pub async fn visit(&self, visitor: &str, url: &str) {
        let now_ms = self.app.core.clock.now_ms();
        let page = view(new_event(now_ms), now_ms, url, "");
        let sent = self.send(batch(visitor, now_ms, &[page])).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
    }

    /// Creates a lead with the test's key.
    pub async fn post_lead(&self, body: &Value) -> Answer {
        self.post("/v1/leads", body).await
    }

    /// Posts JSON with the test's key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).bearer_auth(KEY).body(body.to_string())).await
    }

    /// Gets a path with the test's key.
    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(KEY)).await
    }

    /// A request for the test to complete and send.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Delivers everything that is due by the application's clock. Returns the number of attempts.
    pub async fn deliver(&self) -> usize {
        self.outbox.step().await.unwrap()
    }

    /// Reads the CRM records that webhooks named, and polls for changes where a poll is due.
    /// Returns the number of records read.
    pub async fn follow(&self) -> usize {
        self.follower.step().await.unwrap()
    }

    /// The value of a metric, given the start of its line; 0 if there is none.
    pub async fn metric(&self, line: &str) -> u64 {
        let text = self.get("/metrics").await.text;
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Stops serving and closes the store. The stored data lives as long as the returned storage.
    pub async fn stop(self) -> Storage {
        let Self { app, outbox, follower, server, storage, .. } = self;
        drop((outbox, follower));
        server.stop().await;
        app.core.store.close().await.unwrap();
        // The server's threads drop the core a moment later, and only then is the store's folder
        // released.
        let core = Arc::clone(&app.core);
        drop(app);
        let until = Instant::now() + Duration::from_secs(2);
        while Arc::strong_count(&core) > 1 && Instant::now() < until {
            tokio::task::yield_now().await;
        }
        storage
    }
}

/// An HTTP client. reqwest needs a crypto provider even for plain HTTP.
pub fn client() -> Client {
    // Fails if another test has installed it, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Shorter than the collector keeps an idle connection, which it may close just as a request begins.
    Client::builder().pool_idle_timeout(Duration::from_secs(2)).build().unwrap()
}

/// Sends a request and reads the response.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json, text }
}
