//! Deliveries in JSON.

use crate::Timestamp;
use clew_store::{self as store, DeliveryKind, DeliveryState, DestinationId};
use serde::Serialize;
use shared::ids::{ConversionId, LeadId};
use utoipa::ToSchema;

/// One hand-off of one lead to one destination.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery<'a> {
    /// The delivery's id, sent as `webhook-id`.
    pub id: String,
    /// The lead.
    pub lead_id: LeadId,
    /// The destination's name in the configuration, or the id of a subscription.
    #[schema(value_type = String, example = "hubspot")]
    pub destination: &'a DestinationId,
    /// The event that it reports.
    pub kind: DeliveryKind,
    /// The conversion that it reports; `null` if it reports a stage or a deal.
    #[schema(required = true)]
    pub conversion: Option<ConversionId>,
    /// The delivery's state.
    pub state: DeliveryState,
    /// When the next attempt is due; while it is `sending`, when its claim expires; once it is `sent` or `dead`, when
    /// that happened.
    pub due_at: Timestamp,
    /// The attempts that count for the retry schedule.
    pub attempts: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// Why the last failed attempt failed.
    #[schema(required = true)]
    pub error: Option<&'a str>,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries<'a> {
    /// The deliveries.
    pub deliveries: Vec<Delivery<'a>>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<'a> From<&'a store::Delivery> for Delivery<'a> {
    fn from(delivery: &'a store::Delivery) -> Self {
        Self {
            id: delivery.id.to_text(),
            lead_id: delivery.id.lead,
            destination: &delivery.destination,
            kind: delivery.kind,
            conversion: delivery.conversion(),
            state: delivery.state,
            due_at: Timestamp(delivery.due_at_ms),
            attempts: delivery.attempts,
            created_at: Timestamp(delivery.created_at_ms),
            error: delivery.error.as_deref(),
        }
    }
}
