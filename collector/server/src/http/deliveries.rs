//! Deliveries: listed with their state, replayed on demand.

use super::api_key::{Admin, Allowed, LeadsRead};
use super::query::{Page, Query, SiteQuery, parsed};
use super::refusals::{KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use clew_api::{Deliveries, Delivery};
use clew_core::Core;
use clew_store::delivery::DeliveriesOf;
use clew_store::{DeliveryFilter, DeliveryId, DeliveryState};
use serde::Deserialize;
use shared::ids::{LeadId, SiteId};
use utoipa::IntoParams;

/// Deliveries in one state.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StateQuery {
    /// Only deliveries in this state.
    #[param(value_type = Option<DeliveryState>)]
    state: Option<String>,
}

/// Deliveries of one lead.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LeadQuery {
    /// Only deliveries of this lead, by its id.
    lead: Option<String>,
}

/// Lists deliveries by lead, the oldest lead first.
#[utoipa::path(
    get,
    path = "/v1/deliveries",
    tag = "Deliveries",
    operation_id = "listDeliveries",
    security(("api_key" = ["leads:read"])),
    params(SiteQuery, Page, StateQuery, LeadQuery),
    responses(
        (status = 200, description = "A page of deliveries.", body = Deliveries<'static>),
        KeyRefused,
    ),
)]
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    window: Query<Page>,
    in_state: Query<StateQuery>,
    of_lead: Query<LeadQuery>,
) -> Result<HttpResponse, ApiError> {
    let lead = parsed("lead", of_lead.lead.as_deref(), LeadId::parse)?;
    let of = lead.map_or(DeliveriesOf::Site, DeliveriesOf::Lead);
    page(&core, &key.site, of, &window, &in_state).await
}

/// A page of some of a site's deliveries.
pub(super) async fn page(
    core: &Core,
    site: &SiteId,
    of: DeliveriesOf,
    window: &Page,
    in_state: &StateQuery,
) -> Result<HttpResponse, ApiError> {
    let state = parsed("state", in_state.state.as_deref(), DeliveryState::parse)?;
    let after = window.after(DeliveryId::parse)?;
    let limit = window.limit()?;
    let filter = DeliveryFilter { site: site.clone(), of, state, after, limit };
    let deliveries = core.store.deliveries(filter).await?;
    let next = deliveries.last().filter(|_| deliveries.len() == limit);
    let next = next.map(|last| last.id.to_text());
    let deliveries = deliveries.iter().map(Delivery::from).collect();
    Ok(HttpResponse::Ok().json(Deliveries { deliveries, next }))
}

/// Replays a delivery: makes it due now, with its retry schedule restarted.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{delivery}/replay",
    tag = "Deliveries",
    operation_id = "replayDelivery",
    security(("api_key" = ["admin"])),
    params(("delivery" = String, Path, description = "The delivery's id."), SiteQuery),
    responses(
        (status = 202, description = "The delivery, which is due now.", body = Delivery<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
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
    Ok(HttpResponse::Accepted().json(Delivery::from(&delivery)))
}
