//! Turns templates and compiled-in files into responses, for all three servers.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;

/// Renders a page with this status. A template that fails to render is a bug: it is logged and
/// becomes a 500.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(body) => HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(body),
        Err(error) => {
            tracing::error!(%error, "a page did not render");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// A compiled-in style sheet.
pub(crate) fn css(text: &'static str) -> HttpResponse {
    asset("text/css; charset=utf-8", text)
}

/// A compiled-in picture.
pub(crate) fn svg(text: &'static str) -> HttpResponse {
    asset("image/svg+xml", text)
}

fn asset(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text)
}
