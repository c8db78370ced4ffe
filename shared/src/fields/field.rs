//! A canonical field: its public name, label and description, and how its value is read.

use super::click::OfTouch;
use super::facts::{Facts, OfLead};
use super::kind::FieldKind;
use crate::cut;
use serde_json::Value;

/// The version of the public names.
pub const FIELDS_VERSION: u32 = 1;

/// One field.
#[derive(Debug)]
pub struct Field {
    /// The public name.
    pub name: String,
    /// The type of its value.
    pub kind: FieldKind,
    /// The display name.
    pub label: String,
    /// The meaning, in one sentence.
    pub description: String,
    /// The group in the catalogue.
    pub group: &'static str,
    pub(super) value: ValueOf,
}

/// Where a field's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueOf {
    /// One of the lead's three touches, by its index in [`FAMILIES`](super::click::FAMILIES).
    Click(usize, OfTouch),
    /// The lead.
    Lead(OfLead),
}

impl Field {
    /// Reads its value for a lead, cut to its limit.
    pub(super) fn read(&self, facts: &Facts<'_>) -> Value {
        let value = match self.value {
            ValueOf::Lead(read) => read(facts),
            ValueOf::Click(family, read) => facts.clicks[family].as_ref().map_or(Value::Null, read),
        };
        match (self.kind, value) {
            (FieldKind::Text(limit), Value::String(text)) => cut::text(text, limit).into(),
            (FieldKind::Url(limit), Value::String(url)) => cut::url(url, limit).into(),
            (_, value) => value,
        }
    }
}
