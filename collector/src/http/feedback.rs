//! What comes back of leads: told by CRMs and by tools between.

use super::auth::ApiKey;
use super::body;
use super::query::Query;
use crate::app::App;
use crate::error::ApiError;
use crate::feedback::request::{self, Kept};
use crate::feedback::unmatched_json;
use crate::store::RecordId;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

/// `POST /v1/leads/{id}/stage`: 201 for what is new, 200 for a repeat.
pub(super) async fn stage(
    app: Data<App>,
    key: ApiKey,
    lead: Path<String>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let reference = body::idempotency_key(&http)?;
    let kept = request::stage(&app, &key.settings, &key.site, &lead, &body, reference).await?;
    Ok(answer(kept))
}

/// `POST /v1/revenue`: 201 for what is new, 200 for a repeat.
pub(super) async fn revenue(
    app: Data<App>,
    key: ApiKey,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let reference = body::idempotency_key(&http)?;
    let kept = request::revenue(&app, &key.settings, &key.site, &body, reference).await?;
    Ok(answer(kept))
}

/// `GET /v1/unmatched?after=&limit=`: what was told of nobody who is known.
pub(super) async fn unmatched(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let (limit, after) = (query.limit()?, query.parsed("after", RecordId::parse)?);
    let found = app.store.unmatched(&key.site, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id().to_text());
    let told: Vec<_> = found.iter().map(unmatched_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "unmatched": told, "next": next })))
}

fn answer(kept: Kept) -> HttpResponse {
    let mut response = if kept.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", kept.view.lead.id)));
    response.json(kept.answer)
}
