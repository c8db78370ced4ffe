//! Receives HubSpot's webhooks and extracts which records to read again.
//!
//! Events arrive repeatedly and in any order, and say only that something changed. So nothing but
//! the records that they name is used.

use super::signature::{Signature, SignatureError, Signed};
use super::words::{CONTACT, DEAL, id};
use crate::crm::record::RecordRef;
use crate::crm::webhook::{Head, Received, Refused, Webhook};
use clew_core::{Secret, json};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A hundred events take a fraction of this.
const BODY_BYTES: usize = 1 << 20;

/// How webhooks are checked.
pub(super) struct Subscriber {
    /// The webhook URL configured in HubSpot.
    pub(super) url: String,
    pub(super) secret: Option<Secret>,
    /// Whether signatures of versions 1 and 2 are accepted.
    pub(super) allow_legacy: bool,
    /// Our app's id: changes made by our app are ignored.
    pub(super) app_id: Option<u64>,
    /// The prefix of our properties' names.
    pub(super) own_properties: String,
}

/// The members of an event that matter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    #[serde(deserialize_with = "text_or_nothing")]
    subscription_type: String,
    object_id: Value,
    /// Only in `object.…` events.
    #[serde(deserialize_with = "text_or_nothing")]
    object_type_id: String,
    #[serde(deserialize_with = "text_or_nothing")]
    property_name: String,
    #[serde(deserialize_with = "text_or_nothing")]
    change_source: String,
    source_id: Value,
    /// Only in merge events: the resulting record, and the one that the others were merged into.
    new_object_id: Value,
    primary_object_id: Value,
}

impl Subscriber {
    pub(super) fn admit(&self, head: &Head<'_>) -> Result<(), Refused> {
        let signature = self.signature(head).map_err(refused)?;
        signature.check_time(head.now_ms).map_err(refused)
    }

    pub(super) fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        self.admit(&webhook.head)?;
        self.check(webhook).map_err(refused)?;
        let malformed = |what: &str| Refused::Malformed(what.to_owned());
        if webhook.body.len() > BODY_BYTES {
            return Err(malformed("it is longer than a hundred events can be"));
        }
        let events: Vec<Event> = json::read(webhook.body)
            .map_err(|error| Refused::Malformed(format!("it is not a list of events: {error}")))?;
        let mut records = Vec::new();
        for event in events.iter().filter(|event| !self.is_echo(event)) {
            let record = event.record().map_err(malformed)?;
            records.extend(record.filter(|record| !records.contains(record)));
        }
        Ok(Received { records, answer: ("application/json", "{}".into()) })
    }

    fn check(&self, webhook: &Webhook<'_>) -> Result<(), SignatureError> {
        let secret = self.secret.as_ref().ok_or(SignatureError::NoSecret)?.reveal();
        let signed = Signed { url: &self.url, body: webhook.body };
        signed.check(secret, &self.signature(&webhook.head)?)
    }

    /// The webhook's signature, if its version is accepted.
    fn signature(&self, head: &Head<'_>) -> Result<Signature, SignatureError> {
        if self.secret.is_none() {
            return Err(SignatureError::NoSecret);
        }
        let header = |name: &str| (head.header)(name);
        if let Some(signature) = header("x-hubspot-signature-v3") {
            let timestamp = header("x-hubspot-request-timestamp");
            return Signature::v3(&signature, &timestamp.ok_or(SignatureError::Timestamp)?);
        }
        match header("x-hubspot-signature") {
            Some(signature) if self.allow_legacy => {
                let version = header("x-hubspot-signature-version").unwrap_or_default();
                Signature::legacy(&signature, &version)
            }
            Some(_) => Err(SignatureError::Legacy),
            None => Err(SignatureError::Missing),
        }
    }

    /// Whether the event reports a change that we made ourselves.
    fn is_echo(&self, event: &Event) -> bool {
        let source = id(&event.source_id).unwrap_or_default();
        let source = source.rsplit(':').next().unwrap_or_default();
        event.change_source == "INTEGRATION"
            && event.property_name.starts_with(&self.own_properties)
            && self.app_id.is_some_and(|app| source == app.to_string())
    }
}

impl Event {
    /// The record to read; `None` if the event does not matter.
    fn record(&self) -> Result<Option<RecordRef>, &'static str> {
        let Some((noun, verb)) = self.subscription_type.split_once('.') else { return Ok(None) };
        let object = match (noun, self.object_type_id.as_str()) {
            ("contact", _) | ("object", "0-1") => CONTACT,
            ("deal", _) | ("object", "0-3") => DEAL,
            _ => return Ok(None),
        };
        let named = match verb {
            // The old records end; the new one lists them when it is read.
            "merge" => [&self.new_object_id, &self.primary_object_id, &self.object_id],
            "creation" | "deletion" | "privacyDeletion" | "propertyChange" | "restore" => {
                [&self.object_id, &Value::Null, &Value::Null]
            }
            _ => return Ok(None),
        };
        let id = named.into_iter().find_map(id).ok_or("an event names no object")?;
        match id.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(Some(RecordRef { object: object.into(), id })),
            false => Err("the id of an event's object is not a number"),
        }
    }
}

fn refused(error: SignatureError) -> Refused {
    Refused::Signature(error.to_string())
}

/// An empty text may also be null.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
