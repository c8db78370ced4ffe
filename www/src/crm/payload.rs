//! Parses a webhook's body.
//!
//! It is strict about what the contract promises (type, ids, flat fields, times) and ignores
//! unknown members, because additions do not change the version.

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The version of the fields that this CRM supports.
const FIELDS_VERSION: u32 = 1;

/// Why a body is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the body is not a JSON webhook: {0}")]
    Envelope(serde_json::Error),
    #[error("unknown type {0:?}")]
    Type(String),
    #[error("invalid data for {kind}: {error}")]
    Data { kind: String, error: serde_json::Error },
    #[error("unknown version {0} of the fields")]
    Version(u32),
    #[error("the field {0} is not a string, a number, a boolean or null")]
    Field(String),
}

/// A parsed webhook.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// When it happened, according to the collector.
    pub(crate) at: Timestamp,
    pub(crate) event: Event,
    /// The whole body, for `GET /api/deliveries`.
    pub(crate) body: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// `lead.converted` and `lead.updated`: the lead's current state.
    Lead(Box<Lead>),
    /// `lead.stage_changed`.
    Stage(StageChange),
    /// A known type that the pages do not show.
    Other,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lead {
    /// The id of the conversion.
    #[expect(dead_code, reason = "read so that a body without it is refused")]
    id: String,
    pub(crate) lead_id: String,
    fields_version: u32,
    pub(crate) fields: Map<String, Value>,
    /// Missing if the body had to be shortened.
    #[serde(default, deserialize_with = "journey")]
    journey: Option<Journey>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StageChange {
    pub(crate) lead_id: String,
    pub(crate) to: String,
}

/// Any member may be missing if the body had to be shortened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Journey {
    pub(crate) touches: Vec<Touch>,
    pub(crate) pages: Vec<PageView>,
    pub(crate) conversions: Vec<Conversion>,
}

/// A touch, or the mark `{"omitted": 37}` in place of touches that were left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Touch {
    pub(crate) omitted: Option<u64>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) channel: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) medium: Option<String>,
    pub(crate) campaign: Option<String>,
    pub(crate) term: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) landing_page: Option<String>,
    pub(crate) referrer: Option<String>,
    pub(crate) click_id_type: Option<String>,
    #[serde(alias = "pageviews")]
    pub(crate) page_views: Option<u64>,
    pub(crate) engaged_ms: Option<u64>,
    pub(crate) continued: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PageView {
    pub(crate) at: Timestamp,
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) engaged_ms: Option<u64>,
    pub(crate) scroll_pct: Option<u64>,
    #[serde(default)]
    pub(crate) engaged: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Conversion {
    pub(crate) at: Timestamp,
    pub(crate) r#type: String,
    pub(crate) form_name: Option<String>,
    pub(crate) page_url: Option<String>,
}

impl Lead {
    /// The journey, or the touches in the field `journey_json` if the journey was left out.
    pub(crate) fn journey(&self) -> Option<Cow<'_, Journey>> {
        let touches = || {
            let text = self.fields.get("journey_json")?.as_str()?;
            let touches = serde_json::from_str(text).ok()?;
            Some(Cow::Owned(Journey { touches, ..Journey::default() }))
        };
        self.journey.as_ref().map(Cow::Borrowed).or_else(touches)
    }
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    timestamp: Timestamp,
    data: Map<String, Value>,
}

/// Parses a verified body.
pub(crate) fn parse(body: &[u8]) -> Result<Message, Malformed> {
    let whole: Value = serde_json::from_slice(body).map_err(Malformed::Envelope)?;
    let Envelope { r#type, timestamp, data } =
        Envelope::deserialize(&whole).map_err(Malformed::Envelope)?;
    let event = match r#type.as_str() {
        "lead.converted" | "lead.updated" => Event::Lead(Box::new(lead(&r#type, data)?)),
        "lead.stage_changed" => Event::Stage(read(&r#type, data)?),
        "lead.revenue" | "lead.merged" | "lead.deleted" | "ping" => Event::Other,
        _ => return Err(Malformed::Type(r#type)),
    };
    Ok(Message { at: timestamp, event, body: whole })
}

fn lead(kind: &str, data: Map<String, Value>) -> Result<Lead, Malformed> {
    let lead: Lead = read(kind, data)?;
    if lead.fields_version != FIELDS_VERSION {
        return Err(Malformed::Version(lead.fields_version));
    }
    let nested = lead.fields.iter().find(|(_, value)| value.is_array() || value.is_object());
    match nested {
        Some((name, _)) => Err(Malformed::Field(name.clone())),
        None => Ok(lead),
    }
}

/// serde would also accept an array for a struct; only an object is valid here.
fn journey<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Journey>, D::Error> {
    let object: Option<Map<String, Value>> = Option::deserialize(deserializer)?;
    object
        .map(|object| serde_json::from_value(Value::Object(object)))
        .transpose()
        .map_err(D::Error::custom)
}

fn read<T: DeserializeOwned>(kind: &str, data: Map<String, Value>) -> Result<T, Malformed> {
    serde_json::from_value(Value::Object(data))
        .map_err(|error| Malformed::Data { kind: kind.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAD: &str = r#"{"type":"lead.converted","timestamp":"2026-11-21T10:15:00Z","data":{"id":"c","lead_id":"l","fields_version":1,"fields":{"email":"lead@example.com","visits_count":3,"revenue":null}JOURNEY}}"#;

    #[test]
    fn shapes_are_checked() {
        let lead = |journey: &str| LEAD.replace("JOURNEY", journey);
        let rows: &[(String, &str)] = &[
            (lead(""), ""),
            (lead(r#","journey":null"#), ""),
            (lead(r#","journey":{}"#), ""),
            (lead(r#","journey":{"touches":[{"omitted":37}]},"later":{}"#), ""),
            (lead(r#","journey":{"pages":[{"at":"2026-11-21T10:15:00Z","url":"/"}]}"#), ""),
            (lead(r#","journey":{"pages":[{"at":"yesterday","url":"/"}]}"#), "invalid data"),
            (lead(r#","journey":[]"#), "invalid data"),
            (lead("").replace("\"visits_count\":3", "\"visits_count\":[3]"), "visits_count"),
            (lead("").replace("\"fields_version\":1", "\"fields_version\":2"), "version 2"),
            (lead("").replace("\"lead_id\":\"l\",", ""), "invalid data"),
            (lead("").replace("lead.converted", "lead.exploded"), "unknown type"),
            (lead("").replace("2026-11-21T10:15:00Z", "noon"), "not a JSON webhook"),
            (r#"{"type":"ping","timestamp":"2026-11-21T10:15:00Z","data":{}}"#.into(), ""),
            (r#"{"type":"ping","timestamp":"2026-11-21T10:15:00Z"}"#.into(), "not a JSON webhook"),
            ("[]".into(), "not a JSON webhook"),
            ("{".into(), "not a JSON webhook"),
            (String::new(), "not a JSON webhook"),
        ];
        for (body, expected) in rows {
            let error = parse(body.as_bytes()).err().map(|error| error.to_string());
            match error {
                None => assert_eq!(*expected, "", "{body}"),
                Some(error) => {
                    assert!(!expected.is_empty() && error.contains(expected), "{body}: {error}");
                }
            }
        }
    }
}
