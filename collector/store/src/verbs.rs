//! The store's operations ("verbs") in the domain's words, one trait per kind of caller. Each verb
//! is one atomic step, and is durable when it returns.

use crate::conversion::{Converted, NewConversion};
use crate::delivery::{Claim, Delivery, DeliveryFilter, DeliveryId, Latest, Settlement};
use crate::dossier::Dossier;
use crate::entity::{Contents, Entities, ImportPart};
use crate::erase::{Erased, Erasure};
use crate::error::StoreError;
use crate::memo::{Memo, MemoChange, MemoKind};
use crate::merge::{MergeRefused, NewMerge};
use crate::record::{NewRecord, Record, RecordId, Recorded, Unmatched};
use crate::relabel::{Relabelled, Relabelling};
use crate::visitor::{Arrivals, Visitor};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{IdentityKind, Lead};
use shared::outcome::Outcome;
use shared::visit::Trail;

/// How many visitors are relabelled or erased concurrently. More would only wait for a connection.
const AT_ONCE: usize = 8;

/// Everything that a backend implements.
pub trait Store: Journeys + Leads + Deliveries + Memos + Transfer + Maintenance {}

impl<T: Journeys + Leads + Deliveries + Memos + Transfer + Maintenance> Store for T {}

/// What visitors did.
#[async_trait]
pub trait Journeys: Send + Sync {
    /// Stores one visitor's events and returns one outcome per event, in order.
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError>;

    /// A visitor's record; `None` if the visitor never sent an event.
    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError>;

    /// A visitor's page views. Those not summed up are in the order of their ids.
    async fn trail(&self, site: &SiteId, visitor: VisitorId) -> Result<Trail, StoreError>;

    /// Replaces the labels of a visitor's page views. Summed-up page views keep theirs. Page views
    /// and engagement that arrive in the meantime are not lost.
    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError>;

    /// Relabels many visitors, each in its own step, and returns how much changed. After an error,
    /// completed steps stay; repeating them changes nothing.
    async fn relabel_all(&self, many: Vec<Relabelling>) -> Result<Relabelled, StoreError> {
        let relabelled = stream::iter(many).map(|one| self.relabel(one)).buffer_unordered(AT_ONCE);
        let sum = async |mut sum: Relabelled, one| {
            sum += one;
            Ok(sum)
        };
        relabelled.try_fold(Relabelled::default(), sum).await
    }

    /// Erases a visitor that belongs to no lead and meets the criteria, together with the lead that
    /// its pages proposed and everything that belongs to that lead. A visitor that has been joined
    /// in the meantime, or no longer meets the criteria, stays. Repeating it changes nothing.
    async fn erase_visitor(&self, erasure: Erasure) -> Result<Erased, StoreError>;

    /// Erases many visitors, each in its own step, and returns how much was erased. After an error,
    /// erased visitors stay erased.
    async fn erase_all(&self, many: Vec<Erasure>) -> Result<Erased, StoreError> {
        let erased =
            stream::iter(many).map(|one| self.erase_visitor(one)).buffer_unordered(AT_ONCE);
        let sum = async |mut sum: Erased, one| {
            sum += one;
            Ok(sum)
        };
        erased.try_fold(Erased::default(), sum).await
    }
}

/// Leads and what became of them.
#[async_trait]
pub trait Leads: Send + Sync {
    /// Stores the conversion, lead, identities and deliveries in one step, and joins the visitor.
    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError>;

    /// Undoes the join of a visitor to a lead: none of the visitor's activity belongs to the lead
    /// any more. If the visitor was taken from another lead, it goes back to that one. Repeating it
    /// changes nothing, even if the visitor has been erased since. Returns the lead's current
    /// state; `None` if there is no such lead or it never had the visitor.
    async fn undo_join(
        &self,
        lead: LeadId,
        visitor: VisitorId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError>;

    /// Merges a lead into another one. Repeating it changes nothing. Returns the surviving lead, or
    /// why they were not merged.
    async fn merge(&self, merge: NewMerge) -> Result<Result<Lead, MergeRefused>, StoreError>;

    /// Undoes the merge of a lead into another one. Repeating it changes nothing. Returns the lead
    /// that was merged; `None` if the two never were.
    async fn undo_merge(
        &self,
        survivor: LeadId,
        merged: LeadId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError>;

    /// A lead by its id.
    async fn lead(&self, lead: LeadId) -> Result<Option<Lead>, StoreError>;

    /// Finds a lead by an identity, in the form of [`shared::lead::Contact::identities`].
    async fn find_lead(
        &self,
        site: &SiteId,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Option<LeadId>, StoreError>;

    /// A site's verified leads, newest first, starting after `after`.
    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// A site's proposed leads, newest first, starting after `after`.
    async fn proposed_leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// A site's verified leads by the time of their last conversion, latest first, starting after
    /// `after`: the time (Unix milliseconds) and id of the last lead on the previous page.
    async fn leads_by_conversion(
        &self,
        site: &SiteId,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// Leads with everything that belongs to them, in the order of `leads`. Leads that do not exist
    /// are left out. Each dossier is a consistent snapshot.
    async fn dossiers(&self, leads: &[LeadId]) -> Result<Vec<Dossier>, StoreError>;

    /// Stores a record about a lead, its identities and its deliveries in one step. Repeating it
    /// changes nothing.
    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError>;

    /// A lead's records, in the order of their ids.
    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError>;

    /// Stores a record that matches no lead. Repeating it changes nothing.
    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError>;

    /// Deletes the oldest unmatched records of each site that has more than [`MOST_UNMATCHED`].
    /// Returns how many.
    ///
    /// [`MOST_UNMATCHED`]: crate::MOST_UNMATCHED
    async fn forget_unmatched(&self) -> Result<usize, StoreError>;

    /// A site's unmatched records, in the order of their ids, starting after `after`.
    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError>;
}

/// The outbox: deliveries to destinations.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Claims due deliveries. Of each lead, only the first one waiting for the destination is
    /// claimed. Unless settled, they fall due again when the lease ends, so nothing is lost if the
    /// collector dies.
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError>;

    /// Stores a delivery's body before its first attempt, so that every attempt sends the same
    /// bytes. Returns the body that was stored first.
    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// A delivery's frozen body.
    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records the outcome of an attempt, which is named by its claim ([`Delivery::claims`]). Does
    /// nothing if the delivery has since been claimed again, replayed or erased: then the later
    /// change wins.
    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError>;

    /// Makes deliveries due now whose due time is later than any valid one, and ends leases that
    /// are too long. Returns how many.
    async fn recall_deliveries(&self, now_ms: i64, latest: Latest) -> Result<usize, StoreError>;

    /// Makes a delivery due now, whatever its state; `false` if there is no such delivery.
    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError>;

    /// A delivery by its id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries in the order of their leads, starting after `after`.
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;
}

/// Runtime data that must outlive the process.
#[async_trait]
pub trait Memos: Send + Sync {
    /// A memo by name.
    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError>;

    /// The memos of a kind, in byte order of their names, starting after `after`.
    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError>;

    /// Changes a memo if it still has the stamp that the change names; `false` if someone else
    /// changed it first.
    async fn change_memo(&self, change: MemoChange) -> Result<bool, StoreError>;
}

/// Moves a whole store from one backend to another.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// Streams everything in the store as of one moment: visitors first, then leads, identities,
    /// idempotency keys, unmatched records, and memos except leases. Later writes are not included,
    /// except that sled reads memos as they are when their turn comes. The export ends when the
    /// receiver is dropped.
    fn export(&self) -> Entities;

    /// What an import needs to know about the store's contents.
    async fn contents(&self) -> Result<Contents, StoreError>;

    /// Stores one part of an import. Repeating a part changes nothing.
    async fn import(&self, part: ImportPart) -> Result<(), StoreError>;
}

/// Which writes a store accepts.
#[derive(Clone, Debug)]
pub enum Readiness {
    /// All writes.
    Everything,
    /// Page views are refused for this reason; leads and deliveries are accepted.
    AllButPageViews(StoreError),
}

/// Maintenance and health.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Deletes idempotency keys whose retention has ended. Returns how many.
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError>;

    /// Whether other processes can use the store at the same time.
    fn is_shared(&self) -> bool;

    /// Which writes the store accepts; the error says why it accepts none.
    async fn ready(&self) -> Result<Readiness, StoreError>;

    /// Free bytes on the store's disk; `None` if it has no disk of its own or the space cannot be
    /// measured.
    fn free_bytes(&self) -> Option<u64>;

    /// The number of writes that are not durable yet.
    fn queued(&self) -> usize;

    /// Makes all pending writes durable, then releases the folder or disconnects from the server.
    async fn close(&self) -> Result<(), StoreError>;
}
