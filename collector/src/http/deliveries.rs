//! Hand-offs: listed with their state, replayed on demand.

use super::auth::ApiKey;
use super::query::Query;
use crate::app::App;
use crate::error::ApiError;
use crate::store::{Delivery, DeliveryFilter, DeliveryId, DeliveryState};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use shared::ids::LeadId;
use shared::time::rfc3339;

/// `GET /v1/deliveries?state=&lead=&after=&limit=`
pub(super) async fn list(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let filter = DeliveryFilter {
        site: key.site,
        state: query.parsed("state", DeliveryState::parse)?,
        lead: query.parsed("lead", LeadId::parse)?,
        after: query.parsed("after", DeliveryId::parse)?,
        limit: query.limit()?,
    };
    let limit = filter.limit;
    let deliveries = app.store.deliveries(filter).await?;
    let next =
        deliveries.last().filter(|_| deliveries.len() == limit).map(|last| last.id.to_text());
    let deliveries: Vec<Value> = deliveries.iter().map(delivery_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "deliveries": deliveries, "next": next })))
}

/// `POST /v1/deliveries/{id}/replay`: 202, and it falls due at once.
pub(super) async fn replay(
    app: Data<App>,
    key: ApiKey,
    delivery: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let none = || ApiError::NotFound("delivery");
    let id = DeliveryId::parse(&delivery).ok_or_else(none)?;
    let known = app.store.delivery(id).await?.filter(|delivery| delivery.site == key.site);
    known.ok_or_else(none)?;
    app.store.replay_delivery(id, app.clock.now_ms()).await?;
    let delivery = app.store.delivery(id).await?.ok_or_else(none)?;
    Ok(HttpResponse::Accepted().json(delivery_json(&delivery)))
}

pub(super) fn delivery_json(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id.to_text(),
        "lead_id": delivery.id.lead,
        "destination": delivery.destination,
        "kind": delivery.kind.as_str(),
        "conversion": delivery.conversion(),
        "state": delivery.state,
        "due_at": rfc3339(delivery.due_at_ms),
        "attempts": delivery.attempts,
        "created_at": rfc3339(delivery.created_at_ms),
        "error": delivery.error,
    })
}
