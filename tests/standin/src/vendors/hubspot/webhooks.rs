//! The webhooks of a change: lists of up to a hundred events, signed.

use super::account::Account;
use super::schema::Kind;
use super::{auth, contacts, signature};
use crate::webhook::{Emit, Message, Sealed};
use crate::world::World;
use serde_json::{Map, Value, json};

const MOST_EVENTS: usize = 100;

/// Makes a change, and returns the webhooks that report it.
pub(super) fn emit(
    account: &mut Account,
    world: &mut World,
    emit: &Emit,
) -> Result<Vec<Message>, String> {
    let kind = Kind::named(&emit.object)
        .ok_or_else(|| format!("no object type {:?}: contact, company, deal, note", emit.object))?;
    let id = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is not an id"));
    let number = id(&emit.id)?;
    let now_ms = world.now_ms();
    let mut events = Vec::new();
    if let Some(event) = &emit.event {
        let mut more = json!({ "changeFlag": flag(event) });
        match event.as_str() {
            "contact.merge" => {
                let other = id(emit.merged.as_deref().unwrap_or_default())?;
                let joined = contacts::join(account, world, number, other)?;
                more = json!({
                    "primaryObjectId": number, "mergedObjectIds": [other],
                    "newObjectId": joined, "numberOfPropertiesMoved": 4
                });
            }
            "contact.deletion" | "contact.privacyDeletion" | "deal.deletion" => {
                account.objects.remove(number);
            }
            _ => {}
        }
        events.push(head(account, emit, event, number, now_ms, &more));
    }
    if emit.change.is_empty() && events.is_empty() {
        return Err("nothing to report: give change or event".to_owned());
    }
    if !emit.change.is_empty() {
        let record = account.objects.records.get_mut(&number).filter(|record| record.kind == kind);
        let record = record.ok_or_else(|| format!("no {} {number}", kind.names().1))?;
        record.change(&emit.change, now_ms)?;
        let (_, noun, type_id) = kind.names();
        for (name, value) in &emit.change {
            let mut more = json!({ "propertyName": name, "propertyValue": text(value) });
            let mut event = format!("{noun}.propertyChange");
            if emit.generic {
                "object.propertyChange".clone_into(&mut event);
                more["objectTypeId"] = json!(type_id);
                more["isSensitive"] = json!(false);
            }
            events.push(head(account, emit, &event, number, now_ms, &more));
        }
    }
    let (bad_signature, timestamp_offset_ms) = (emit.bad_signature, emit.timestamp_offset_ms);
    let lists = events.chunks(MOST_EVENTS).map(<[Value]>::to_vec);
    Ok(lists
        .map(|events| Message { events, bad_signature, timestamp_offset_ms, attempt: 0 })
        .collect())
}

fn flag(event: &str) -> &'static str {
    if event.ends_with(".creation") { "CREATED" } else { "DELETED" }
}

/// HubSpot writes all values as strings.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn head(
    account: &mut Account,
    emit: &Emit,
    event: &str,
    object: u64,
    now_ms: i64,
    more: &Value,
) -> Value {
    account.events_sent += 1;
    let mut all = json!({
        "eventId": account.events_sent, "subscriptionId": subscription(event, more),
        "portalId": auth::PORTAL, "appId": auth::APP, "occurredAt": now_ms,
        "subscriptionType": event, "attemptNumber": 0, "objectId": object,
        "changeSource": emit.change_source.as_deref().unwrap_or("CRM_UI")
    });
    if let Some(source) = &emit.source_id {
        all["sourceId"] = json!(source);
    }
    let empty = Map::new();
    for (name, value) in more.as_object().unwrap_or(&empty) {
        all[name.as_str()] = value.clone();
    }
    all
}

/// The subscription's number: the same for the same event and property.
fn subscription(event: &str, more: &Value) -> u64 {
    let name = more["propertyName"].as_str().unwrap_or_default();
    let signs = event.bytes().chain(name.bytes());
    12_000 + signs.fold(0_u64, |sum, sign| (sum * 31 + u64::from(sign)) % 7919)
}

/// The body with the attempt's number, and the headers that sign it.
pub(super) fn seal(world: &World, message: &Message, url: &str) -> Sealed {
    let mut events = message.events.clone();
    for event in &mut events {
        event["attemptNumber"] = json!(message.attempt);
    }
    let body = Value::Array(events).to_string();
    let timestamp_ms = world.now_ms() + message.timestamp_offset_ms;
    let right = world.settings.client_secret.as_str();
    let secret = if message.bad_signature { "another secret" } else { right };
    let signature = signature::v3(secret, "POST", url, &body, timestamp_ms);
    let headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-hubspot-signature-v3".to_owned(), signature),
        ("x-hubspot-request-timestamp".to_owned(), timestamp_ms.to_string()),
    ];
    Sealed { headers, body }
}
