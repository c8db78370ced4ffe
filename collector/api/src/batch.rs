//! The response to a browser's batch of events.

use serde::Serialize;
use shared::ids::EventId;
use shared::outcome::DropReason;
use utoipa::ToSchema;

/// What became of the events of a batch. Everything counted here is durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchAccepted<'a> {
    /// Events that are new.
    pub stored: usize,
    /// Events that were stored before.
    pub duplicate: usize,
    /// Events that were refused.
    pub dropped: Vec<DroppedEvent>,
    /// The visitor's sealed token, for the hidden field of a form.
    #[schema(required = true)]
    pub token: Option<&'a str>,
}

/// A refused event.
#[derive(Debug, Serialize, ToSchema)]
pub struct DroppedEvent {
    /// Its id; `null` if it had no valid one.
    #[schema(required = true)]
    pub id: Option<EventId>,
    /// Why it was refused.
    pub reason: DropReason,
}
