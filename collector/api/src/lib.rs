//! Everything the API accepts and returns, as types: the one place that says how a lead, a journey or a
//! delivery looks in JSON. The OpenAPI document is generated from these types.
//!
//! Responses borrow from what they show. Times are [`Timestamp`]s, amounts are [`Money`]; a member that has
//! no value is `null`, unless its documentation says that it is left out.

#![forbid(unsafe_code)]

mod batch;
mod deal;
mod delivery;
mod fields;
mod hook;
mod journey;
mod key;
mod lead;
mod loose;
mod merge;
mod money;
mod problem;
mod stage;
mod timestamp;
mod unmatched;
mod webhook;

pub use batch::{BatchAccepted, DroppedEvent};
pub use deal::{
    Credit, CreditedTouch, Deal, LedgerEntry, RevenueRecorded, RevenueReported, RevenueRequest,
};
pub use delivery::{Deliveries, Delivery};
pub use fields::{FieldGroups, FieldInfo, FieldValues, Fields, LeadFields};
pub use hook::{
    Hook, HookChanges, HookEventNames, HookEvents, HookSecret, HookTest, Hooks, InboundAccepted,
    InboundDuplicate, NewHook,
};
pub use journey::{
    Conversion, Cursor, Evidence, Journey, LeadJourney, LeftOut, PageView, Touch, Visit,
    VisitorJourney, Why,
};
pub use key::Key;
pub use lead::{
    ContactRequest, ConversionReceipt, CreatedLead, FormNames, Join, Lead, LeadCreated,
    LeadDetails, LeadReceipt, LeadRequest, LeadShown, Leads, LeadsListed, PageNames, ReceiptLead,
    Warning,
};
pub use merge::{Duplicate, Duplicates, Merge, MergeRequest};
pub use money::Money;
pub use problem::Problem;
pub use stage::{RecordReceipt, StageEntry, StageRecorded, StageReported, StageRequest};
pub use timestamp::Timestamp;
pub use unmatched::{
    Unmatched, UnmatchedDeal, UnmatchedHead, UnmatchedLink, UnmatchedRecord, UnmatchedStage,
};
pub use webhook::{
    Change, DealChanged, FlatEvent, FlatPing, PingData, PingEvent, StageEntered, WebhookData,
    WebhookEvent,
};
