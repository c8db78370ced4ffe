//! HubSpot's names, and how its values are parsed.

use crate::crm::record::RecordRef;
use crate::error::CallError;
use serde_json::Value;

/// A person's record.
pub(super) const CONTACT: &str = "contact";
/// A deal's record.
pub(super) const DEAL: &str = "deal";
/// The category of an inner batch error for a record that does not exist.
pub(super) const MISSING: &str = "OBJECT_NOT_FOUND";
/// The most records in a batch, or on a requested page.
pub(super) const BATCH: usize = 100;

/// The error for a successful response that lacks something.
pub(super) fn unreadable(what: &str) -> CallError {
    CallError::Transient { until_ms: None, message: format!("HubSpot's response has no {what}") }
}

/// A time in one of HubSpot's formats: ISO 8601 or Unix milliseconds.
pub(super) fn time(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    shared::time::parse_rfc3339(text).or_else(|| text.parse().ok())
}

/// A property's value, if it is not empty.
pub(super) fn text<'a>(properties: &'a Value, name: &str) -> Option<&'a str> {
    properties[name].as_str().filter(|text| !text.is_empty())
}

/// An id, which HubSpot writes as text or as a number.
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
