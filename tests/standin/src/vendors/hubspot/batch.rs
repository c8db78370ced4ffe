//! Several records in one request: 200 or 201 if all succeeded, 207 if some failed.

use super::account::Account;
use super::schema::Kind;
use super::value::{self, InvalidValue};
use super::write::{self, Refusal};
use super::{error, object, search};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{World, iso_ms};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The results and errors of the inputs.
#[derive(Default)]
struct Batch {
    results: Vec<Value>,
    errors: Vec<Value>,
}

impl Batch {
    fn refuse(&mut self, input: &Value, refusal: &Refusal) {
        let (category, message) = refusal.words();
        let trace = &input["objectWriteTraceId"];
        let context = match trace.as_str() {
            Some(trace) => json!({ "objectWriteTraceId": [trace] }),
            None => json!({ "ids": [input["id"]] }),
        };
        let mut part = error::part(category, &message, &context);
        part["id"] = input["id"].clone();
        self.errors.push(part);
    }

    fn answer(self, world: &World, status: u16) -> Answer {
        let now = iso_ms(world.now_ms());
        let mut body = json!({
            "status": "COMPLETE", "startedAt": now, "completedAt": now, "results": self.results
        });
        if self.errors.is_empty() {
            return Answer::json(status, body);
        }
        body["numErrors"] = json!(self.errors.len());
        body["errors"] = json!(self.errors);
        Answer::json(207, body)
    }
}

/// The body and its inputs. Refuses members beyond `beside` in the body and `members` in an input.
fn inputs(
    world: &mut World,
    request: &Request,
    beside: &[&str],
    members: &[&str],
) -> Result<(Value, Vec<Value>), Answer> {
    let body = error::body(world, request, &[&["inputs"], beside].concat())?;
    let inputs = error::inputs(world, &body)?;
    for input in &inputs {
        error::members(world, input, members)?;
    }
    Ok((body, inputs))
}

/// Refuses the whole batch for an unknown property, before anything is written.
fn refuse_unknown(
    account: &Account,
    world: &mut World,
    kind: Kind,
    inputs: &[Value],
) -> Result<(), Answer> {
    let mut unknown: Vec<InvalidValue> = Vec::new();
    for input in inputs {
        if let Err(wrong) = value::read(world, &account.schema, kind, &input["properties"])? {
            unknown.extend(wrong.into_iter().filter(InvalidValue::is_of_schema));
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(error::invalid(world, &value::message(&unknown)))
}

/// The ids of the inputs, which must be unique.
fn ids(world: &mut World, inputs: &[Value]) -> Result<Vec<String>, Answer> {
    let (mut seen, mut ids) = (BTreeSet::new(), Vec::new());
    for input in inputs {
        let Some(id) = input["id"].as_str().filter(|id| !id.is_empty()) else {
            return Err(error::invalid(world, "Invalid input JSON: each input needs an id"));
        };
        if !seen.insert(id.to_lowercase()) {
            let message = format!("Duplicate IDs found in batch input: [{id}]. IDs must be unique");
            return Err(error::invalid(world, &message));
        }
        ids.push(id.to_owned());
    }
    Ok(ids)
}

/// `batch/upsert`: by e-mail or another unique property.
pub(super) fn upsert(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let members = ["id", "idProperty", "objectWriteTraceId", "properties"];
    let (_, inputs) = inputs(world, request, &[], &members)?;
    let ids = ids(world, &inputs)?;
    refuse_unknown(account, world, kind, &inputs)?;
    let mut batch = Batch::default();
    for (input, id) in inputs.iter().zip(&ids) {
        let key = input["idProperty"].as_str();
        object::check_key(account, world, kind, key)?;
        let known = account.objects.find(kind, key, id);
        if key == Some("email") && known.is_some_and(|known| known.email(id) == Some(false)) {
            let message = format!("{id} is a secondary email; upsert by it is not supported");
            return Err(error::invalid(world, &message));
        }
    }
    for (input, id) in inputs.iter().zip(&ids) {
        let key = input["idProperty"].as_str();
        let mut values = match value::read(world, &account.schema, kind, &input["properties"])? {
            Ok(values) => values,
            Err(wrong) => {
                batch.refuse(input, &Refusal::Values(wrong));
                continue;
            }
        };
        let known = account.objects.find(kind, key, id).map(|record| record.id);
        let written = match (known, key) {
            (Some(known), _) => write::change(account, world, known, &values).map(|()| known),
            (None, None | Some("hs_object_id")) => {
                Err(Refusal::Other(format!("Object not found.  objectId are: [{id}]")))
            }
            (None, Some(key)) => {
                // The id is also the key's value, even if the properties do not include it.
                let of_key = json!({ key: id });
                match value::read(world, &account.schema, kind, &of_key)? {
                    Err(wrong) => Err(Refusal::Values(wrong)),
                    Ok(of_key) => {
                        for (name, value) in of_key {
                            values.entry(name).or_insert(value);
                        }
                        write::insert(account, world, kind, &values)
                    }
                }
            }
        };
        match written {
            Err(refusal) => batch.refuse(input, &refusal),
            Ok(written) => {
                let mut shown = account.objects.records[&written].show_all();
                shown["new"] = json!(known.is_none());
                if let Some(trace) = input["objectWriteTraceId"].as_str() {
                    shown["objectWriteTraceId"] = json!(trace);
                }
                batch.results.push(shown);
            }
        }
    }
    Ok(batch.answer(world, 200))
}

/// `batch/read`.
pub(super) fn read(account: &Account, world: &mut World, request: &Request, kind: Kind) -> Outcome {
    let beside = ["idProperty", "properties", "propertiesWithHistory"];
    let (body, inputs) = inputs(world, request, &beside, &["id"])?;
    let ids = ids(world, &inputs)?;
    let key = body["idProperty"].as_str();
    object::check_key(account, world, kind, key)?;
    let names = search::names(world, &body["properties"])?;
    let mut batch = Batch::default();
    let mut missing = Vec::new();
    for id in &ids {
        match account.objects.find(kind, key, id) {
            Some(record) => batch.results.push(record.show(&account.schema, &names)),
            None => missing.push(id.as_str()),
        }
    }
    if !missing.is_empty() {
        let message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid.";
        batch.errors.push(error::part("OBJECT_NOT_FOUND", message, &json!({ "ids": missing })));
    }
    Ok(batch.answer(world, 200))
}

/// `batch/create`.
pub(super) fn create(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let members = ["properties", "associations", "objectWriteTraceId"];
    let (_, inputs) = inputs(world, request, &[], &members)?;
    refuse_unknown(account, world, kind, &inputs)?;
    let mut batch = Batch::default();
    for input in &inputs {
        match write::create_one(account, world, kind, input)? {
            Ok(shown) => batch.results.push(shown),
            Err(refusal) => batch.refuse(input, &refusal),
        }
    }
    Ok(batch.answer(world, 201))
}

/// `batch/update`.
pub(super) fn update(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let members = ["id", "idProperty", "objectWriteTraceId", "properties"];
    let (_, inputs) = inputs(world, request, &[], &members)?;
    let ids = ids(world, &inputs)?;
    refuse_unknown(account, world, kind, &inputs)?;
    let mut batch = Batch::default();
    for (input, id) in inputs.iter().zip(&ids) {
        let key = input["idProperty"].as_str();
        object::check_key(account, world, kind, key)?;
        let values = value::read(world, &account.schema, kind, &input["properties"])?;
        let known = account.objects.find(kind, key, id).map(|record| record.id);
        let changed = values.map_err(Refusal::Values).and_then(|values| match known {
            Some(known) => write::change(account, world, known, &values).map(|()| known),
            None => Err(Refusal::Other(format!("Object not found.  objectId are: [{id}]"))),
        });
        match changed {
            Ok(id) => batch.results.push(account.objects.records[&id].show_all()),
            Err(refusal) => batch.refuse(input, &refusal),
        }
    }
    Ok(batch.answer(world, 200))
}

/// `batch/archive`: 204, whether the records exist or not.
pub(super) fn archive(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let (_, inputs) = inputs(world, request, &[], &["id"])?;
    for id in ids(world, &inputs)? {
        object::archive(account, world, kind, &id)?;
    }
    Ok(Answer::empty(204))
}
