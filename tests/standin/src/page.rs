//! Serves the page for people, and the URL that a record has in the vendor's own pages.

use crate::state::Shared;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

/// The routes of the page itself and of a record's URL in the vendor's pages.
pub(crate) fn configure(config: &mut web::ServiceConfig, record_page: &str) {
    config.route("/", web::get().to(show)).route(record_page, web::get().to(find));
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

/// The part of a record's URL that is used.
#[derive(Deserialize)]
struct Address {
    id: String,
}

/// Redirects to the record on the page.
async fn find(address: web::Path<Address>) -> HttpResponse {
    let id: String = address.id.chars().filter(char::is_ascii_alphanumeric).collect();
    HttpResponse::SeeOther().insert_header((header::LOCATION, format!("/#{id}"))).finish()
}
