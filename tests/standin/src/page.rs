//! Serves the page for people, and the addresses that records have in the vendors' own pages.

use crate::state::Shared;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;

/// The routes of the pages: the book, and the addresses that the vendors' own pages have.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/contacts/{account}/record/0-1/{id}", web::get().to(in_hubspot))
        .route("/{id:[0-9A-Za-z]{18}}", web::get().to(in_salesforce));
}

async fn show(shared: web::Data<Shared>) -> HttpResponse {
    let page = shared.lock().crm.book().render();
    match page {
        Ok(page) => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'",
            ))
            .body(page),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

async fn in_hubspot(path: web::Path<(String, String)>) -> HttpResponse {
    beside(&path.1)
}

async fn in_salesforce(id: web::Path<String>) -> HttpResponse {
    beside(&id)
}

/// To the record's place on the page.
fn beside(id: &str) -> HttpResponse {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    HttpResponse::SeeOther().insert_header((header::LOCATION, format!("/#{id}"))).finish()
}
