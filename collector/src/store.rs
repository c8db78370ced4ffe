//! The store's verbs, in the domain's words; each one atomic and durable when it answers.
//!
//! What a verb does to the rows is decided once, in plain code ([`visitor`], [`relabel`],
//! [`conversion`], `membership`, [`record`], [`delivery`], [`memo`]); where the rows are kept is a backend's business
//! ([`sled`], [`postgres`]), and who names a backend is [`crate::app`] alone. Times are Unix
//! milliseconds and arguments; ids are made by the caller.

pub mod conversion;
pub mod delivery;
mod membership;
pub mod record;
pub mod memo;
pub mod relabel;
pub mod entity;
pub mod visitor;
pub mod sled;
pub mod postgres;

pub use conversion::{Converted, Idempotency, NewConversion};
pub use delivery::{
    Claim, Delivery, DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState, Settlement,
};
pub use entity::{Entities, Entity, Holding, ImportPart, ImportState};
pub use memo::{Memo, MemoChange, MemoKind};
pub use record::{NewRecord, Record, RecordId, Recorded, Unmatched};
pub use relabel::{Relabelled, Relabelling, relabel_all};
pub use visitor::{Action, ActionKind, Arrival, Arrivals, Visitor};

use async_trait::async_trait;
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use shared::outcome::Outcome;
use shared::page_view::PageView;
use std::path::PathBuf;

/// Where journeys, leads and deliveries are kept.
#[async_trait]
pub trait Store: Send + Sync {
    /// Takes one visitor's events; one outcome for each, in order. Journeys are derived in the
    /// same step.
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError>;

    /// A visitor's record; `None` where it never reported anything.
    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError>;

    /// A visitor's page views, in the order of their ids.
    async fn page_views(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Vec<PageView>, StoreError>;

    /// Puts other labels on a visitor's page views and derives its journey anew. What conversions keep
    /// of a journey stays; page views and engagement that come meanwhile are not lost.
    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError>;

    /// Stores conversion, lead, identities and deliveries in one step, joining the visitor.
    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError>;

    /// Undoes what joined a visitor to a lead: from now on nothing that it did is the lead's, and where
    /// it was taken from another lead, it goes back. Once is enough: what is undone stays as it is.
    /// Gives back the lead as it stands; `None` where there is none, or it never had the visitor.
    async fn undo_join(
        &self,
        lead: LeadId,
        visitor: VisitorId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError>;

    /// A lead by its id.
    async fn lead(&self, lead: LeadId) -> Result<Option<Lead>, StoreError>;

    /// A lead by what identifies it, in the form of [`shared::lead::Contact::identities`].
    async fn find_lead(
        &self,
        site: &SiteId,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Option<LeadId>, StoreError>;

    /// A site's leads, newest first, beginning after `after`.
    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// A lead's conversions, in the order of their ids.
    async fn conversions(&self, lead: LeadId) -> Result<Vec<Conversion>, StoreError>;

    /// Keeps what was told of a lead after it converted, what it is found by from then on, and what is to
    /// be handed off of it, in one step; the same record twice is as good as once.
    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError>;

    /// What was told of a lead, in the order of the records' ids.
    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError>;

    /// Keeps what was told of somebody whom no lead is known for; the same twice is as good as once.
    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError>;

    /// What was told of nobody who is known, of a site, in the order of the ids, beginning after
    /// `after`.
    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError>;

    /// Takes deliveries that are due, of each lead the first that waits for the destination; they are due
    /// again at the lease's end unless settled, so a collector that dies holding them loses none.
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError>;

    /// Keeps a delivery's body before its first attempt; every attempt sends the same bytes. The
    /// body that was kept first is answered.
    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// A delivery's frozen body.
    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records how an attempt ended, given by its claim ([`Delivery::claims`]). Nothing where the
    /// delivery was claimed again or replayed since: what came later stands.
    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError>;

    /// Makes a delivery due now, whatever its state; `false` where there is none.
    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError>;

    /// A delivery by its id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries in the order of their leads, beginning after `after`.
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;

    /// What is remembered under a name; `None` where nothing is.
    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError>;

    /// What is remembered of a kind, in the order of the names' bytes, beginning after `after`.
    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError>;

    /// Changes a memo where there stands what the change says, in one step; `false` where something
    /// else stands there, which stays.
    async fn change_memo(&self, change: MemoChange) -> Result<bool, StoreError>;

    /// Forgets idempotency keys that were kept long enough; how many.
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError>;

    /// Everything as it stood at one moment, visitors first, then leads, identities, idempotency
    /// keys, what was told of nobody who is known, and memos but for leases; what is written meanwhile is
    /// not in it. Ends where the receiver is dropped.
    fn export(&self) -> Entities;

    /// What the store holds, as far as an import wants to know.
    async fn holding(&self) -> Result<Holding, StoreError>;

    /// Stores a part of an import; the same part twice is as good as once.
    async fn import(&self, part: ImportPart) -> Result<(), StoreError>;

    /// Whether other processes may work on it at the same time.
    fn is_shared(&self) -> bool;

    /// Whether writes are being taken; the error says why not.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Writes taken and not yet durable.
    fn queued(&self) -> usize;

    /// Makes durable what was taken, and lets the folder or server go.
    async fn close(&self) -> Result<(), StoreError>;
}

/// What a store can fail with.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The queue is full; the same request may succeed in a second.
    #[error("the store's queue is full")]
    Busy,
    /// The store is shut, or failed in a way after which it must not write.
    #[error("the store takes no writes: {0}")]
    Closed(String),
    /// Another process holds the folder.
    #[error("the store's folder {} is in use by another process; stop that collector first", .0.display())]
    InUse(PathBuf),
    /// The folder cannot be opened.
    #[error(
        "the store's folder {} cannot be opened: {reason}. It was left as it is. Keep a copy of it, then \
         restore a backup into another folder and point store.url there", path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// The folder cannot be opened, and nothing is wrong with what is in it.
    #[error("the store's folder {} cannot be opened: {reason}. {remedy}", path.display())]
    Shut {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The database cannot be reached, or takes no writes; the same request may succeed later.
    #[error("the database takes no requests: {0}")]
    Unavailable(String),
    /// The database's schema is not the one that this program works with.
    #[error("the database's schema does not fit: {0}")]
    Schema(String),
    /// No store takes these values, or this database does not; the same request will fail again.
    #[error("the store refused what it was to keep: {0}")]
    Refused(String),
    /// Another export of the same store has not ended.
    #[error("an export or a backup of this store is under way already; wait for its end")]
    Exporting,
    /// A row that this version cannot read.
    #[error("the store holds a row that cannot be read: {0}")]
    Corrupt(String),
}
