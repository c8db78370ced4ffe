//! What operators and their machines ask: alive, ready, how much.

use crate::app::App;
use crate::error::ApiError;
use crate::store::StoreError;
use crate::transfer::Lines;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data};
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{once, unfold};
use std::fmt::Display;

/// `GET /healthz`: the process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: writes are being taken.
pub(super) async fn readiness(app: Data<App>) -> Result<&'static str, ApiError> {
    app.store.ready().await?;
    Ok("ready\n")
}

/// `GET /export`: everything in the store, as [`crate::transfer`] writes it. An error cuts the answer
/// off, which its reader sees by the missing last line.
pub(super) async fn export(app: Data<App>) -> Result<HttpResponse, ApiError> {
    let mut entities = app.store.export();
    // What keeps it from beginning is an answer of its own.
    let first = entities.next().await.transpose()?;
    let mut lines = Lines::default();
    let mut head = lines.head().map_err(cut_off)?;
    if let Some(first) = first {
        head.extend(lines.entity(&first).map_err(cut_off)?);
    }
    let rest = unfold(Some((entities, lines)), async |state| {
        let (mut entities, mut lines) = state?;
        let line = match entities.next().await {
            Some(Ok(entity)) => lines.entity(&entity).map_err(cut_off),
            Some(Err(error)) => Err(cut_off(error)),
            None => return Some((lines.end().map(Bytes::from).map_err(cut_off), None)),
        };
        Some((line.map(Bytes::from), Some((entities, lines))))
    });
    let lines = once(ready::<Result<_, ApiError>>(Ok(Bytes::from(head)))).chain(rest);
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(lines))
}

fn cut_off(error: impl Display) -> ApiError {
    let error = StoreError::Unavailable(error.to_string());
    tracing::error!(%error, "an export was cut off");
    ApiError::Store(error)
}

/// `GET /metrics`
pub(super) async fn metrics(app: Data<App>) -> HttpResponse {
    let text = app.metrics.encode(app.store.queued());
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text)
}
