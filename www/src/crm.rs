//! The demo CRM: receives signed webhooks, keeps them, and shows the leads.
//!
//! The checks of a webhook, in order: the signature over the raw body, then the shape, then (for
//! tests) an intended failure. Only then is it stored; an unverified one never gets past the first
//! check.

pub(crate) mod book;
mod payload;
mod record;
pub(crate) mod signature;
mod timeline;
mod words;

use crate::crm::book::{Book, Receipt};
use crate::crm::record::{Record, Summary};
use crate::crm::signature::{Presented, Verifier};
use crate::page;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::json;

/// The routes.
pub(crate) fn configure(
    config: &mut web::ServiceConfig,
    verifier: &web::Data<Verifier>,
    book: &web::Data<Book>,
) {
    config
        .app_data(verifier.clone())
        .app_data(book.clone())
        .service(
            web::resource("/webhook")
                .route(web::post().to(receive))
                .default_service(web::to(only_post)),
        )
        .route("/", web::get().to(leads))
        .route("/leads/{lead_id}", web::get().to(lead))
        .route("/api/deliveries", web::get().to(deliveries))
        .route("/api/attempts", web::get().to(attempts))
        .route("/crm.css", web::get().to(async || page::css(include_str!("../assets/crm.css"))))
        .route("/icon.svg", web::get().to(async || page::svg(include_str!("../assets/crm.svg"))))
        .default_service(web::to(not_found));
}

#[derive(Template)]
#[template(path = "crm/leads.html")]
struct LeadsPage {
    leads: Vec<Summary>,
}

#[derive(Template)]
#[template(path = "crm/lead.html")]
struct LeadPage {
    record: Record,
}

#[derive(Template)]
#[template(path = "crm/not_found.html")]
struct NotFoundPage;

async fn receive(
    request: HttpRequest,
    body: web::Bytes,
    verifier: web::Data<Verifier>,
    book: web::Data<Book>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let presented = Presented {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let now_ms = book.now_ms();
    let id = match verifier.verify(&presented, &body, now_ms) {
        Ok(id) => id,
        Err(forged) => return refuse(&book, presented.id, 401, &forged.to_string()),
    };
    let message = match payload::parse(&body) {
        Ok(message) => message,
        Err(malformed) => return refuse(&book, Some(id), 400, &malformed.to_string()),
    };
    if let Some(status) = book.failing() {
        return refuse(&book, Some(id), status, "set to fail by a test");
    }
    let repeat = book.take(id, now_ms, message) == Receipt::Repeat;
    HttpResponse::Ok().json(json!({ "received": id, "repeat": repeat }))
}

fn refuse(book: &Book, webhook_id: Option<&str>, status: u16, reason: &str) -> HttpResponse {
    tracing::warn!(webhook_id, status, reason, "refused a webhook");
    book.refused(webhook_id, status, reason);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(json!({ "error": reason }))
}

async fn only_post() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "POST")).finish()
}

async fn leads(book: web::Data<Book>) -> HttpResponse {
    page::html(StatusCode::OK, &LeadsPage { leads: record::summaries(&book.received()) })
}

async fn lead(book: web::Data<Book>, lead_id: web::Path<String>) -> HttpResponse {
    match record::record(&book.received(), &lead_id) {
        Some(record) => page::html(StatusCode::OK, &LeadPage { record }),
        None => page::html(StatusCode::NOT_FOUND, &NotFoundPage),
    }
}

async fn deliveries(book: web::Data<Book>) -> HttpResponse {
    HttpResponse::Ok().json(book.deliveries())
}

async fn attempts(book: web::Data<Book>) -> HttpResponse {
    HttpResponse::Ok().json(book.attempts())
}

async fn not_found() -> HttpResponse {
    page::html(StatusCode::NOT_FOUND, &NotFoundPage)
}
