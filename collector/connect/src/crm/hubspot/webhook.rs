//! What HubSpot tells by webhook: which records are to be read again.
//!
//! Events come more than once, in any order, and say no more than that something changed; so only the
//! records that they name are taken from them.

use super::signature::{Signature, SignatureError, Signed};
use super::words::{CONTACT, DEAL, id};
use crate::crm::record::RecordRef;
use crate::crm::webhook::{Head, Received, Refused, Webhook};
use clew_core::{Secret, json};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A hundred events are a fraction of this.
const BODY_BYTES: usize = 1 << 20;

/// What webhooks are judged by.
pub(super) struct Subscriber {
    /// The address that HubSpot was told.
    pub(super) url: String,
    pub(super) secret: Option<Secret>,
    /// Whether signatures of versions 1 and 2 are taken.
    pub(super) allow_legacy: bool,
    /// Our app: what it changed itself is no news.
    pub(super) app_id: Option<u64>,
    /// What the names of our properties begin with.
    pub(super) own_properties: String,
}

/// An event, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    #[serde(deserialize_with = "text_or_nothing")]
    subscription_type: String,
    object_id: Value,
    /// Of events that are called `object.…`.
    #[serde(deserialize_with = "text_or_nothing")]
    object_type_id: String,
    #[serde(deserialize_with = "text_or_nothing")]
    property_name: String,
    #[serde(deserialize_with = "text_or_nothing")]
    change_source: String,
    source_id: Value,
    /// Of a merge: what came of it, and what it was made of.
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

    /// The signature that a webhook comes with, where it is of a version that is accepted.
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

    /// Whether it reports what this program wrote itself.
    fn is_echo(&self, event: &Event) -> bool {
        let source = id(&event.source_id).unwrap_or_default();
        let source = source.rsplit(':').next().unwrap_or_default();
        event.change_source == "INTEGRATION"
            && event.property_name.starts_with(&self.own_properties)
            && self.app_id.is_some_and(|app| source == app.to_string())
    }
}

impl Event {
    /// The record to be read; `None` where the event is of no kind that matters.
    fn record(&self) -> Result<Option<RecordRef>, &'static str> {
        let Some((noun, verb)) = self.subscription_type.split_once('.') else { return Ok(None) };
        let object = match (noun, self.object_type_id.as_str()) {
            ("contact", _) | ("object", "0-1") => CONTACT,
            ("deal", _) | ("object", "0-3") => DEAL,
            _ => return Ok(None),
        };
        let named = match verb {
            // The old records end; the new one says what it was made of when it is read.
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

/// What has no text may also be told as null.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
