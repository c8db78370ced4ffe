//! Checks values against their fields, and converts them as Salesforce stores them.

use super::error::ApiError;
use super::record::{Org, time};
use super::schema::{Field, Type};
use crate::world::{parse_date, parse_iso};
use serde_json::{Map, Value, json};

/// Reads the fields in the body of a write. `attributes` is not a field.
pub(super) fn read(
    org: &Org,
    object: &str,
    body: &Map<String, Value>,
) -> Result<Map<String, Value>, ApiError> {
    let mut fields = Map::new();
    for (name, value) in body.iter().filter(|(name, _)| *name != "attributes") {
        let Some(field) = org.schema.field(object, name) else {
            let message = format!("No such column '{name}' on sobject of type {object}");
            return Err(ApiError::new("INVALID_FIELD", message, &[]));
        };
        if !field.is_writable || !field.may_edit {
            let message = format!(
                "Unable to create/update fields: {name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set."
            );
            return Err(ApiError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message, &[name]));
        }
        fields.insert(field.name.clone(), keep(org, field, value)?);
    }
    Ok(fields)
}

/// Refuses a new record that lacks a required field.
pub(super) fn required(
    org: &Org,
    object: &str,
    fields: &Map<String, Value>,
) -> Result<(), ApiError> {
    let all = org.schema.object(object).map(|object| object.fields.as_slice()).unwrap_or_default();
    let is_missing = |field: &&Field| {
        let value = fields.get(&field.name).unwrap_or(&Value::Null);
        field.is_required && (value.is_null() || value == "")
    };
    let missing: Vec<&str> =
        all.iter().filter(is_missing).map(|field| field.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(ApiError::new("REQUIRED_FIELD_MISSING", message, &missing))
}

fn keep(org: &Org, field: &Field, value: &Value) -> Result<Value, ApiError> {
    let name = field.name.as_str();
    if value.is_null() {
        return Ok(Value::Null);
    }
    let misread = |what: &str| {
        let kind = match value {
            Value::String(_) => "VALUE_STRING",
            Value::Number(_) => "VALUE_NUMBER",
            Value::Bool(_) => "VALUE_BOOLEAN",
            _ => "START_OBJECT",
        };
        let message = format!("Cannot deserialize instance of {what} from {kind} value {value}");
        ApiError::new("JSON_PARSER_ERROR", message, &[])
    };
    match &field.holds {
        Type::Checkbox => value.as_bool().map(Value::Bool).ok_or_else(|| misread("boolean")),
        Type::Number(before, _) => number(name, value, *before).ok_or_else(|| misread("double"))?,
        Type::Currency => number(name, value, 16).ok_or_else(|| misread("currency"))?,
        Type::Date => {
            let text = value.as_str().ok_or_else(|| misread("date"))?;
            parse_date(text).map(|_| json!(text)).ok_or_else(|| misread("date"))
        }
        Type::DateTime => {
            let text = value.as_str().ok_or_else(|| misread("datetime"))?;
            parse_iso(text).map(|ms| json!(time(ms))).ok_or_else(|| misread("datetime"))
        }
        _ => {
            let text = value.as_str().ok_or_else(|| misread("string"))?;
            words(org, field, text)
        }
    }
}

/// A number within the field's digits. `None` if the value is not a number.
fn number(name: &str, value: &Value, before: u32) -> Option<Result<Value, ApiError>> {
    let number = value.as_f64()?;
    let most = 10_f64.powi(i32::try_from(before).unwrap_or(18));
    if number.abs() < most {
        return Some(Ok(value.clone()));
    }
    let message = format!("{name}: value outside of valid range on numeric field: {value}");
    Some(Err(ApiError::new("NUMBER_OUTSIDE_VALID_RANGE", message, &[name])))
}

fn words(org: &Org, field: &Field, text: &str) -> Result<Value, ApiError> {
    let name = field.name.as_str();
    let longest = match &field.holds {
        Type::Text(longest) | Type::LongText(longest) => *longest,
        Type::Email => 80,
        Type::Phone => 40,
        _ => 255,
    };
    if text.chars().count() > longest {
        let shown: String = text.chars().take(40).collect();
        let label = &field.label;
        let message = format!("{label}: data value too large: {shown} (max length={longest})");
        return Err(ApiError::new("STRING_TOO_LONG", message, &[name]));
    }
    match &field.holds {
        Type::Email if !text.is_empty() && !is_email(text) => {
            let message = format!("{}: invalid email address: {text}", field.label);
            Err(ApiError::new("INVALID_EMAIL_ADDRESS", message, &[name]))
        }
        Type::Picklist(values, true) if !values.contains(&text) => {
            let message =
                format!("{}: bad value for restricted picklist field: {text}", field.label);
            Err(ApiError::new("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, &[name]))
        }
        Type::Reference(targets) => {
            let Some(found) = org.find(text) else {
                let message = format!("{}: id value of incorrect type: {text}", field.label);
                return Err(ApiError::new("MALFORMED_ID", message, &[name]));
            };
            if !targets.contains(&found.object.as_str()) {
                let message = format!("{}: id value of incorrect type: {text}", field.label);
                return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message, &[name]));
            }
            if found.is("IsConverted") {
                let message = "cannot reference converted lead";
                return Err(ApiError::new("CANNOT_UPDATE_CONVERTED_LEAD", message, &[name]));
            }
            Ok(json!(found.id))
        }
        // An empty string is stored as null.
        _ if text.is_empty() => Ok(Value::Null),
        _ => Ok(json!(text)),
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_clean = !text.chars().any(|sign| sign.is_whitespace() || sign.is_control());
    let is_domain = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    is_clean && is_domain && !local.is_empty() && !local.contains('@')
}
