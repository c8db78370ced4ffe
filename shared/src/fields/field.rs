//! A canonical field: its public name, its words for people, and where its value comes from.

use super::click::OfTouch;
use super::facts::{Facts, OfLead};
use super::kind::FieldKind;
use crate::cut;
use serde::Serialize;
use serde_json::Value;

/// The version of the public names.
pub const FIELDS_VERSION: u32 = 1;

/// One field.
#[derive(Debug)]
pub struct Field {
    /// The public name.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// Its name for people.
    pub label: String,
    /// What it means, in one sentence.
    pub description: String,
    /// The part of the list that it stands in.
    pub group: &'static str,
    pub(super) value: ValueOf,
}

/// Where a field's value comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum ValueOf {
    /// One of the lead's three clicks, by its place in [`FAMILIES`](super::click::FAMILIES).
    Click(usize, OfTouch),
    /// The lead.
    Lead(OfLead),
}

impl Field {
    /// Its value for a lead, within its limit.
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

/// A field as `GET /v1/fields` answers it.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<Vec<&'static str>>,
    label: &'a str,
    description: &'a str,
    group: &'static str,
}

impl Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = Entry {
            name: &self.name,
            r#type: self.kind.name(),
            max_length: self.kind.max_length(),
            values: self.kind.values(),
            label: &self.label,
            description: &self.description,
            group: self.group,
        };
        entry.serialize(serializer)
    }
}
