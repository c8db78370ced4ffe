//! A visitor's journey, lead or not.

use super::api_key::{Allowed, LeadsRead};
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use clew_core::Core;
use serde_json::json;
use shared::ids::VisitorId;
use shared::journey::History;

/// `GET /v1/visitors/{id}/journey`
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    visitor: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let visitor = VisitorId::parse(&visitor).ok_or(ApiError::NotFound("visitor"))?;
    let record =
        core.store.visitor(&key.site, visitor).await?.ok_or(ApiError::NotFound("visitor"))?;
    let views = core.store.page_views(&key.site, visitor).await?;
    let history = History::of_visitor(&views, i64::MAX);
    let journey =
        json!({ "visitor": visitor, "lead_id": record.lead, "journey": history.to_json() });
    Ok(HttpResponse::Ok().json(journey))
}
