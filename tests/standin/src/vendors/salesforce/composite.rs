//! Composite requests: several requests in one, which may refer to each other's responses; and
//! collections: several records in one request.

use super::error::{self, ApiError};
use super::instance::Instance;
use super::record::Org;
use super::upsert::{self, Upserted};
use super::write::Rules;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const MOST_PARTS: usize = 25;
const MOST_RECORDS: usize = 200;

/// Answers one part.
type Route = fn(&mut Instance, &mut World, &Request) -> Outcome;

/// `POST /composite`: 200, whatever the results of the parts.
pub(super) fn run(
    instance: &mut Instance,
    world: &mut World,
    request: &Request,
    route: Route,
) -> Outcome {
    let body = error::body(request)?;
    let parts = body["compositeRequest"].as_array().cloned().unwrap_or_default();
    let all_or_none = body["allOrNone"].as_bool().unwrap_or_default();
    check(&parts)?;
    // Cloning an organization is expensive, and without writes there is nothing to roll back.
    let writes = parts.iter().any(|part| part["method"] != "GET");
    let before = (all_or_none && writes).then(|| instance.org.clone());
    let mut answers: Vec<Answer> = Vec::new();
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    let mut failed = None;
    for (place, part) in parts.iter().enumerate() {
        if all_or_none && failed.is_some() {
            answers.push(halted());
            continue;
        }
        let answer = match read(request, part, &known) {
            Ok(request) => route(instance, world, &request).unwrap_or_else(|refused| refused),
            Err(refused) => refused,
        };
        if answer.status >= 300 {
            failed = failed.or(Some(place));
        } else if let (Some(name), Some(body)) = (part["referenceId"].as_str(), &answer.body) {
            known.insert(name.to_owned(), body.clone());
        }
        answers.push(answer);
    }
    if let Some(failed) = failed.filter(|_| all_or_none) {
        if let Some(before) = before {
            instance.org = before;
        }
        for (place, answer) in answers.iter_mut().enumerate() {
            if place != failed {
                *answer = halted();
            }
        }
    }
    let show = |(part, answer): (&Value, Answer)| {
        let headers: Map<String, Value> =
            answer.headers.into_iter().map(|(name, value)| (name, json!(value))).collect();
        json!({
            "body": answer.body, "httpHeaders": headers, "httpStatusCode": answer.status,
            "referenceId": part["referenceId"]
        })
    };
    let shown: Vec<Value> = parts.iter().zip(answers).map(show).collect();
    Ok(Answer::json(200, json!({ "compositeResponse": shown })))
}

fn halted() -> Answer {
    let message =
        "The transaction was rolled back since another operation in the same transaction failed.";
    Answer::json(400, json!([{ "errorCode": "PROCESSING_HALTED", "message": message }]))
}

fn check(parts: &[Value]) -> Result<(), Answer> {
    if parts.is_empty() || parts.len() > MOST_PARTS {
        let message = format!("compositeRequest has 1 to {MOST_PARTS} parts");
        return Err(error::error(400, "LIMIT_EXCEEDED", &message));
    }
    let mut names = std::collections::BTreeSet::new();
    for part in parts {
        let name = part["referenceId"].as_str().unwrap_or_default();
        let is_name = name.starts_with(|sign: char| sign.is_ascii_alphanumeric())
            && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
        if !is_name || !names.insert(name) {
            let message = format!("Invalid or duplicate referenceId: {name:?}");
            return Err(error::error(400, "JSON_PARSER_ERROR", &message));
        }
        if part["url"].as_str().is_none() || part["method"].as_str().is_none() {
            let message = format!("{name} needs method and url");
            return Err(error::error(400, "JSON_PARSER_ERROR", &message));
        }
    }
    Ok(())
}

/// A part as a request of its own, with the outer headers that it does not set itself.
fn read(
    request: &Request,
    part: &Value,
    known: &BTreeMap<String, Value>,
) -> Result<Request, Answer> {
    let resolved =
        resolve(part, known).map_err(|message| error::error(400, "PROCESSING_HALTED", &message))?;
    let url = resolved["url"].as_str().unwrap_or_default();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.contains("/composite") {
        return Err(error::error(400, "INVALID_INPUT", "a part cannot be composite itself"));
    }
    let mut headers = request.headers.clone();
    if let Some(own) = resolved["httpHeaders"].as_object() {
        let own = own.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        headers.extend(own.map(|(name, value)| (name.to_lowercase(), value.to_owned())));
    }
    Ok(Request {
        method: resolved["method"].as_str().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: resolved.get("body").map(|body| body.to_string().into_bytes()).unwrap_or_default(),
    })
}

/// Replaces each `@{reference.field}` by the value in an earlier response.
fn resolve(value: &Value, known: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => json!(fill(text, known)?),
        Value::Array(list) => {
            Value::Array(list.iter().map(|one| resolve(one, known)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                resolve(value, known).map(|value| (name.clone(), value))
            };
            Value::Object(members.iter().map(member).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn fill(text: &str, known: &BTreeMap<String, Value>) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("@{") else { return Ok(text.to_owned()) };
    let Some((name, after)) = rest.split_once('}') else { return Ok(text.to_owned()) };
    let found = name.split_once('.').and_then(|(reference, field)| {
        let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
        known.get(reference)?.pointer(&pointer)?.as_str()
    });
    let found = found.ok_or(format!("Invalid reference specified. No value for {name} found."))?;
    Ok(format!("{before}{found}{}", fill(after, known)?))
}

/// `PATCH /composite/sobjects/{object}/{field}`: many records by their external ids.
pub(super) fn upsert(
    org: &mut Org,
    world: &mut World,
    request: &Request,
    object: &str,
    key: &str,
) -> Outcome {
    let body = error::body(request)?;
    let records = body["records"].as_array().cloned().unwrap_or_default();
    if records.is_empty() || records.len() > MOST_RECORDS {
        let message = format!("records has 1 to {MOST_RECORDS} entries");
        return Err(error::error(400, "INVALID_INPUT", &message));
    }
    org.schema.object(object).ok_or_else(error::not_found)?;
    let rules = (Rules::of(world, request), false);
    let before = org.clone();
    let mut results = Vec::new();
    for record in &records {
        let mut fields = record.as_object().cloned().unwrap_or_default();
        let value = fields.remove(key).and_then(|value| value.as_str().map(str::to_owned));
        let is_of_object = record["attributes"]["type"] == object;
        let done = match value {
            Some(value) if is_of_object => {
                upsert::apply(org, world, (object, key, &value), &fields, rules)
            }
            Some(_) => Err(ApiError::new("INVALID_INPUT", "attributes.type is required", &[])),
            None => Err(ApiError::new("MISSING_ARGUMENT", format!("{key} not specified"), &[key])),
        };
        results.push(done);
    }
    let all_or_none = body["allOrNone"].as_bool().unwrap_or_default();
    let is_back = all_or_none && results.iter().any(Result::is_err);
    if is_back {
        *org = before;
    }
    let made = |id: &str, created: bool| json!({ "id": id, "success": true, "errors": [], "created": created });
    let refused = |part: Value| json!({ "success": false, "errors": [part] });
    let show = |done: &Result<Upserted, ApiError>| match done {
        Err(wrong) => refused(wrong.part()),
        Ok(_) if is_back => {
            let message = "Record rolled back because not all records were valid";
            refused(ApiError::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message, &[]).part())
        }
        Ok(Upserted::Created(id)) => made(id, true),
        Ok(Upserted::Updated(id)) => made(id, false),
        Ok(Upserted::Several(_)) => {
            let message = format!("{key}: more than one record found for external id field");
            refused(ApiError::new("DUPLICATE_EXTERNAL_ID", message, &[key]).part())
        }
    };
    Ok(Answer::json(200, results.iter().map(show).collect()))
}
