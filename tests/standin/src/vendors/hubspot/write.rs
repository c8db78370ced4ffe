//! Creating and changing a single record, and what HubSpot refuses.

use super::account::Account;
use super::record::Record;
use super::schema::Kind;
use super::value::{self, InvalidValue};
use super::{associations, error, fixtures, object};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// Checked property values.
pub(super) type Values = BTreeMap<String, String>;

/// Why a record was not written.
pub(super) enum Refusal {
    /// Values do not fit their properties.
    Values(Vec<InvalidValue>),
    /// Another record has the unique value.
    Conflict(String),
    /// Another reason, in a sentence.
    Other(String),
}

impl Refusal {
    /// The response to a request about a single record.
    pub(super) fn answer(&self, world: &mut World) -> Answer {
        let (category, message) = self.words();
        error::error(world, if category == "CONFLICT" { 409 } else { 400 }, category, &message)
    }

    /// Category and message.
    pub(super) fn words(&self) -> (&'static str, String) {
        match self {
            Self::Values(wrong) => ("VALIDATION_ERROR", value::message(wrong)),
            Self::Conflict(message) => ("CONFLICT", message.clone()),
            Self::Other(message) => ("VALIDATION_ERROR", message.clone()),
        }
    }
}

/// `POST …`.
pub(super) fn create(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let body = error::body(world, request, &["properties", "associations", "objectWriteTraceId"])?;
    let shown = create_one(account, world, kind, &body)?;
    shown.map(|shown| Answer::json(201, shown)).map_err(|refusal| refusal.answer(world))
}

/// Creates the record that an input describes. The outer error is about the input's structure.
pub(super) fn create_one(
    account: &mut Account,
    world: &mut World,
    kind: Kind,
    input: &Value,
) -> Result<Result<Value, Refusal>, Answer> {
    let values = match value::read(world, &account.schema, kind, &input["properties"])? {
        Ok(values) => values,
        Err(wrong) => return Ok(Err(Refusal::Values(wrong))),
    };
    let linked = associations::wanted(account, world, kind, &input["associations"])?;
    if kind == Kind::Note && !values.contains_key("hs_timestamp") {
        return Ok(Err(Refusal::Other("hs_timestamp is a required property".to_owned())));
    }
    Ok(insert(account, world, kind, &values).map(|id| {
        for other in linked {
            account.objects.link(id, other);
        }
        account.objects.records[&id].show_all()
    }))
}

/// Stores a new record, unless one of its unique values is taken.
pub(super) fn insert(
    account: &mut Account,
    world: &mut World,
    kind: Kind,
    values: &Values,
) -> Result<u64, Refusal> {
    is_free(account, kind, None, values)?;
    let (id, now_ms) = (world.next_number(), world.now_ms());
    let mut record = Record::new(id, kind, now_ms);
    for (name, value) in values {
        record.set(name, value, now_ms);
    }
    Ok(account.objects.insert(record))
}

/// Changes a record.
pub(super) fn change(
    account: &mut Account,
    world: &World,
    id: u64,
    values: &Values,
) -> Result<(), Refusal> {
    let Some(kind) = account.objects.records.get(&id).map(|record| record.kind) else {
        return Err(Refusal::Other(format!("no record {id}")));
    };
    is_free(account, kind, Some(id), values)?;
    let now_ms = world.now_ms();
    if let Some(record) = account.objects.records.get_mut(&id) {
        for (name, value) in values {
            if !is_backward(record, name, value) {
                record.set(name, value, now_ms);
            }
        }
    }
    Ok(())
}

/// Whether a life cycle stage is before the current one: HubSpot then silently keeps the current
/// one.
fn is_backward(record: &Record, name: &str, value: &str) -> bool {
    let rank = |stage: &str| fixtures::LIFECYCLE.iter().position(|known| *known == stage);
    name == "lifecyclestage"
        && record.kind == Kind::Contact
        && record.get(name).is_some_and(|now| rank(value) < rank(now))
        && !value.is_empty()
}

fn is_free(
    account: &Account,
    kind: Kind,
    own: Option<u64>,
    values: &Values,
) -> Result<(), Refusal> {
    for property in account.schema.of(kind).filter(|property| property.has_unique_value) {
        let Some(value) = values.get(&property.name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let holder = account.objects.find(kind, Some(&property.name), value);
        let Some(holder) = holder.filter(|holder| Some(holder.id) != own) else { continue };
        let id = holder.id;
        return Err(Refusal::Conflict(if property.name == "email" {
            format!("Contact already exists. Existing ID: {id}")
        } else {
            format!("The value {value} of {} belongs to the record {id}", property.name)
        }));
    }
    Ok(())
}

/// `PATCH …/{id}`.
pub(super) fn update(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
    id: &str,
) -> Outcome {
    let body = error::body(world, request, &["properties", "objectWriteTraceId"])?;
    let key = request.parameter("idProperty");
    object::check_key(account, world, kind, key.as_deref())?;
    let Some(id) = account.objects.find(kind, key.as_deref(), id).map(|record| record.id) else {
        return Err(object::missing(world, id));
    };
    let values = value::read(world, &account.schema, kind, &body["properties"])?;
    let changed =
        values.map_err(Refusal::Values).and_then(|values| change(account, world, id, &values));
    changed.map_err(|refusal| refusal.answer(world))?;
    Ok(Answer::json(200, account.objects.records[&id].show_all()))
}
