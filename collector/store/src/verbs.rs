//! The verbs of a store in the domain's words, one trait for each kind of reader. Each verb is one
//! atomic step, and durable when it answers.

use crate::conversion::{Converted, NewConversion};
use crate::delivery::{Claim, Delivery, DeliveryFilter, DeliveryId, Latest, Settlement};
use crate::dossier::Dossier;
use crate::entity::{Entities, Holding, ImportPart};
use crate::erase::{Erased, Erasure};
use crate::error::StoreError;
use crate::memo::{Memo, MemoChange, MemoKind};
use crate::record::{NewRecord, Record, RecordId, Recorded, Unmatched};
use crate::relabel::{Relabelled, Relabelling};
use crate::visitor::{Arrivals, Visitor};
use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{IdentityKind, Lead};
use shared::outcome::Outcome;
use shared::visit::Trail;

/// Visitors that are relabelled or erased at the same time: more would only wait for a connection.
const AT_ONCE: usize = 8;

/// Everything that a backend can do.
pub trait Store: Journeys + Leads + Deliveries + Memos + Moves + Upkeep {}

impl<T: Journeys + Leads + Deliveries + Memos + Moves + Upkeep> Store for T {}

/// What visitors did.
#[async_trait]
pub trait Journeys: Send + Sync {
    /// Stores one visitor's events and returns one outcome per event, in order.
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError>;

    /// A visitor's record; `None` where it never reported anything.
    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError>;

    /// What is kept of a visitor's page views; those that are kept one by one in the order of their ids.
    async fn trail(&self, site: &SiteId, visitor: VisitorId) -> Result<Trail, StoreError>;

    /// Replaces the labels of a visitor's page views. What is summed up keeps its labels; page views and
    /// engagement that arrive meanwhile are not lost.
    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError>;

    /// The same for many visitors, each in a step of its own; returns how much was changed. After an
    /// error those that are done stay done, and repeating them changes nothing.
    async fn relabel_all(&self, many: Vec<Relabelling>) -> Result<Relabelled, StoreError> {
        let relabelled = stream::iter(many).map(|one| self.relabel(one)).buffer_unordered(AT_ONCE);
        let sum = async |mut sum: Relabelled, one| {
            sum += one;
            Ok(sum)
        };
        relabelled.try_fold(Relabelled::default(), sum).await
    }

    /// Erases a visitor that belongs to nobody and fits the criteria, with the lead that its pages
    /// proposed and all that is that lead's. One that was joined, or does not fit any more, stays; so
    /// repeating it changes nothing.
    async fn erase_visitor(&self, erasure: Erasure) -> Result<Erased, StoreError>;

    /// The same for many visitors, each in a step of its own; returns how much was erased. After an
    /// error those that are gone stay gone.
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

/// Who the leads are, and what became of them.
#[async_trait]
pub trait Leads: Send + Sync {
    /// Stores conversion, lead, identities and deliveries in one step, joining the visitor.
    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError>;

    /// Undoes what joined a visitor to a lead: from now on nothing that it did is the lead's, and where
    /// it was taken from another lead, it goes back. Repeating it changes nothing, also where the visitor
    /// was erased since. Returns the lead as it stands; `None` where there is no such lead, or it never
    /// had the visitor.
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

    /// A site's verified leads, newest first, beginning after `after`.
    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// A site's proposed leads, newest first, beginning after `after`.
    async fn proposed_leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// A site's verified leads by the time of their last conversion, latest first, beginning after `after`: the
    /// time (Unix milliseconds) and id of the last lead of the page before.
    async fn leads_by_conversion(
        &self,
        site: &SiteId,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError>;

    /// Leads with everything that belongs to them, in the order asked for; those that do not exist are
    /// left out. Each is read as it stood at one moment.
    async fn dossiers(&self, leads: &[LeadId]) -> Result<Vec<Dossier>, StoreError>;

    /// Keeps a record of a lead, the identities that come with it, and its deliveries, in one step.
    /// Repeating it changes nothing.
    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError>;

    /// A lead's records, in the order of their ids.
    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError>;

    /// Keeps a record that matches no lead. Repeating it changes nothing.
    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError>;

    /// Forgets the oldest unmatched records of each site that has more than [`MOST_UNMATCHED`]; returns
    /// how many.
    ///
    /// [`MOST_UNMATCHED`]: crate::MOST_UNMATCHED
    async fn forget_unmatched(&self) -> Result<usize, StoreError>;

    /// A site's unmatched records, in the order of their ids, beginning after `after`.
    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError>;
}

/// What is handed off to destinations.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Takes deliveries that are due, of each lead the first that waits for the destination. They are
    /// due again at the lease's end unless settled, so a collector that dies holding them loses none.
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError>;

    /// Keeps a delivery's body before its first attempt, so that every attempt sends the same bytes.
    /// Returns the body that was kept first.
    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// A delivery's frozen body.
    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records how an attempt ended, named by its claim ([`Delivery::claims`]). Does nothing where the
    /// delivery was claimed again or replayed since, where the later attempt stands, or was erased.
    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError>;

    /// Makes due now what is due later than anything can be; returns how many deliveries. For the same
    /// reason their leases end.
    async fn recall_deliveries(&self, now_ms: i64, latest: Latest) -> Result<usize, StoreError>;

    /// Makes a delivery due now, whatever its state; `false` where there is no such delivery.
    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError>;

    /// A delivery by its id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries in the order of their leads, beginning after `after`.
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;
}

/// What arises at run time and must outlive the process.
#[async_trait]
pub trait Memos: Send + Sync {
    /// The memo of a name.
    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError>;

    /// The memos of a kind, in the order of the names' bytes, beginning after `after`.
    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError>;

    /// Changes a memo if it still has the stamp that the change names; `false` where somebody else
    /// changed it first.
    async fn change_memo(&self, change: MemoChange) -> Result<bool, StoreError>;
}

/// A whole store, carried from one backend to another.
#[async_trait]
pub trait Moves: Send + Sync {
    /// Everything as it stood at one moment: visitors first, then leads, identities, idempotency
    /// keys, unmatched records, and memos except leases. What is written meanwhile is not in it. Ends
    /// when the receiver is dropped.
    fn export(&self) -> Entities;

    /// What the store holds, as far as an import needs to know.
    async fn holding(&self) -> Result<Holding, StoreError>;

    /// Stores a part of an import. Repeating a part changes nothing.
    async fn import(&self, part: ImportPart) -> Result<(), StoreError>;
}

/// Which writes a store takes.
#[derive(Clone, Debug)]
pub enum Takes {
    /// All.
    Everything,
    /// Page views are refused for this reason; leads and deliveries are taken.
    AllButPageViews(StoreError),
}

/// What keeps a store running.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Forgets idempotency keys that were kept long enough; returns how many.
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError>;

    /// Whether other processes may use it at the same time.
    fn is_shared(&self) -> bool;

    /// Which writes it takes; the error says why it takes none.
    async fn ready(&self) -> Result<Takes, StoreError>;

    /// Free bytes of its disk; `None` where it has none of its own, or they cannot be measured.
    fn free_bytes(&self) -> Option<u64>;

    /// Writes that are not durable yet.
    fn queued(&self) -> usize;

    /// Makes all pending writes durable and releases the folder or the server.
    async fn close(&self) -> Result<(), StoreError>;
}
