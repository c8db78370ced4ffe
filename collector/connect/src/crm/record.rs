//! The current state of a CRM's records, in our terms.

use serde::{Deserialize, Serialize};
use shared::deal::DealStatus;
use shared::ids::LeadId;
use shared::lifecycle::Stage;

/// One record of a CRM.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RecordRef {
    /// The vendor's name for the type of record: `contact`, `deal`; `Lead`, `Contact`,
    /// `Opportunity`.
    pub object: String,
    /// The id in the CRM.
    pub id: String,
}

/// The current state of a record in a CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordState {
    /// A person's record.
    Person(PersonRecord),
    /// A deal.
    Deal(DealRecord),
    /// A person's record that no longer exists.
    PersonGone(RecordRef),
    /// A deal that no longer exists, by its id.
    DealGone(String),
}

/// A person's record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersonRecord {
    /// The record.
    pub record: RecordRef,
    /// Records that were merged or converted into this one.
    pub formerly: Vec<RecordRef>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Our lead, if the record's lead field names one.
    pub lead: Option<LeadId>,
    /// The stages that the person is known to have entered, with times; the last one is the current
    /// stage.
    pub stages: Vec<StageAt>,
    /// When it was last changed, Unix milliseconds.
    pub changed_at_ms: i64,
}

/// A stage that was entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageAt {
    /// The stage.
    pub stage: Stage,
    /// When it was entered, Unix milliseconds.
    pub at_ms: i64,
    /// The vendor's word for it; the reason, if the stage is `lost`.
    pub word: String,
}

/// A deal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DealRecord {
    /// The id in the CRM.
    pub id: String,
    /// The deal's status.
    pub status: DealStatus,
    /// The vendor's word for its stage.
    pub word: String,
    /// Our stage for that word, if the configuration or the vendor says more than `status` does.
    pub stage: Option<Stage>,
    /// Its amount as a decimal text.
    pub amount: Option<String>,
    /// Its currency code, if the CRM has one.
    pub currency: Option<String>,
    /// When it was created, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it was closed, if it was, Unix milliseconds.
    pub closed_at_ms: Option<i64>,
    /// When it was last changed, Unix milliseconds.
    pub changed_at_ms: i64,
    /// The people of the deal, the CRM's main contact first.
    pub persons: Vec<DealPerson>,
    /// Our lead, if a field of the deal names one.
    pub lead: Option<LeadId>,
}

/// A person of a deal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DealPerson {
    /// The person's record.
    pub record: RecordRef,
    /// The e-mail address, if it is known.
    pub email: Option<String>,
    /// Whether the CRM marks this one as the deal's main contact.
    pub is_primary: bool,
}
