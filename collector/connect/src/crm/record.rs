//! Records of a CRM as they stand there, in our words.

use serde::{Deserialize, Serialize};
use shared::deal::DealStatus;
use shared::ids::LeadId;
use shared::lifecycle::Stage;

/// One record of a CRM.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct RecordRef {
    /// The vendor's word for what it is: `contact`, `deal`; `Lead`, `Contact`, `Opportunity`.
    pub object: String,
    /// Its id there.
    pub id: String,
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
