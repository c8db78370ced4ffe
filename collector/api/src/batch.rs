//! The response to a browser's batch of events.

use serde::Serialize;
use shared::ids::EventId;
use shared::outcome::DropReason;
use utoipa::ToSchema;

/// The outcome of each event of a batch. Stored events are durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAccepted<'a> {
    /// How many events were new and are stored now.
    pub stored: usize,
    /// How many events had been stored before, or change nothing.
    pub duplicate: usize,
    /// The events that were not stored.
    pub dropped: Vec<DroppedEvent>,
    /// The visitor's sealed token, for the hidden form field `clew_token`; `null` if the collector has no token
    /// keys, or if nothing may be stored.
    #[schema(required = true)]
    pub token: Option<&'a str>,
}

/// An event that was not stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct DroppedEvent {
    /// The event's id; `null` if it could not be read.
    #[schema(required = true)]
    pub id: Option<EventId>,
    /// Why it was not stored.
    pub reason: DropReason,
}
