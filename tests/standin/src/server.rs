//! The HTTP side: reads a request into a value, applies faults, asks the vendor, and records it.

use crate::control;
use crate::exchange::{Answer, Request};
use crate::fault::{self, Fault, When};
use crate::journal::Logged;
use crate::page;
use crate::state::{Shared, State};
use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const MOST_BYTES: usize = 16 << 20;

/// Serves one stand-in.
pub(crate) fn serve(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<Server> {
    let data = web::Data::from(Arc::clone(shared));
    let record_page = shared.profile().record_page;
    let app = move || {
        App::new()
            .app_data(data.clone())
            .app_data(web::PayloadConfig::new(MOST_BYTES))
            .service(web::scope("/__test").configure(control::configure))
            .configure(|config| page::configure(config, record_page))
            .default_service(web::to(vendor))
    };
    let server = HttpServer::new(app).workers(1).shutdown_timeout(1).disable_signals();
    Ok(server.listen(listener)?.run())
}

async fn vendor(request: HttpRequest, body: web::Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let request = read(&request, &body);
    let (answer, delay_ms) = answer(&mut shared.lock(), &request);
    if delay_ms > 0 {
        #[expect(clippy::disallowed_methods, reason = "a test asked for a late response")]
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    write(&answer)
}

fn read(request: &HttpRequest, body: &[u8]) -> Request {
    let headers = request.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Request {
        method: request.method().as_str().to_owned(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
    }
}

/// Returns the response, and the delay before it is sent, in milliseconds.
fn answer(state: &mut State, request: &Request) -> (Answer, u64) {
    let State { world, crm, faults, log, .. } = state;
    let fault = fault::take(faults, &request.path, || world.random());
    let answer = match &fault {
        None => crm.answer(world, request),
        Some(fault) => {
            if fault.when == When::After {
                crm.answer(world, request);
            }
            broken(fault)
        }
    };
    let query = if request.query.is_empty() { "" } else { "?" };
    log.push(Logged {
        at_ms: world.now_ms(),
        method: request.method.clone(),
        path: format!("{}{query}{}", request.path, request.query),
        headers: request.headers.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        status: answer.status,
    });
    (answer, world.settings.latency_ms + fault.map_or(0, |fault| fault.delay_ms))
}

fn broken(fault: &Fault) -> Answer {
    let body = fault.body.clone().unwrap_or_else(|| json!("told to fail"));
    let headers = fault.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    Answer { status: fault.status, headers: headers.collect(), body: Some(body) }
}

/// Sends a string as text, so that a vendor's proxy can be played, too.
fn write(answer: &Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    match &answer.body {
        None => response.finish(),
        Some(Value::String(text)) => response.content_type("text/plain").body(text.clone()),
        Some(body) => response.json(body),
    }
}
