//! Feedback about leads, reported by CRMs and other programs.

use super::api_key::{Allowed, LeadsRead, LeadsWrite};
use super::body::{self, UnreadBody};
use super::leads::LeadPath;
use super::query::{Page, Query, SiteQuery};
use super::refusals::{BodyRefused, KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_api::{
    RecordReceipt, RevenueReported, RevenueRequest, StageReported, StageRequest, Unmatched,
};
use clew_core::Core;
use clew_store::{LeadKey, RecordId};
use collector::config::Scope;
use collector::feedback::Feedback;
use collector::leads::LeadView;
use serde::Serialize;

/// Reports a stage that a lead entered.
///
/// A key without `leads:read` gets a receipt: the lead's id, and whether this was a repeat.
#[utoipa::path(
    post,
    path = "/v1/leads/{lead}/stage",
    tag = "Stages and revenue",
    operation_id = "reportStage",
    security(("api_key" = ["leads:write"])),
    params(LeadPath, SiteQuery, ("Idempotency-Key" = Option<String>, Header, description = "The report's id, if the body has no `reference`.")),
    request_body(content = StageRequest, example = json!({ "stage": "sql", "reason": "asked for an offer" })),
    responses(
        (status = 201, description = "Recorded.", body = StageReported<'static>),
        (status = 200, description = "The same report had been recorded before.", body = StageReported<'static>),
        (status = 409, description = "The `reference` was used for another report, or the CRM record is another lead's.", body = clew_api::Problem, content_type = "application/problem+json"),
        NotFoundResponse,
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn stage(
    feedback: Data<Feedback>,
    key: Allowed<LeadsWrite>,
    lead: Path<String>,
    http: HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let reference = body::idempotency_key(&http)?;
    let lead = LeadKey::from(lead.into_inner());
    let reported = feedback.stage(&key.settings, &key.site, lead, &body, reference).await?;
    let shown = match key.may(Scope::LeadsRead) {
        true => StageReported::Recorded(reported.stage()),
        false => StageReported::Receipt(receipt(&reported.view, reported.repeated)),
    };
    Ok(respond(&reported.view, reported.repeated, &shown))
}

/// Reports what happened to a deal.
///
/// A key without `leads:read` gets a receipt: the lead's id, and whether this was a repeat.
#[utoipa::path(
    post,
    path = "/v1/revenue",
    tag = "Stages and revenue",
    operation_id = "reportRevenue",
    security(("api_key" = ["leads:write"])),
    params(SiteQuery, ("Idempotency-Key" = Option<String>, Header, description = "The report's id, if the body has no `reference`.")),
    request_body(content = RevenueRequest, example = json!({
        "email": "lead@example.com", "deal": "D-1042", "kind": "won", "amount": "1200.00", "currency": "EUR",
    })),
    responses(
        (status = 201, description = "Recorded.", body = RevenueReported<'static>),
        (status = 200, description = "The same report had been recorded before.", body = RevenueReported<'static>),
        (status = 409, description = "The `reference` was used for another report, or the deal or CRM record is another lead's.", body = clew_api::Problem, content_type = "application/problem+json"),
        NotFoundResponse,
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn revenue(
    feedback: Data<Feedback>,
    key: Allowed<LeadsWrite>,
    http: HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let reference = body::idempotency_key(&http)?;
    let reported = feedback.revenue(&key.settings, &key.site, &body, reference).await?;
    let shown = match key.may(Scope::LeadsRead) {
        true => RevenueReported::Recorded(reported.deal(&key.settings)),
        false => RevenueReported::Receipt(receipt(&reported.view, reported.repeated)),
    };
    Ok(respond(&reported.view, reported.repeated, &shown))
}

/// Lists records that match no lead, in no particular order.
#[utoipa::path(
    get,
    path = "/v1/unmatched",
    tag = "Stages and revenue",
    operation_id = "listUnmatched",
    security(("api_key" = ["leads:read"])),
    params(SiteQuery, Page),
    responses(
        (status = 200, description = "A page of unmatched records.", body = Unmatched<'static>),
        KeyRefused,
    ),
)]
pub(super) async fn unmatched(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    window: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let (limit, after) = (window.limit()?, window.after(RecordId::parse)?);
    let found = core.store.unmatched(&key.site, after, limit).await?;
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id().to_text());
    let unmatched = found.iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(Unmatched { unmatched, next }))
}

/// 201 for a new record, 200 for a repeat.
fn respond(view: &LeadView, repeated: bool, shown: &impl Serialize) -> HttpResponse {
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    response.json(shown)
}

/// What a key that may not read leads gets.
fn receipt(view: &LeadView, repeated: bool) -> RecordReceipt {
    RecordReceipt { lead_id: view.lead.id, repeated }
}
