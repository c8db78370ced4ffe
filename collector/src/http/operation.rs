//! What operators and their machines ask: alive, ready, how much.

use crate::app::App;
use crate::error::ApiError;
use actix_web::HttpResponse;
use actix_web::web::Data;

/// `GET /healthz`: the process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: writes are being taken.
pub(super) async fn ready(app: Data<App>) -> Result<&'static str, ApiError> {
    app.store.ready().await?;
    Ok("ready\n")
}

/// `GET /metrics`
pub(super) async fn metrics(app: Data<App>) -> HttpResponse {
    let text = app.metrics.encode(app.store.queued());
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text)
}
