//! Starts the demo on free ports with a movable clock, and a fake collector.

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use www::{Demo, Listeners, Settings};

pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const LEAD_ID: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";
pub(crate) const NOON_MS: i64 = 1_795_262_400_000;

pub(crate) struct World {
    pub(crate) demo: Demo,
    pub(crate) collector: Collector,
    pub(crate) client: reqwest::Client,
    clock: Arc<AtomicI64>,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Retries happen only when a test asks for them.
    pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let collector = Collector::start();
        let clock = Arc::new(AtomicI64::new(NOON_MS));
        let mut settings = Settings::new(&collector.url, "ak_test", SECRET);
        settings.retry_every = None;
        let hands = clock.clone();
        settings.now = Arc::new(move || hands.load(Ordering::SeqCst));
        change(&mut settings);
        let listeners = Listeners { site: listen(), news: listen(), crm: listen() };
        let demo = Demo::start(settings, listeners).unwrap();
        let no_redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(no_redirects).build().unwrap();
        Self { demo, collector, client, clock }
    }

    pub(crate) fn move_clock(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    pub(crate) async fn get(&self, url: &str) -> (u16, String) {
        let answer = self.client.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Posts the contact form; returns the status, and the text or the redirect's target.
    pub(crate) async fn post_form(&self, body: &str, cookie: &str) -> (u16, String) {
        let request = self
            .client
            .post(format!("{}/contact", self.demo.site_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookie)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        match answer.headers().get("location") {
            Some(location) => (status, location.to_str().unwrap().to_owned()),
            None => (status, answer.text().await.unwrap()),
        }
    }

    /// Sends a webhook signed at noon.
    pub(crate) async fn webhook(&self, id: &str, body: &str) -> u16 {
        let seconds = NOON_MS / 1000;
        let key = standardwebhooks::Webhook::new(SECRET).unwrap();
        let signature = key.sign(id, seconds, body.as_bytes()).unwrap();
        let request = self
            .client
            .post(format!("{}/webhook", self.demo.crm_url()))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body.to_owned());
        request.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn stop(self) {
        self.demo.stop().await;
        self.collector.server.stop(true).await;
    }
}

/// One request that the fake collector received.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) key: String,
    pub(crate) authorization: String,
    pub(crate) body: Value,
}

pub(crate) struct Collector {
    url: String,
    state: Arc<State>,
    server: ServerHandle,
}

struct State {
    status: AtomicU16,
    seen: Mutex<Vec<Seen>>,
}

impl Collector {
    fn start() -> Self {
        let listener = listen();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State { status: AtomicU16::new(201), seen: Mutex::default() });
        let data = web::Data::from(state.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(data.clone()).route("/v1/leads", web::post().to(leads))
        })
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        drop(tokio::spawn(server));
        Self { url, state, server: handle }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }
}

async fn leads(
    request: HttpRequest,
    body: web::Json<Value>,
    state: web::Data<State>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    state.seen.lock().unwrap().push(Seen {
        key: header("idempotency-key"),
        authorization: header("authorization"),
        body: body.into_inner(),
    });
    let status = StatusCode::from_u16(state.status.load(Ordering::SeqCst)).unwrap();
    let answer =
        json!({ "lead": { "id": LEAD_ID }, "conversion": {}, "fields": {}, "journey": {} });
    HttpResponse::build(status).json(answer)
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}
