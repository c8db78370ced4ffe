//! A visitor's journey, lead or not.

use super::api_key::{Allowed, LeadsRead};
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use serde_json::json;
use shared::ids::VisitorId;
use shared::journey::{Cursor, History};

/// `GET /v1/visitors/{id}/journey?after=&limit=`: the journey, oldest first.
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    visitor: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let visitor = VisitorId::parse(&visitor).ok_or(ApiError::NotFound("visitor"))?;
    let record =
        core.store.visitor(&key.site, visitor).await?.ok_or(ApiError::NotFound("visitor"))?;
    let query = Query::of(&request);
    let (after, limit) = (query.parsed("after", Cursor::parse)?, query.limit()?);
    let trail = core.store.trail(&key.site, visitor).await?;
    let (journey, next) = History::of_visitor(&trail, i64::MAX).page_json(after, limit);
    let answer = json!({
        "visitor": visitor,
        "lead_id": record.lead,
        "journey": journey,
        "next": next.map(|next| next.to_string()),
    });
    Ok(HttpResponse::Ok().json(answer))
}
