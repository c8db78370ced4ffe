//! What operators and their machines ask: alive, ready, how much, everything; and what commands have
//! the collector write that has the store.

use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Bytes, Data, Payload};
use clew_core::Core;
use clew_store::{Readiness, Relabelled, StoreError};
use collector::settings::CurrentSettings;
use collector::transfer::Lines;
use futures_util::StreamExt;
use futures_util::future::ready;
use futures_util::stream::{once, unfold};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::time::Duration;
use tokio::time::timeout;

/// Shows that the process is running.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Operators",
    operation_id = "health",
    responses((status = 200, description = "It is running.", body = String, content_type = "text/plain")),
)]
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// How long the store may take to say what it takes. One that takes longer is too busy to be sent more,
/// and the caller does not wait longer.
const READY: Duration = Duration::from_secs(1);

/// Shows whether the collector accepts leads and page views.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Operators",
    operation_id = "readiness",
    responses(
        (status = 200, description = "It accepts leads. If it refuses page views, the text says why.", body = String, content_type = "text/plain"),
        (status = 503, description = "It accepts neither.", body = clew_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn readiness(core: Data<Core>) -> Result<String, ApiError> {
    let takes = timeout(READY, core.store.ready()).await.map_err(|_| ApiError::Busy)?;
    Ok(match takes? {
        Readiness::Everything => "ready\n".to_owned(),
        Readiness::AllButPageViews(why) => format!("ready for leads alone: {why}\n"),
    })
}

/// `GET /export`: everything in the store, as [`collector::transfer`] writes it. An error cuts the answer
/// off, which its reader sees by the missing last line.
pub(super) async fn export(core: Data<Core>) -> Result<HttpResponse, ApiError> {
    let mut entities = core.store.export();
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

/// What was changed, and by which rules this collector labels.
#[derive(Debug, Deserialize, Serialize)]
pub struct RelabelAnswer {
    /// How much was changed.
    pub relabelled: Relabelled,
    /// The hash of the collector's rules.
    pub rules: u64,
}

/// What a command may send at once: the labels of one visitor alone, each as long as can be, fit.
const COMMAND_BYTES: usize = 256 << 20;

/// `POST /relabel`: takes labels as a command made them by its rules.
pub(super) async fn relabel(
    core: Data<Core>,
    settings: Data<CurrentSettings>,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let relabelled = core.store.relabel_all(list(body, "labels").await?).await?;
    let rules = settings.get().rules.hash();
    Ok(HttpResponse::Ok().json(RelabelAnswer { relabelled, rules }))
}

/// `POST /erase`: erases visitors as far as they still fit; answers how much was erased.
pub(super) async fn erase(core: Data<Core>, body: Payload) -> Result<HttpResponse, ApiError> {
    let erased = core.store.erase_all(list(body, "visitors").await?).await?;
    tracing::info!(
        visitors = erased.visitors,
        page_views = erased.page_views,
        proposed_leads = erased.proposed_leads,
        "a command erased visitors"
    );
    Ok(HttpResponse::Ok().json(erased))
}

/// Reads a list of what a command sends.
async fn list<T: DeserializeOwned>(body: Payload, of: &str) -> Result<Vec<T>, ApiError> {
    let unreadable =
        |what: String| ApiError::Malformed(format!("The body is not a list of {of}: {what}."));
    let body = body.to_bytes_limited(COMMAND_BYTES).await.map_err(|_| ApiError::TooLarge)?;
    let body = body.map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))
}

fn cut_off(error: impl Display) -> ApiError {
    tracing::error!(%error, "an export was cut off");
    ApiError::Store(StoreError::Unavailable(error.to_string()))
}

/// Shows the metrics, in the `OpenMetrics` format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Operators",
    operation_id = "metrics",
    responses((status = 200, description = "The metrics.", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(core: Data<Core>) -> HttpResponse {
    let text = core.metrics.encode(core.store.queued(), core.store.free_bytes());
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text)
}
