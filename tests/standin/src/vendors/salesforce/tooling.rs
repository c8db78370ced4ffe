//! Custom fields through the Tooling API, and permissions to see them.

use super::error::{self, ApiError};
use super::record::{self, Org};
use super::schema::{Field, Type};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Map, Value, json};

/// The longest name of a custom field, without `__c`.
const LONGEST_NAME: usize = 40;

/// `POST /tooling/sobjects/CustomField`.
pub(super) fn custom_field(org: &mut Org, world: &mut World, request: &Request) -> Outcome {
    let body = error::body(request)?;
    let (object, field) = read(org, &body).map_err(|wrong| wrong.answer())?;
    let fields = org.schema.objects.get_mut(&object);
    let fields = &mut fields.ok_or_else(error::not_found)?.fields;
    if fields.iter().any(|known| known.name.eq_ignore_ascii_case(&field.name)) {
        let name = field.name.trim_end_matches("__c");
        let message = format!("There is already a field named {name} on {object}.");
        return Err(error::error(400, "DUPLICATE_DEVELOPER_NAME", &message));
    }
    fields.push(field);
    let id = record::id("00N", world.next_number());
    let made = json!({ "id": id, "success": true, "errors": [], "warnings": [], "infos": [] });
    Ok(Answer::json(201, made))
}

fn read(org: &Org, body: &Value) -> Result<(String, Field), ApiError> {
    let wrong = |message: String| ApiError::new("FIELD_INTEGRITY_EXCEPTION", message, &[]);
    let members = body.as_object().map(|body| body.keys().cloned().collect::<Vec<_>>());
    let unknown =
        members.into_iter().flatten().find(|name| name != "FullName" && name != "Metadata");
    if let Some(name) = unknown {
        let message = format!("No such column '{name}' on sobject of type CustomField");
        return Err(ApiError::new("INVALID_FIELD", message, &[]));
    }
    let full = body["FullName"].as_str().unwrap_or_default();
    let (object, name) = full.split_once('.').unwrap_or_default();
    if org.schema.object(object).is_none() {
        return Err(wrong(format!("FullName {full:?} is not Object.Field__c of a known object")));
    }
    let bare = name.strip_suffix("__c").unwrap_or_default();
    let is_name = bare.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && bare.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_')
        && !bare.contains("__")
        && !bare.ends_with('_')
        && bare.len() <= LONGEST_NAME;
    if !is_name {
        return Err(wrong(format!(
            "{name:?} is not a name: letters, digits and single _, at most {LONGEST_NAME}, then __c"
        )));
    }
    let metadata = &body["Metadata"];
    let label = metadata["label"].as_str().unwrap_or_default();
    if label.is_empty() || label.chars().count() > 40 {
        return Err(wrong(format!("{name}: label is required, 40 characters at most")));
    }
    let flag = |flag: &str| metadata[flag].as_bool().unwrap_or_default();
    let field = Field {
        name: name.to_owned(),
        label: label.to_owned(),
        holds: holds(metadata).map_err(|message| wrong(format!("{name}: {message}")))?,
        is_required: flag("required"),
        is_writable: true,
        is_unique: flag("unique"),
        is_external_id: flag("externalId"),
        may_read: false,
        may_edit: false,
    };
    Ok((object.to_owned(), field))
}

fn holds(metadata: &Value) -> Result<Type, String> {
    let number = |name: &str, low: u64, high: u64| {
        let found = metadata[name].as_u64().filter(|found| (low..=high).contains(found));
        found.ok_or(format!("{name} is {low} to {high}"))
    };
    let size = |number: u64| usize::try_from(number).unwrap_or_default();
    Ok(match metadata["type"].as_str().unwrap_or_default() {
        "Text" => Type::Text(size(number("length", 1, 255)?)),
        "LongTextArea" => {
            number("visibleLines", 2, 50)?;
            Type::LongText(size(number("length", 256, 131_072)?))
        }
        "Number" => {
            let (precision, scale) = (number("precision", 1, 18)?, number("scale", 0, 17)?);
            let before = precision.checked_sub(scale).ok_or("scale is more than precision")?;
            let part = |number: u64| u32::try_from(number).unwrap_or_default();
            Type::Number(part(before), part(scale))
        }
        "DateTime" => Type::DateTime,
        "Date" => Type::Date,
        "Url" => Type::Url,
        "Checkbox" => {
            if !matches!(metadata["defaultValue"].as_str(), Some("true" | "false")) {
                return Err("defaultValue is \"true\" or \"false\"".to_owned());
            }
            Type::Checkbox
        }
        other => return Err(format!("{other:?} is not a type of field that is known here")),
    })
}

/// Applies a new `FieldPermissions` record to the field that it names.
pub(super) fn permit(org: &mut Org, fields: &Map<String, Value>) -> Result<(), ApiError> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let flag = |name: &str| fields.get(name) == Some(&json!(true));
    let (object, full) = (text("SobjectType"), text("Field"));
    let name = full.strip_prefix(object).and_then(|rest| rest.strip_prefix('.'));
    let field = org.schema.objects.get_mut(object).and_then(|object| {
        object.fields.iter_mut().find(|field| Some(field.name.as_str()) == name)
    });
    let Some(field) = field else {
        let message = format!("Field Name: bad value for restricted picklist field: {full}");
        let code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
        return Err(ApiError::new(code, message, &["Field"]));
    };
    if flag("PermissionsEdit") && !flag("PermissionsRead") {
        let message = "Permission Edit depends on permission Read";
        return Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message, &["PermissionsEdit"]));
    }
    field.may_read |= flag("PermissionsRead");
    field.may_edit |= flag("PermissionsEdit");
    Ok(())
}
