//! What comes back of leads, reported by CRMs and by tools between.

use super::api_key::{Access, Allowed, LeadsRead, LeadsWrite};
use super::body::{self, Unread};
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use clew_store::{LeadKey, RecordId};
use collector::config::Scope;
use collector::feedback::request::Kept;
use collector::feedback::{Feedback, unmatched_json};
use serde_json::json;

/// `POST /v1/leads/{id}/stage`: 201 for what is new, 200 for a repeat.
pub(super) async fn stage(
    feedback: Data<Feedback>,
    key: Allowed<LeadsWrite>,
    lead: Path<String>,
    http: HttpRequest,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let reference = body::idempotency_key(&http)?;
    let lead = LeadKey::from(lead.into_inner());
    let kept = feedback.stage(&key.settings, &key.site, lead, &body, reference).await?;
    Ok(answer(&key, kept))
}

/// `POST /v1/revenue`: 201 for what is new, 200 for a repeat.
pub(super) async fn revenue(
    feedback: Data<Feedback>,
    key: Allowed<LeadsWrite>,
    http: HttpRequest,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let reference = body::idempotency_key(&http)?;
    let kept = feedback.revenue(&key.settings, &key.site, &body, reference).await?;
    Ok(answer(&key, kept))
}

/// `GET /v1/unmatched?after=&limit=`: records that match no lead.
pub(super) async fn unmatched(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let (limit, after) = (query.limit()?, query.parsed("after", RecordId::parse)?);
    let found = core.store.unmatched(&key.site, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id().to_text());
    let told: Vec<_> = found.iter().map(unmatched_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "unmatched": told, "next": next })))
}

/// Who may not read leads gets a receipt.
fn answer(key: &Access, kept: Kept) -> HttpResponse {
    let mut response = if kept.repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", kept.view.lead.id)));
    response.json(if key.may(Scope::LeadsRead) { kept.answer } else { kept.receipt() })
}
