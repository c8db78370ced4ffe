//! A webhook receiver that records what it gets and responds as a test says.

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use http::HeaderMap;
use serde_json::Value;
use standardwebhooks::Webhook;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A receiver on a free port of this machine.
pub struct Receiver {
    /// Its base URL, without a trailing slash.
    pub url: String,
    state: Data<ReceiverState>,
    server: ServerHandle,
}

/// A webhook as it arrived.
#[derive(Clone, Debug)]
pub struct ReceivedWebhook {
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Default)]
struct ReceiverState(Mutex<(Answer, Vec<ReceivedWebhook>)>);

#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new() }
    }
}

impl ReceiverState {
    /// Records a webhook. Returns the response to send.
    fn keep(&self, got: ReceivedWebhook) -> Answer {
        let mut state = self.lock();
        state.1.push(got);
        state.0.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (Answer, Vec<ReceivedWebhook>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver {
    /// Starts listening. It responds 200 until [`answer`](Self::answer) changes that.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Data::from(Arc::new(ReceiverState::default()));
        let shared = state.clone();
        let app = move || App::new().app_data(shared.clone()).default_service(web::to(receive));
        let server = HttpServer::new(app).workers(1).shutdown_timeout(1).disable_signals();
        let server = server.listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, state, server: handle }
    }

    /// Sets its response from now on.
    pub fn answer(&self, status: u16, headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        self.state.lock().0 = Answer { status, headers: headers.collect() };
    }

    /// Takes the webhooks that arrived since the last call.
    pub fn take(&self) -> Vec<ReceivedWebhook> {
        std::mem::take(&mut self.state.lock().1)
    }

    /// Takes the only webhook that arrived since the last call.
    pub fn one(&self) -> ReceivedWebhook {
        let got = self.take();
        assert_eq!(got.len(), 1, "{got:?}");
        got[0].clone()
    }

    /// Stops it.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

impl ReceivedWebhook {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The webhook's id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    /// Whether the Standard Webhooks library accepts it with a secret, at this machine's time.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

async fn receive(request: HttpRequest, body: Bytes, state: Data<ReceiverState>) -> HttpResponse {
    let headers = request.headers().iter().map(|(name, value)| {
        let name = name.as_str().parse::<http::HeaderName>().unwrap();
        (name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap())
    });
    let got = ReceivedWebhook { headers: headers.collect(), body: body.to_vec() };
    let Answer { status, headers } = state.keep(got);
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    for (name, value) in &headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.finish()
}
