//! The storage of journeys, leads and deliveries: the store's operations ("verbs") and its two
//! backends.
//!
//! [`verbs`] declares the verbs, one trait per kind of caller. What a verb does to the rows is
//! decided once, in plain code without a backend ([`visitor`], [`relabel`], [`erase`],
//! [`conversion`], `membership`, [`merge`], [`record`], [`delivery`], [`memo`]). The backends ([`sled`],
//! [`postgres`]) only keep the rows, and [`open`](mod@open) alone chooses one. Callers pass in the
//! time (Unix milliseconds) and generate the ids.

#![forbid(unsafe_code)]

pub mod verbs;
pub mod error;
pub mod destination;
pub mod lead_key;
pub mod conversion;
mod membership;
pub mod merge;
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
pub use entity::{Contents, Entities, Entity, ImportPart, ImportState};
pub use erase::{Criteria, Erased, Erasure};
pub use error::StoreError;
pub use lead_key::LeadKey;
pub use memo::{Memo, MemoChange, MemoKind};
pub use merge::{MergeRefused, NewMerge, absorb_records};
pub use open::{Opener, Options, open};
pub use record::{MOST_UNMATCHED, NewRecord, Record, RecordId, Recorded, Unmatched};
pub use relabel::{Relabelled, Relabelling};
pub use verbs::{Deliveries, Journeys, Leads, Maintenance, Memos, Readiness, Store, Transfer};
pub use visitor::{Action, ActionKind, Arrival, Arrivals, Visitor};
