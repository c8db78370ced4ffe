//! HubSpot's refusals, and the checks at the start of every call.

use super::schema::Kind;
use crate::exchange::{Answer, Request};
use crate::world::World;
use serde_json::{Value, json};

/// `{"status":"error","message":…,"correlationId":…,"category":…}`.
pub(super) fn error(world: &mut World, status: u16, category: &str, message: &str) -> Answer {
    let correlation_id = world.uuid();
    let body = json!({
        "status": "error", "message": message, "correlationId": correlation_id, "category": category
    });
    Answer::json(status, body)
}

pub(super) fn invalid(world: &mut World, message: &str) -> Answer {
    error(world, 400, "VALIDATION_ERROR", message)
}

pub(super) fn not_found(world: &mut World, message: &str) -> Answer {
    error(world, 404, "OBJECT_NOT_FOUND", message)
}

pub(super) fn wrong_method(world: &mut World) -> Answer {
    error(world, 405, "METHOD_NOT_ALLOWED", "Method not allowed")
}

/// Refuses every method but this one.
pub(super) fn only(world: &mut World, request: &Request, method: &str) -> Result<(), Answer> {
    if request.method == method { Ok(()) } else { Err(wrong_method(world)) }
}

/// The body as an object. Refuses members other than these.
pub(super) fn body(world: &mut World, request: &Request, known: &[&str]) -> Result<Value, Answer> {
    if !request.is_of_type("application/json") {
        return Err(error(world, 415, "VALIDATION_ERROR", "Content-Type must be application/json"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| invalid(world, &format!("Invalid input JSON: {error}")))?;
    members(world, &body, known)?;
    Ok(body)
}

/// Refuses a value that is not an object, and unknown members.
pub(super) fn members(world: &mut World, value: &Value, known: &[&str]) -> Result<(), Answer> {
    let Some(object) = value.as_object() else {
        return Err(invalid(world, "Invalid input JSON: an object is expected"));
    };
    match object.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(invalid(world, &format!("Invalid input JSON: unknown field {name}"))),
    }
}

/// An object type by one of the names that paths may use.
pub(super) fn kind(world: &mut World, name: &str) -> Result<Kind, Answer> {
    Kind::named(name).ok_or_else(|| {
        let message = format!("Unable to infer object type from: {name}");
        invalid(world, &message)
    })
}

/// The list `inputs` of a batch: 1 to 100.
pub(super) fn inputs(world: &mut World, body: &Value) -> Result<Vec<Value>, Answer> {
    let Some(inputs) = body["inputs"].as_array() else {
        return Err(invalid(world, "Invalid input JSON: inputs is required"));
    };
    match inputs.len() {
        0 => Err(invalid(world, "inputs may not be empty")),
        1..=100 => Ok(inputs.clone()),
        count => {
            let message = format!("Batch size {count} exceeds the limit of 100");
            Err(invalid(world, &message))
        }
    }
}

/// A batch's error for one input.
pub(super) fn part(category: &str, message: &str, context: &Value) -> Value {
    json!({
        "status": "error", "category": category, "message": message,
        "context": context, "links": {}, "errors": []
    })
}
