//! Hand-offs: listed with their state, replayed on demand.

use super::api_key::{Admin, Allowed, LeadsRead};
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use clew_store::delivery::DeliveriesOf;
use clew_store::{Delivery, DeliveryFilter, DeliveryId, DeliveryState};
use serde_json::{Value, json};
use shared::ids::{LeadId, SiteId};
use shared::time::rfc3339;

/// `GET /v1/deliveries?state=&lead=&after=&limit=`
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let lead = query.parsed("lead", LeadId::parse)?;
    answer(&core, &key.site, lead.map_or(DeliveriesOf::Site, DeliveriesOf::Lead), &query).await
}

/// A page of some of a site's deliveries, as the query wants it.
pub(super) async fn answer(
    core: &Core,
    site: &SiteId,
    of: DeliveriesOf,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let state = query.parsed("state", DeliveryState::parse)?;
    let after = query.parsed("after", DeliveryId::parse)?;
    let limit = query.limit()?;
    let filter = DeliveryFilter { site: site.clone(), of, state, after, limit };
    let deliveries = core.store.deliveries(filter).await?;
    let next = deliveries.last().filter(|_| deliveries.len() == limit);
    let next = next.map(|last| last.id.to_text());
    let deliveries: Vec<Value> = deliveries.iter().map(delivery_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "deliveries": deliveries, "next": next })))
}

/// `POST /v1/deliveries/{id}/replay`: 202, and it falls due at once.
pub(super) async fn replay(
    core: Data<Core>,
    key: Allowed<Admin>,
    delivery: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let none = || ApiError::NotFound("delivery");
    let id = DeliveryId::parse(&delivery).ok_or_else(none)?;
    let known = core.store.delivery(id).await?.filter(|delivery| delivery.site == key.site);
    known.ok_or_else(none)?;
    core.store.replay_delivery(id, core.now_ms()).await?;
    let delivery = core.store.delivery(id).await?.ok_or_else(none)?;
    Ok(HttpResponse::Accepted().json(delivery_json(&delivery)))
}

fn delivery_json(delivery: &Delivery) -> Value {
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
