//! What comes back of a lead: stages that it entered and what became of its deals, as programs report
//! them by API ([`request`]) or by webhook ([`inbound`]).
//!
//! A request is read into a record that cannot be wrong, its lead is looked up, and the store keeps the
//! record once. The reference that makes a repeat harmless comes from the caller, or is made of what the
//! record says.

mod error;
mod read;
mod keep;
pub mod inbound;
pub mod request;

pub use error::FeedbackError;
pub use keep::Feedback;

use clew_store::{Record, Unmatched};
use serde_json::{Value, json};
use shared::money::Money;
use shared::time::rfc3339;

/// An unmatched record, as the API answers it.
pub fn unmatched_json(unmatched: &Unmatched) -> Value {
    let Unmatched { keys, record, crm_record, .. } = unmatched;
    let mut shown = match record {
        Record::Stage(change) => json!({
            "stage": change.to,
            "at": rfc3339(change.entered_at_ms),
            "recorded_at": rfc3339(change.recorded_at_ms),
            "by": change.by.to_string(),
            "reason": change.reason,
            "reference": change.reference,
        }),
        Record::Deal(entry) => json!({
            "deal": entry.deal,
            "kind": entry.event,
            "amount": entry.amount.map(Money::decimal),
            "currency": entry.amount.map(|amount| amount.currency),
            "at": rfc3339(entry.at_ms),
            "recorded_at": rfc3339(entry.recorded_at_ms),
            "by": entry.source.to_string(),
            "reference": entry.reference,
        }),
        Record::Link(link) => json!({ "link": link }),
    };
    shown["id"] = unmatched.id().to_text().into();
    shown["names"] = json!(keys);
    shown["crm"] = json!(crm_record);
    shown
}
