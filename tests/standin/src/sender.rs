//! Webhooks on their way out: what is asked for, what waits for another attempt, and the sending.

use crate::journal::Delivery;
use crate::standin::Shared;
use crate::vendor::Sealed;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A change that a person made, and how the vendor tells of it: `POST /__test/emit`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emit {
    /// The kind of object: `deal`, `contact`, `Opportunity`, `Lead`.
    pub object: String,
    /// The record's id.
    pub id: String,
    /// What is changed, by property; may be empty.
    pub change: Map<String, Value>,
    /// HubSpot: the kind of event, where it is not a change of properties: `contact.creation`.
    pub event: Option<String>,
    /// HubSpot: the contact that is merged into this one, with the event `contact.merge`.
    pub merged: Option<String>,
    /// HubSpot: whether changes are told as `object.propertyChange` with `objectTypeId`.
    pub generic: bool,
    /// HubSpot: who changed it; `CRM_UI` where nothing is said.
    pub change_source: Option<String>,
    /// HubSpot: which user or application it was.
    pub source_id: Option<String>,
    /// How often the same is told again.
    pub duplicates: u32,
    /// Whether events go out in another order than they happened, newest first.
    pub shuffle: bool,
    /// HubSpot: whether the signature is wrong.
    pub bad_signature: bool,
    /// HubSpot: how far the signed timestamp is off.
    pub timestamp_offset_ms: i64,
    /// Whether nothing is sent: the change is made and the webhook lost.
    pub lost: bool,
}

/// One webhook request, before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// What it tells: the vendor's own events.
    pub(crate) events: Vec<Value>,
    pub(crate) bad_signature: bool,
    pub(crate) timestamp_offset_ms: i64,
    /// How often it was tried.
    pub(crate) attempt: u32,
}

/// A vendor gives up after so many attempts.
const MOST_ATTEMPTS: u32 = 11;

/// Sends messages one after the other; those that got no yes wait for [`retry`].
pub(crate) async fn send(shared: &Shared, messages: Vec<Message>) -> Result<Vec<Delivery>, String> {
    let mut made = Vec::new();
    for mut message in messages {
        let (url, Sealed { headers, body }, at_ms) = {
            let state = shared.lock();
            let url = state.world.settings.target_url.clone();
            let url =
                url.ok_or("no target_url is set: POST /__test/settings {\"target_url\":…}")?;
            let sealed = state.vendor.seal(&state.world, &message, &url);
            (url, sealed, state.world.now_ms())
        };
        let mut request = shared.client.post(&url).timeout(Duration::from_secs(5));
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let (status, answer) = match request.body(body.clone()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                (Some(status), response.text().await.unwrap_or_default())
            }
            Err(error) => (None, error.to_string()),
        };
        let mut state = shared.lock();
        let acknowledged =
            status.is_some_and(|status| state.vendor.is_acknowledged(status, &answer));
        let attempt = message.attempt;
        let headers = headers.into_iter().collect::<BTreeMap<_, _>>();
        let delivery =
            Delivery { at_ms, url, headers, body, attempt, status, answer, acknowledged };
        state.deliveries.push(delivery.clone());
        message.attempt += 1;
        if !acknowledged && message.attempt < MOST_ATTEMPTS {
            state.waiting.push(message);
        }
        drop(state);
        made.push(delivery);
    }
    Ok(made)
}

/// Sends everything once more that got no yes. The vendors wait in between; here it is a call.
pub(crate) async fn retry(shared: &Shared) -> Result<Vec<Delivery>, String> {
    let waiting = std::mem::take(&mut shared.lock().waiting);
    send(shared, waiting).await
}

/// Repeats and reorders messages as was asked.
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
