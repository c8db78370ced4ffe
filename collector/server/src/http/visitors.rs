//! A visitor's journey, whether it is a lead's or not.

use super::api_key::{Allowed, LeadsRead};
use super::query::{Page, Query, SiteQuery};
use super::refusals::{KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use clew_api::{Cursor, Journey, VisitorJourney};
use clew_core::Core;
use shared::ids::VisitorId;
use shared::journey::History;

/// Shows a visitor's whole journey in pages, oldest first.
#[utoipa::path(
    get,
    path = "/v1/visitors/{visitor}/journey",
    tag = "Journeys",
    operation_id = "getVisitorJourney",
    security(("api_key" = ["leads:read"])),
    params(("visitor" = String, Path, description = "The visitor's id: the value of its cookie `clew_id`."), SiteQuery, Page),
    responses(
        (status = 200, description = "A page of the journey.", body = VisitorJourney<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    visitor: Path<String>,
    window: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let visitor = VisitorId::parse(&visitor).ok_or(ApiError::NotFound("visitor"))?;
    let record =
        core.store.visitor(&key.site, visitor).await?.ok_or(ApiError::NotFound("visitor"))?;
    let (after, limit) = (window.after(Cursor::parse)?, window.limit()?);
    let trail = core.store.trail(&key.site, visitor).await?;
    let history = History::of_visitor(&trail, i64::MAX);
    let (journey, next) = Journey::page(&history, after, limit);
    let next = next.map(|next| next.to_string());
    Ok(HttpResponse::Ok().json(VisitorJourney { visitor, lead_id: record.lead, journey, next }))
}
