//! Where journeys, leads and deliveries are kept: the verbs of a store, and the two backends.
//!
//! The verbs stand in [`verbs`], one trait for each kind of reader. What a verb does to the rows is
//! decided once, in plain code without a backend ([`visitor`], [`relabel`], [`erase`], [`conversion`],
//! `membership`, [`record`], [`delivery`], [`memo`]); where the rows are kept is a backend's business
//! ([`sled`], [`postgres`]), and [`open`](mod@open) alone chooses one. Times are Unix milliseconds and arguments;
//! ids are made by the caller.

#![forbid(unsafe_code)]

pub mod verbs;
pub mod error;
pub mod destination;
pub mod lead_key;
pub mod conversion;
mod membership;
pub mod record;
pub mod delivery;
pub mod dossier;
pub mod memo;
pub mod relabel;
pub mod erase;
pub mod entity;
pub mod visitor;
pub mod sled;
pub mod postgres;
pub mod open;

pub use conversion::{Converted, Idempotency, NewConversion};
pub use delivery::{
    Claim, DeliveriesOf, Delivery, DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState, Latest,
    Settlement,
};
pub use destination::{DestinationId, SubscriptionId};
pub use dossier::Dossier;
pub use entity::{Entities, Entity, Holding, ImportPart, ImportState};
pub use erase::{Criteria, Erased, Erasure};
pub use error::StoreError;
pub use lead_key::LeadKey;
pub use memo::{Memo, MemoChange, MemoKind};
pub use open::{Opener, Options, open};
pub use record::{MOST_UNMATCHED, NewRecord, Record, RecordId, Recorded, Unmatched};
pub use relabel::{Relabelled, Relabelling};
pub use verbs::{Deliveries, Journeys, Leads, Memos, Moves, Store, Takes, Upkeep};
pub use visitor::{Action, ActionKind, Arrival, Arrivals, Visitor};
