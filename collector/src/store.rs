//! The store's verbs, in the domain's words; each one atomic and durable when it answers.
//!
//! The trait and its data. Who keeps it how is below ([`sled`]); who names a backend is
//! [`crate::app`] alone. Times are Unix milliseconds and arguments; ids are made by the caller.

pub mod sled;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use shared::outcome::Outcome;
use shared::page_view::{PageView, Totals};
use shared::visit::Journey;
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

    /// Stores conversion, lead, identities and deliveries in one step, joining the visitor.
    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError>;

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

    /// Takes deliveries that are due; they are due again at the lease's end unless settled, so a
    /// collector that dies holding them loses none.
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError>;

    /// Keeps a delivery's body before its first attempt; every attempt sends the same bytes. The
    /// body that was kept first is answered.
    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// A delivery's frozen body.
    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records how an attempt ended.
    async fn settle_delivery(
        &self,
        id: DeliveryId,
        settlement: Settlement,
    ) -> Result<(), StoreError>;

    /// Makes a delivery due now, whatever its state; `false` where there is none.
    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError>;

    /// A delivery by its id.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError>;

    /// Deliveries in the order of their leads, beginning after `after`.
    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError>;

    /// Forgets idempotency keys that were kept long enough; how many.
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError>;

    /// Whether writes are being taken; the error says why not.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Writes taken and not yet durable.
    fn queued(&self) -> usize;

    /// Makes durable what was taken, and lets the folder or server go.
    async fn close(&self) -> Result<(), StoreError>;
}

/// What a store can fail with.
#[derive(Debug, thiserror::Error)]
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
    /// A row that this version cannot read.
    #[error("the store holds a row that cannot be read: {0}")]
    Corrupt(String),
}

/// One visitor's events of one batch, judged and labelled.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Where.
    pub site: SiteId,
    /// Who.
    pub visitor: VisitorId,
    /// What the browser said of itself.
    pub context: VisitorContext,
    /// What, in the order sent.
    pub events: Vec<Arrival>,
}

/// One event for the store.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A page was shown.
    View(Box<PageView>),
    /// A page's totals rise.
    Raise {
        /// The page view.
        page: EventId,
        /// To at least these.
        totals: Totals,
    },
    /// Something was done on a page: a row of its own.
    Act(Action),
}

/// A thing that a visitor did, beside viewing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// The event's id.
    pub id: EventId,
    /// The page view that it happened on.
    pub page: EventId,
    /// Corrected Unix milliseconds.
    pub at_ms: i64,
    /// What it was.
    pub kind: ActionKind,
}

/// What a visitor did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ActionKind {
    /// Sent a form.
    FormSubmit {
        /// The form's id or name.
        form: String,
    },
    /// An event of the site's own.
    Custom {
        /// Its name.
        name: String,
        /// JSON text, or empty.
        props: String,
    },
    /// Named the person; the conversion holds whom.
    Identify,
}

/// What a browser says of itself; the latest is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct VisitorContext {
    /// `navigator.language`
    pub language: String,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// `granted`, `denied` or empty.
    pub consent: String,
    /// Global Privacy Control.
    pub gpc: bool,
    /// Do Not Track.
    pub dnt: bool,
}

/// What the store keeps of a visitor beside its rows.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// The lead it belongs to.
    pub lead: Option<LeadId>,
    /// Page views kept, against `limits::VISITOR_ROWS`.
    pub views: u32,
    /// Actions kept, against the same limit.
    pub actions: u32,
    /// The latest context.
    pub context: VisitorContext,
    /// Visits and touches, derived.
    pub journey: Journey,
}

/// A conversion to be stored.
#[derive(Clone, Debug)]
pub struct NewConversion {
    /// Where.
    pub site: SiteId,
    /// The conversion; its number, touches and journey state are filled in the store's step.
    pub conversion: Conversion,
    /// The lead's id, should this be a new person.
    pub new_lead: LeadId,
    /// The destinations that get a delivery.
    pub destinations: Vec<String>,
    /// When the deliveries fall due, Unix milliseconds.
    pub due_at_ms: i64,
    /// The caller's key for repeats.
    pub idempotency: Option<Idempotency>,
    /// Whether only a page said so, and no form handler with a key.
    pub from_page: bool,
}

/// A caller's key, and what it was used for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotency {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// What became of a conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Converted {
    /// It is stored; `repeated` where it was stored before.
    Stored {
        /// The person.
        lead: LeadId,
        /// The conversion.
        conversion: ConversionId,
        /// Whether an earlier request had stored it.
        repeated: bool,
    },
    /// The idempotency key was used for another request.
    KeyReused,
}

/// One hand-off's id: the lead, and the hash of destination, kind and subject, so that the same
/// hand-off is the same row and the lead's shard is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The lead.
    pub lead: LeadId,
    /// XXH3-128 of destination, kind and subject.
    pub hash: [u8; 16],
}

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried yet.
    Pending,
    /// Claimed; being tried.
    Sending,
    /// Accepted by the destination.
    Sent,
    /// Failed, to be tried again.
    Retry,
    /// Failed for good, until somebody replays it.
    Dead,
}

/// One hand-off of one lead to one destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The lead's site.
    pub site: SiteId,
    /// The destination's name in the configuration.
    pub destination: String,
    /// The conversion handed off.
    pub subject: ConversionId,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it falls due (while waiting) or was settled, Unix milliseconds.
    pub due_at_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

/// Which deliveries to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// For this destination.
    pub destination: String,
    /// Due by now, Unix milliseconds.
    pub now_ms: i64,
    /// When they are due again unless settled, Unix milliseconds.
    pub lease_until_ms: i64,
    /// At most so many.
    pub limit: usize,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// Accepted, at this time.
    Sent {
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// Try again at this time.
    Retry {
        /// Unix milliseconds.
        at_ms: i64,
        /// What went wrong.
        error: String,
    },
    /// Never again by itself.
    Dead {
        /// Unix milliseconds.
        at_ms: i64,
        /// What went wrong.
        error: String,
    },
}

/// Which deliveries to list.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// Of this site.
    pub site: SiteId,
    /// In this state only.
    pub state: Option<DeliveryState>,
    /// Of this lead only.
    pub lead: Option<LeadId>,
    /// Beginning after this one.
    pub after: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
}

impl DeliveryId {
    /// The id of a conversion's hand-off to a destination.
    pub fn of(lead: LeadId, destination: &str, subject: ConversionId) -> Self {
        let name = format!("{destination}\0lead.converted\0{subject}");
        Self { lead, hash: xxhash_rust::xxh3::xxh3_128(name.as_bytes()).to_be_bytes() }
    }

    /// The public form, which is also the webhook's id: `msg_` and base64url of both parts.
    pub fn to_text(self) -> String {
        format!("msg_{}", URL_SAFE_NO_PAD.encode([*self.lead.as_bytes(), self.hash].concat()))
    }

    /// Reads the public form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("msg_")?).ok()?;
        let (lead, hash) = bytes.split_at_checked(16)?;
        let lead = LeadId(uuid::Uuid::from_slice(lead).ok()?);
        Some(Self { lead, hash: hash.try_into().ok()? })
    }
}
