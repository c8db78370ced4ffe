//! CRMs: what a hand-off asks of one, and what comes back, in our words.
//!
//! Each vendor's own words stay in its module behind the trait [`Crm`]; everything else about a
//! connection (tokens, limits, one call and its answer) is shared: [`call`], [`token`], [`throttle`].
//! Only the outbox, the reader of what came back and `clew crm` call one.

pub mod call;
pub mod connection;
pub mod hubspot;
pub mod lease;
pub mod operate;
pub mod pause;
pub mod salesforce;
pub mod throttle;
pub mod token;
pub mod vault;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::deal::DealStatus;
use shared::fields::catalogue::Field;
use shared::ids::LeadId;
use shared::lead::Contact;
use shared::lifecycle::Stage;

/// What a vendor's module does.
#[async_trait]
pub trait Crm: Send + Sync {
    /// Declares the fields that are missing there. Twice is as good as once.
    ///
    /// # Errors
    /// Where the CRM refuses it.
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CrmError>;

    /// Finds the person's record or makes it, and writes the values into its fields. Safe to be
    /// repeated at any point: there is one record afterwards.
    ///
    /// # Errors
    /// [`CrmError::UnknownField`] where a field is not declared; nothing was written then.
    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CrmError>;

    /// Attaches a note to a record. Notes have no key of their own: with `look_first`, because an
    /// earlier attempt may have made it, it is looked for by its marker and not made twice.
    ///
    /// # Errors
    /// [`CrmError::Transient`] also where it is not known whether the note was made.
    async fn note(&self, record: &RecordRef, note: &Note, look_first: bool)
    -> Result<(), CrmError>;

    /// Reads records as they stand now. Those that are gone come as [`Change::PersonGone`] and
    /// [`Change::DealGone`].
    ///
    /// # Errors
    /// The call's.
    async fn read(&self, records: &[RecordRef]) -> Result<Vec<Change>, CrmError>;

    /// The lists that are asked for what changed, in the order in which they should be.
    fn feeds(&self) -> &'static [&'static str];

    /// A page of what changed in a list since a time, the oldest change first.
    ///
    /// # Errors
    /// The call's.
    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CrmError>;

    /// Judges a webhook, its signature before anything else, and gives the records that it names.
    /// Calls nobody.
    ///
    /// # Errors
    /// Why it is refused.
    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused>;

    /// What its calls go through.
    fn caller(&self) -> &call::Caller;

    /// Something small that only works with valid credentials.
    ///
    /// # Errors
    /// [`CrmError::Auth`] where they are not.
    async fn probe(&self) -> Result<(), CrmError>;
}

/// One record of a CRM.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RecordRef {
    /// The vendor's word for what it is: `contact`, `deal`; `Lead`, `Contact`, `Opportunity`.
    pub object: String,
    /// Its id there.
    pub id: String,
}

/// A person to be written.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// Who.
    pub lead: LeadId,
    /// By what they are reached, normalised.
    pub contact: &'a Contact,
    /// The fields to be written with their canonical values, none of them null.
    pub values: &'a [(&'static Field, Value)],
    /// The words for people of the last touch's channel, such as `Paid Search`.
    pub channel: Option<&'a str>,
    /// The record that an earlier hand-off wrote.
    pub known: Option<&'a RecordRef>,
    /// Whether what was written once (see [`is_written_once`]) is overwritten.
    pub overwrite_first: bool,
}

/// Whether a field keeps the first value that a CRM got: `lead_id`, `first_visit_at` and the first
/// click.
pub fn is_written_once(field: &Field) -> bool {
    let name = field.name.as_str();
    matches!(name, "lead_id" | "first_visit_at") || name.starts_with("first_click_")
}

/// A record that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// Which.
    pub record: RecordRef,
    /// Whether it was made now.
    pub created: bool,
    /// Where people see it.
    pub url: Option<String>,
}

/// A conversion's journey, to be read by people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Its title, such as `Attribution journey #1`.
    pub title: String,
    /// Its lines, plain text, oldest touch first.
    pub lines: Vec<String>,
    /// By what it is found again, on its last line: `clew-journey:LEAD:NUMBER`.
    pub marker: String,
    /// The conversion's time, Unix milliseconds.
    pub at_ms: i64,
}

/// What declaring fields came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// Every wanted field with the vendor's name for it, its type there, and whether it was made now.
    pub fields: Vec<DeclaredField>,
    /// What somebody has to do by hand.
    pub advice: Vec<String>,
}

/// A field as it stands in a CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredField {
    /// Our name.
    pub name: String,
    /// The vendor's name.
    pub there: String,
    /// The vendor's type.
    pub kind: String,
    /// Whether it was made now.
    pub made: bool,
}

/// How something stands in a CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A person's record.
    Person(PersonRecord),
    /// A deal.
    Deal(DealRecord),
    /// A person's record that is no more.
    PersonGone(RecordRef),
    /// A deal that is no more, by its id.
    DealGone(String),
}

/// A person's record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonRecord {
    /// Which.
    pub record: RecordRef,
    /// Records that became this one, by merging or converting.
    pub formerly: Vec<RecordRef>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Our lead, where its field says so.
    pub lead: Option<LeadId>,
    /// The stages that it is known to have entered, and when; the last is where it stands.
    pub stages: Vec<StageAt>,
    /// When it was last changed, Unix milliseconds.
    pub changed_at_ms: i64,
}

/// A stage that was entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageAt {
    /// The stage.
    pub stage: Stage,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// In the vendor's word; the reason, where the stage is `lost`.
    pub word: String,
}

/// A deal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DealRecord {
    /// Its id there.
    pub id: String,
    /// How it stands.
    pub status: DealStatus,
    /// The vendor's word for its stage.
    pub word: String,
    /// Our stage for that word, where the configuration or the vendor says more than `status` does.
    pub stage: Option<Stage>,
    /// Its amount as a decimal text.
    pub amount: Option<String>,
    /// Its currency code, where the CRM says one.
    pub currency: Option<String>,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it was closed, where it is, Unix milliseconds.
    pub closed_at_ms: Option<i64>,
    /// When it was last changed, Unix milliseconds.
    pub changed_at_ms: i64,
    /// The persons of the deal; the one that the CRM marks as the first comes first.
    pub persons: Vec<DealPerson>,
    /// Our lead, where a field of the deal says so.
    pub lead: Option<LeadId>,
}

/// A person of a deal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DealPerson {
    /// The person's record.
    pub record: RecordRef,
    /// The e-mail address, where it was told.
    pub email: Option<String>,
    /// Whether the CRM marks this one as the deal's main contact.
    pub is_primary: bool,
}

/// A page of what changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// What changed.
    pub changes: Vec<Change>,
    /// The time of the last change on it, Unix milliseconds: where the next page begins. `None` where
    /// there is no more now.
    pub more_from_ms: Option<i64>,
}

/// A webhook as it came in.
#[derive(Clone, Copy)]
pub struct Webhook<'a> {
    /// What follows the connection's name in the path; empty for most.
    pub secret_path: &'a str,
    /// A header by its name in small letters.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The body's bytes.
    pub body: &'a [u8],
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// What a webhook comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The records to be read again.
    pub records: Vec<RecordRef>,
    /// The answer's content type and body.
    pub answer: (&'static str, String),
}

/// Why a webhook is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// No signature, a wrong one, or one of another time.
    #[error("the webhook is not signed as it should be: {0}")]
    Signature(String),
    /// The signature holds and the body is not what the vendor sends.
    #[error("the webhook cannot be read: {0}")]
    Malformed(String),
}

/// What a CRM answers, by what is to be done about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CrmError {
    /// The credentials are not valid, also after they were renewed. The connection pauses.
    #[error("not allowed: {0}")]
    Auth(String),
    /// Too many calls; nothing before this time, Unix milliseconds.
    #[error("too many calls: {message}")]
    RateLimited {
        /// When the next call may be made.
        until_ms: i64,
        /// What the vendor said.
        message: String,
    },
    /// It may go better another time; not before this time where one is told, Unix milliseconds.
    #[error("{message}")]
    Transient {
        /// When it may be tried again.
        until_ms: Option<i64>,
        /// What went wrong.
        message: String,
    },
    /// The CRM does not know these fields (its names).
    #[error("unknown fields {}: {message}", names.join(", "))]
    UnknownField {
        /// The vendor's names.
        names: Vec<String>,
        /// What the vendor said.
        message: String,
    },
    /// It will be refused each time; with the vendor's message and the id that its support asks for.
    #[error("{0}")]
    Invalid(String),
}
