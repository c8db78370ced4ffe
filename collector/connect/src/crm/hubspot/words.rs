//! HubSpot's words, and how its values are read.

use crate::crm::record::RecordRef;
use crate::error::CallError;
use serde_json::Value;

/// A person's record.
pub(super) const CONTACT: &str = "contact";
/// A deal's record.
pub(super) const DEAL: &str = "deal";
/// The category of a batch's inner error that a record is not there.
pub(super) const MISSING: &str = "OBJECT_NOT_FOUND";
/// The most records in one batch, and on one page that is asked for.
pub(super) const BATCH: usize = 100;

/// What an answer of the right status without what it should hold comes to.
pub(super) fn unreadable(what: &str) -> CallError {
    CallError::Transient { until_ms: None, message: format!("HubSpot's answer has no {what}") }
}

/// A time as HubSpot has it in values: ISO 8601, or Unix milliseconds.
pub(super) fn time(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    shared::time::parse_rfc3339(text).or_else(|| text.parse().ok())
}

/// A property that has a value.
pub(super) fn text<'a>(properties: &'a Value, name: &str) -> Option<&'a str> {
    properties[name].as_str().filter(|text| !text.is_empty())
}

/// An id as a text or a number, both of which HubSpot has for the same things.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn contact(id: impl Into<String>) -> RecordRef {
    RecordRef { object: CONTACT.into(), id: id.into() }
}
