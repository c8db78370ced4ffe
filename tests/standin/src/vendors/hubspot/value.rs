//! Checks values against their properties, and converts them as HubSpot stores them.

use super::error;
use super::schema::{Kind, Property, Schema};
use crate::exchange::Answer;
use crate::world::{World, iso_ms, parse_date, parse_iso};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The longest text, in characters.
const MOST_CHARACTERS: usize = 65_536;

/// What is wrong with one property.
#[derive(Clone, Debug)]
pub(super) struct InvalidValue {
    name: String,
    code: &'static str,
    message: String,
}

impl InvalidValue {
    fn new(name: &str, code: &'static str, message: &str) -> Self {
        Self { name: name.to_owned(), code, message: message.to_owned() }
    }

    /// Whether it refuses the whole batch, not only one input.
    pub(super) fn is_of_schema(&self) -> bool {
        self.code == "PROPERTY_DOESNT_EXIST"
    }
}

/// Reads the values of a write. The outer error is about the request's structure, the inner about
/// its values.
pub(super) fn read(
    world: &mut World,
    schema: &Schema,
    kind: Kind,
    properties: &Value,
) -> Result<Result<BTreeMap<String, String>, Vec<InvalidValue>>, Answer> {
    let Some(properties) = properties.as_object() else {
        return Err(error::invalid(world, "Invalid input JSON: properties is required"));
    };
    let texts = texts(properties).map_err(|name| {
        let message = format!("Invalid input JSON: the value of {name} must be a string");
        error::invalid(world, &message)
    })?;
    let (mut kept, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, text) in texts {
        match keep(schema, kind, name, text) {
            Ok(value) => drop(kept.insert(name.to_owned(), value)),
            Err(found) => wrong.push(found),
        }
    }
    Ok(if wrong.is_empty() { Ok(kept) } else { Err(wrong) })
}

fn texts<'a>(properties: &'a Map<String, Value>) -> Result<Vec<(&'a str, &'a str)>, &'a str> {
    let text = |(name, value): (&'a String, &'a Value)| {
        value.as_str().map(|text| (name.as_str(), text)).ok_or(name.as_str())
    };
    properties.iter().map(text).collect()
}

/// The value as it is stored; an empty one clears.
fn keep(schema: &Schema, kind: Kind, name: &str, text: &str) -> Result<String, InvalidValue> {
    let Some(property) = schema.property(kind, name).filter(|property| !property.archived) else {
        let message = format!("Property \"{name}\" does not exist");
        return Err(InvalidValue::new(name, "PROPERTY_DOESNT_EXIST", &message));
    };
    if property.is_read_only {
        let message = format!("\"{name}\" is a read only property; its value cannot be set.");
        return Err(InvalidValue::new(name, "READ_ONLY_VALUE", &message));
    }
    if text.is_empty() {
        return Ok(String::new());
    }
    fit(property, text)
}

fn fit(property: &Property, text: &str) -> Result<String, InvalidValue> {
    let name = property.name.as_str();
    let refuse =
        |code, what: &str| Err(InvalidValue::new(name, code, &format!("{text} was not {what}")));
    match property.value_type.as_str() {
        "number" if !is_number(text) => refuse("INVALID_INTEGER", "a valid number"),
        "datetime" => match time(text) {
            Some(ms) => Ok(iso_ms(ms)),
            None => refuse("INVALID_DATE", "a valid datetime"),
        },
        "date" => match time(text).filter(|ms| ms % 86_400_000 == 0) {
            Some(ms) => Ok(iso_ms(ms)[..10].to_owned()),
            None => refuse("INVALID_DATE", "a valid date: midnight UTC"),
        },
        "bool" if !matches!(text, "true" | "false") => {
            refuse("INVALID_OPTION", "one of the allowed options: [true, false]")
        }
        "enumeration" if !property.has_option(text) => {
            refuse("INVALID_OPTION", "one of the allowed options")
        }
        _ if name == "email" && !is_email(text) => {
            let message = format!("Email address {text} is invalid");
            Err(InvalidValue::new(name, "INVALID_EMAIL", &message))
        }
        _ if text.chars().count() > MOST_CHARACTERS => {
            let message = format!("The value of {name} exceeds {MOST_CHARACTERS} characters");
            Err(InvalidValue::new(name, "VALUE_TOO_LONG", &message))
        }
        // HubSpot keeps e-mails in lower case.
        _ if name == "email" => Ok(text.to_lowercase()),
        _ => Ok(text.to_owned()),
    }
}

/// Parses a time as HubSpot accepts it: epoch milliseconds, ISO 8601, or a date.
pub(super) fn time(text: &str) -> Option<i64> {
    let digits = || text.parse::<i64>().ok();
    digits().or_else(|| parse_iso(text)).or_else(|| parse_date(text))
}

fn is_number(text: &str) -> bool {
    let is_plain = text.chars().all(|sign| sign.is_ascii_digit() || "+-.eE".contains(sign));
    is_plain && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_clean = !text.chars().any(|sign| sign.is_whitespace() || sign.is_control());
    let is_domain = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    is_clean && is_domain && !local.is_empty() && !local.contains('@') && text.len() <= 254
}

/// A message with the errors as a JSON array.
pub(super) fn message(wrong: &[InvalidValue]) -> String {
    let part = |wrong: &InvalidValue| {
        json!({
            "isValid": false, "message": wrong.message, "error": wrong.code, "name": wrong.name,
            "localizedErrorMessage": wrong.message
        })
    };
    let parts: Vec<Value> = wrong.iter().map(part).collect();
    format!("Property values were not valid: {}", Value::Array(parts))
}
