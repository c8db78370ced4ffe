//! Webhooks: a change that a test asks for, and the messages that report it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A change as a person makes it, and how the vendor reports it: `POST /__test/emit`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emit {
    /// The kind of object: `deal`, `contact`, `Opportunity`, `Lead`.
    pub object: String,
    /// The record's id.
    pub id: String,
    /// The new values, by property; may be empty.
    pub change: Map<String, Value>,
    /// HubSpot: the kind of event, unless properties change: `contact.creation`.
    pub event: Option<String>,
    /// HubSpot: the contact that is merged into this one, with the event `contact.merge`.
    pub merged: Option<String>,
    /// HubSpot: whether changes are reported as `object.propertyChange` with `objectTypeId`.
    pub generic: bool,
    /// HubSpot: the source of the change; `CRM_UI` if absent.
    pub change_source: Option<String>,
    /// HubSpot: the id of the user or application that made the change.
    pub source_id: Option<String>,
    /// How many more times the same messages are sent.
    pub duplicates: u32,
    /// Whether events are sent in reverse order, newest first.
    pub shuffle: bool,
    /// Whether the message is forged: HubSpot signs it with another secret, Salesforce sends it
    /// from another organization.
    pub bad_signature: bool,
    /// HubSpot: how far the signed timestamp is off.
    pub timestamp_offset_ms: i64,
    /// Whether the webhook is lost: the change is made, and nothing is sent.
    pub lost: bool,
}

/// One webhook request, before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The events, in the vendor's own format.
    pub(crate) events: Vec<Value>,
    pub(crate) bad_signature: bool,
    pub(crate) timestamp_offset_ms: i64,
    /// How many times it was sent before.
    pub(crate) attempt: u32,
}

/// A webhook as it is sent.
pub(crate) struct Sealed {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Repeats and reorders messages as the test asks.
pub(crate) fn arrange(mut messages: Vec<Message>, emit: &Emit) -> Vec<Message> {
    if emit.shuffle {
        messages.reverse();
        for message in &mut messages {
            message.events.reverse();
        }
    }
    let once = messages.clone();
    for _ in 0..emit.duplicates {
        messages.extend(once.clone());
    }
    messages
}
