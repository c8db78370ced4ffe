//! [`TestApp`]: the collector in this process, on a real socket, its clock in the test's hand.

use crate::settings::{KEY, settings_for};
use crate::storage::{Backend, Storage, open_store, open_store_on};
use clew_core::{Clock, Dice};
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

/// What a person's browser calls itself.
pub const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
/// Saturday, 21 November 2026, 10:00 UTC.
pub const NOW_MS: i64 = 1_795_255_200_000;

/// The collector with a store of its own.
pub struct TestApp {
    /// What it shares.
    pub app: Arc<App>,
    /// Its address, without a slash behind.
    pub url: String,
    outbox: Outbox,
    follower: Follower,
    server: Serving,
    client: Client,
    storage: Storage,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body where it is JSON, else null.
    pub json: Value,
    /// The body.
    pub text: String,
}

impl TestApp {
    /// With the test's site, key and token key, and a clock that stands at [`NOW_MS`]; on a new
    /// store of a kind, or on one that another application left.
    pub fn start(storage: impl Into<Storage>) -> Self {
        Self::start_with(storage, "", Clock::fixed(NOW_MS))
    }

    /// The same with more settings behind it and a clock of the test's own.
    pub fn start_with(storage: impl Into<Storage>, settings: &str, clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::start_on(storage, listener, settings, clock)
    }

    /// The same on a listener that the test has bound.
    pub fn start_on(
        storage: impl Into<Storage>,
        listener: TcpListener,
        settings: &str,
        clock: Clock,
    ) -> Self {
        Self::start_adjusted(storage, listener, settings, clock, |_| {})
    }

    /// On a new folder of a disk with so much room as the test says.
    pub fn start_on_disk(disk: Disk) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = |config: &Config| open_store_on(config, disk);
        let clock = Clock::fixed(NOW_MS);
        Self::start_given(Storage::new(Backend::Sled), listener, "", clock, |_| {}, open)
    }

    /// The same with the configuration changed after it was read.
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
        let app = App::new(config, store, clock, Dice::system()).unwrap();
        let server = server::serve(listener, &app).unwrap();
        let outbox = app.outbox();
        let follower = app.follower();
        Self { app, url, outbox, follower, server, client: client(), storage }
    }

    /// Sends a batch as a browser of the site does.
    pub async fn send(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request =
            self.request(Method::POST, "/c/e").header("origin", "https://www.example.com");
        answer(request.header("user-agent", USER_AGENT).body(body)).await
    }

    /// Makes a lead with the test's key.
    pub async fn post_lead(&self, body: &Value) -> Answer {
        self.post("/v1/leads", body).await
    }

    /// Posts JSON with the test's key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).bearer_auth(KEY).body(body.to_string())).await
    }

    /// Reads with the test's key.
    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path).bearer_auth(KEY)).await
    }

    /// A request that the test finishes itself.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Delivers everything that is due by the application's clock; how many attempts were made.
    pub async fn deliver(&self) -> usize {
        self.outbox.step().await.unwrap()
    }

    /// Reads in the CRMs what webhooks named, and asks for what changed where it is time to; how many
    /// records were looked at.
    pub async fn follow(&self) -> usize {
        self.follower.step().await.unwrap()
    }

    /// The value of one metric's line, 0 where it has none.
    pub async fn metric(&self, line: &str) -> u64 {
        let text = self.get("/metrics").await.text;
        let found = text.lines().find_map(|found| found.strip_prefix(line));
        found.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Stops serving and closes the store; what was stored lives as long as what is given back.
    pub async fn stop(self) -> Storage {
        let Self { app, outbox, follower, server, storage, .. } = self;
        drop((outbox, follower));
        server.stop().await;
        app.core.store.close().await.unwrap();
        // The server's threads let go of it a moment later, and with it of the store's folder.
        let core = Arc::clone(&app.core);
        drop(app);
        let until = Instant::now() + Duration::from_secs(2);
        while Arc::strong_count(&core) > 1 && Instant::now() < until {
            tokio::task::yield_now().await;
        }
        storage
    }
}

/// An HTTP client; reqwest wants to know of a crypto provider even for plain http.
pub fn client() -> Client {
    // Fails where another test has installed it, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// Sends a request and reads the answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json, text }
}
