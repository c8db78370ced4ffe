//! Test support: a client, rows of requests with the expected response, and a receiver.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use standin::Standin;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub(crate) const KEY: &str = "pat-standin";

/// A response, read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) json: Value,
}

impl Answer {
    /// A header, or "" if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, json }
}

/// Sends `GET /path` or `POST /path` with a bearer token and, unless it is null, a JSON body.
pub(crate) async fn call(standin: &Standin, token: &str, line: &str, body: &Value) -> Answer {
    call_with(standin, token, line, body, &[]).await
}

/// Like [`call`], with more headers.
pub(crate) async fn call_with(
    standin: &Standin,
    token: &str,
    line: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request =
        client().request(method, format!("{}{path}", standin.url())).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    read(request).await
}

/// Posts a form without a token.
pub(crate) async fn form(standin: &Standin, path: &str, body: &str) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    let request = client().post(format!("{}{path}", standin.url()));
    read(request.header("content-type", kind).body(body.to_owned())).await
}

/// Sends a request without headers or body.
pub(crate) async fn bare(standin: &Standin, method: Method, path: &str) -> Answer {
    read(client().request(method, format!("{}{path}", standin.url()))).await
}

/// Gets a page as a browser does.
pub(crate) async fn page(standin: &Standin, path: &str) -> String {
    let response = client().get(format!("{}{path}", standin.url())).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.text().await.unwrap()
}

/// The target of an address's redirect.
pub(crate) async fn place(standin: &Standin, path: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = client.get(format!("{}{path}", standin.url())).send().await.unwrap();
    response.headers()["location"].to_str().unwrap().to_owned()
}

/// Whether `found` contains everything in `expected`. A string that ends in `…` is a prefix.
pub(crate) fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| holds(found.get(name).unwrap_or(&Value::Null), value)),
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| holds(found, expected))
        }
        (Value::String(found), Value::String(expected)) => match expected.strip_suffix('…') {
            Some(beginning) => found.starts_with(beginning),
            None => found == expected,
        },
        _ => found == expected,
    }
}

/// A row: the request line, its body, the expected status, and what the response must contain.
pub(crate) type Row<'a> = (&'a str, Value, u16, Value);

/// Sends the rows in order, and checks each response.
pub(crate) async fn check(standin: &Standin, token: &str, rows: &[Row<'_>]) {
    for (line, body, status, expected) in rows {
        let answer = call(standin, token, line, body).await;
        assert_eq!(answer.status, *status, "{line} {body}\n{}", answer.json);
        assert!(
            holds(&answer.json, expected),
            "{line} {body}\nfound    {}\nexpected {expected}",
            answer.json
        );
    }
}

/// A webhook receiver: what it got, and what it responds from now on.
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) got: Arc<Mutex<Vec<(Value, String)>>>,
    pub(crate) answer: Arc<Mutex<(u16, String)>>,
}

impl Receiver {
    /// Starts it on port 0. It responds 200.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/crm", listener.local_addr().unwrap());
        let got: Arc<Mutex<Vec<(Value, String)>>> = Arc::default();
        let answer = Arc::new(Mutex::new((200, String::new())));
        let data = (web::Data::from(got.clone()), web::Data::from(answer.clone()));
        let app = move || {
            App::new()
                .app_data(data.0.clone())
                .app_data(data.1.clone())
                .default_service(web::to(receive))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap();
        tokio::spawn(server.run());
        Self { url, got, answer }
    }
}

async fn receive(
    request: HttpRequest,
    body: String,
    got: web::Data<Mutex<Vec<(Value, String)>>>,
    answer: web::Data<Mutex<(u16, String)>>,
) -> HttpResponse {
    let mut headers = json!({});
    for (name, value) in request.headers() {
        headers[name.as_str()] = json!(value.to_str().unwrap());
    }
    got.lock().unwrap().push((headers, body));
    let (status, text) = answer.lock().unwrap().clone();
    HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).body(text)
}
