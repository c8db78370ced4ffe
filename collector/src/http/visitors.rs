//! A visitor's journey, lead or not.

use super::auth::ApiKey;
use crate::app::App;
use crate::error::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde_json::json;
use shared::ids::VisitorId;
use shared::journey::History;

/// `GET /v1/visitors/{id}/journey`
pub(super) async fn journey(
    app: Data<App>,
    key: ApiKey,
    visitor: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let visitor = VisitorId::parse(&visitor).ok_or(ApiError::NotFound("visitor"))?;
    let record =
        app.store.visitor(&key.site, visitor).await?.ok_or(ApiError::NotFound("visitor"))?;
    let views = app.store.page_views(&key.site, visitor).await?;
    let history = History::of_visitor(&views, i64::MAX);
    let journey =
        json!({ "visitor": visitor, "lead_id": record.lead, "journey": history.to_json() });
    Ok(HttpResponse::Ok().json(journey))
}
