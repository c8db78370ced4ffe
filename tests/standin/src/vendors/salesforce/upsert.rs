//! Records by an external id: `/sobjects/{object}/{field}/{value}`.

use super::error::{self, ApiError};
use super::query;
use super::record::Org;
use super::write::{self, Rules};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Map, Value, json};

/// The result of an upsert.
pub(super) enum Upserted {
    Created(String),
    Updated(String),
    /// Several records have the external id.
    Several(Vec<String>),
}

/// Object, field, value.
pub(super) type Key<'a> = (&'a str, &'a str, &'a str);

/// The ids of the records with an external id. Refuses a field that is not an external id.
fn holders(org: &Org, (object, key, value): Key<'_>) -> Result<Vec<String>, ApiError> {
    if !org.schema.field(object, key).is_some_and(|field| field.is_external_id) {
        let message =
            format!("Provided external ID field does not exist or is not accessible: {key}");
        return Err(ApiError::new("NOT_FOUND", message, &[]));
    }
    let has = |held: &str| held.eq_ignore_ascii_case(value);
    let found = org.of(object).filter(|record| record.text(key).is_some_and(has));
    Ok(found.map(|record| record.id.clone()).collect())
}

/// Creates or changes the record with an external id.
pub(super) fn apply(
    org: &mut Org,
    world: &mut World,
    (object, key, value): Key<'_>,
    body: &Map<String, Value>,
    (rules, only_update): (Rules, bool),
) -> Result<Upserted, ApiError> {
    let ids = holders(org, (object, key, value))?;
    if let Some(name) = body.keys().find(|name| *name == "Id" || name.eq_ignore_ascii_case(key)) {
        let message = format!("The {name} field should not be specified in the sobject data.");
        return Err(ApiError::new("INVALID_FIELD", message, &[name]));
    }
    match &ids[..] {
        [] if only_update => {
            Err(ApiError::new("NOT_FOUND", "The requested resource does not exist", &[]))
        }
        [] => {
            let mut fields = body.clone();
            fields.insert(key.to_owned(), json!(value));
            write::insert(org, world, object, &fields, rules).map(Upserted::Created)
        }
        [id] => write::change(org, world, id, body).map(|()| Upserted::Updated(id.clone())),
        _ => Ok(Upserted::Several(ids)),
    }
}

/// `PATCH`: 201, 200, or 300 with the URLs of the records if several have the external id.
pub(super) fn run(org: &mut Org, world: &mut World, request: &Request, key: Key<'_>) -> Outcome {
    let body = error::body(request)?;
    let fields = body.as_object().cloned().unwrap_or_default();
    let only_update = request.parameter("updateOnly").as_deref() == Some("true");
    let rules = (Rules::of(world, request), only_update);
    let done = apply(org, world, key, &fields, rules);
    let version = request.path.split('/').nth(3).unwrap_or_default();
    let address = |id: &str| query::address(version, key.0, id);
    let made =
        |id: &str, created| json!({ "id": id, "success": true, "errors": [], "created": created });
    match done.map_err(|wrong| wrong.answer())? {
        Upserted::Created(id) => {
            Ok(Answer::json(201, made(&id, true)).with("Location", address(&id)))
        }
        Upserted::Updated(id) => Ok(Answer::json(200, made(&id, false))),
        Upserted::Several(ids) => {
            let all: Vec<String> = ids.iter().map(|id| address(id)).collect();
            Ok(Answer::json(300, json!(all)))
        }
    }
}

/// `GET`: the record, or 300 if several have the external id.
pub(super) fn read(org: &Org, key: Key<'_>, version: &str) -> Outcome {
    let ids = holders(org, key).map_err(|wrong| wrong.answer())?;
    match &ids[..] {
        [] => Err(error::not_found()),
        [id] => Ok(Answer::json(200, query::whole(org, id, version))),
        _ => {
            let address = |id: &String| query::address(version, key.0, id);
            Ok(Answer::json(300, ids.iter().map(address).collect()))
        }
    }
}
