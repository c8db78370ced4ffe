//! Associations between records, by HubSpot's ids of association types.

use super::account::Account;
use super::record::Objects;
use super::schema::Kind;
use super::{auth, error};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{World, iso_ms};
use serde_json::{Value, json};

/// From, to, and the id of the association type in that direction.
const TYPES: [(Kind, Kind, u64); 12] = [
    (Kind::Note, Kind::Contact, 202),
    (Kind::Contact, Kind::Note, 201),
    (Kind::Note, Kind::Deal, 214),
    (Kind::Deal, Kind::Note, 213),
    (Kind::Note, Kind::Company, 190),
    (Kind::Company, Kind::Note, 189),
    (Kind::Deal, Kind::Contact, 3),
    (Kind::Contact, Kind::Deal, 4),
    (Kind::Deal, Kind::Company, 341),
    (Kind::Company, Kind::Deal, 342),
    (Kind::Contact, Kind::Company, 279),
    (Kind::Company, Kind::Contact, 280),
];

fn type_id(from: Kind, to: Kind) -> Option<u64> {
    TYPES.iter().find(|(one, other, _)| (*one, *other) == (from, to)).map(|(.., id)| *id)
}

/// How a response writes the associated records.
#[derive(Clone, Copy)]
pub(super) enum Style {
    /// `toObjectId` as a text.
    Dated,
    /// `toObjectId` as a number.
    V4,
    /// `id` and `type`.
    V3,
}

/// The ids of the records that a new record is associated with, or a refusal.
pub(super) fn wanted(
    account: &Account,
    world: &mut World,
    from: Kind,
    associations: &Value,
) -> Result<Vec<u64>, Answer> {
    let associations = match associations {
        Value::Null => &[][..],
        Value::Array(list) => list,
        _ => return Err(error::invalid(world, "Invalid input JSON: associations is a list")),
    };
    let mut ids = Vec::new();
    for one in associations {
        error::members(world, one, &["to", "types"])?;
        let id = one["to"]["id"].as_str().and_then(|id| id.parse::<u64>().ok());
        let Some(to) = id.and_then(|id| account.objects.records.get(&id)) else {
            let message = format!("The association's object {} does not exist", one["to"]["id"]);
            return Err(error::invalid(world, &message));
        };
        let types = one["types"].as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = |found: &Value| {
            found["associationCategory"] == "HUBSPOT_DEFINED"
                && found["associationTypeId"].as_u64() == type_id(from, to.kind)
        };
        if types.is_empty() || !types.iter().all(fits) {
            let (from, to) = (from.names().1, to.kind.names().1);
            let message = format!("One or more associations are not valid from {from} to {to}");
            return Err(error::invalid(world, &message));
        }
        ids.push(to.id);
    }
    Ok(ids)
}

/// `…/{from}/{to}/batch/read`: records without associations are left out.
pub(super) fn read(
    account: &Account,
    world: &mut World,
    request: &Request,
    (from, to): (&str, &str),
    style: Style,
) -> Outcome {
    error::only(world, request, "POST")?;
    let (from, to) = (error::kind(world, from)?, error::kind(world, to)?);
    auth::need(world, from.scope(false))?;
    let Some(type_id) = type_id(from, to) else {
        return Err(error::invalid(world, "these object types cannot be associated"));
    };
    let body = error::body(world, request, &["inputs"])?;
    let mut results = Vec::new();
    for input in error::inputs(world, &body)? {
        let Some(id) = input["id"].as_str().and_then(|id| id.parse::<u64>().ok()) else {
            return Err(error::invalid(world, "Invalid input JSON: each input needs an id"));
        };
        let links = account.objects.links.iter().filter(|(one, _)| *one == id);
        let others = links.map(|(_, other)| *other).filter(|other| {
            account.objects.records.get(other).is_some_and(|record| record.kind == to)
                && account.objects.records.get(&id).is_some_and(|record| record.kind == from)
        });
        let types = json!([{ "category": "HUBSPOT_DEFINED", "typeId": type_id, "label": null }]);
        let show = |other: u64| match style {
            Style::Dated => json!({ "toObjectId": other.to_string(), "associationTypes": types }),
            Style::V4 => json!({ "toObjectId": other, "associationTypes": types }),
            Style::V3 => {
                let name = format!("{}_to_{}", from.names().1, to.names().1);
                json!({ "id": other.to_string(), "type": name })
            }
        };
        let shown: Vec<Value> = others.map(show).collect();
        if !shown.is_empty() {
            results.push(json!({ "from": { "id": id.to_string() }, "to": shown }));
        }
    }
    let now = iso_ms(world.now_ms());
    let body = json!({
        "status": "COMPLETE", "startedAt": now, "completedAt": now, "results": results
    });
    Ok(Answer::json(200, body))
}

/// `{"associate":[id, id]}`: associates two records, as a person does in a record's page.
pub(super) fn act(objects: &mut Objects, action: &Value) -> Result<Value, String> {
    let ids = action["associate"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = |value: &Value| value.as_str().and_then(|id| id.parse::<u64>().ok());
    let pair: Vec<u64> = ids.iter().filter_map(id).collect();
    match pair[..] {
        [one, other] if [one, other].iter().all(|id| objects.records.contains_key(id)) => {
            objects.link(one, other);
            Ok(json!({}))
        }
        _ => Err("the only action is {\"associate\":[\"id\",\"id\"]} of two records".to_owned()),
    }
}
