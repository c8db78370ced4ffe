//! Declaring properties and groups.

use super::account::Account;
use super::schema::{FIELD_TYPES, Group, Kind, Property, TYPES};
use super::{auth, error};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{World, iso_ms};
use serde_json::{Value, json};

const MEMBERS: [&str; 12] = [
    "name",
    "label",
    "groupName",
    "type",
    "fieldType",
    "description",
    "options",
    "displayOrder",
    "hasUniqueValue",
    "hidden",
    "formField",
    "externalOptions",
];

pub(super) fn route(
    account: &mut Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
    rest: &[&str],
) -> Outcome {
    let noun = if kind == Kind::Note { "contacts" } else { kind.names().0 };
    let verb = if request.method == "GET" { "read" } else { "write" };
    auth::need(world, &format!("crm.schemas.{noun}.{verb}"))?;
    match (request.method.as_str(), rest) {
        ("GET", []) => {
            let all: Vec<Value> = account.schema.of(kind).map(Property::show).collect();
            Ok(Answer::json(200, json!({ "results": all })))
        }
        ("POST", []) => {
            let body = error::body(world, request, &MEMBERS)?;
            let made = declare(account, world, kind, &body)?;
            made.map(|made| Answer::json(201, made)).map_err(|refusal| refusal.answer(world))
        }
        ("POST", ["batch", "create"]) => create(account, world, request, kind),
        ("GET", ["groups"]) => {
            let groups = account.schema.groups.iter();
            let own: Vec<&Group> =
                groups.filter(|((of, _), _)| *of == kind).map(|(_, group)| group).collect();
            Ok(Answer::json(200, json!({ "results": own })))
        }
        ("POST", ["groups"]) => group(account, world, request, kind),
        (_, [] | ["groups"] | ["batch", "create"]) => Err(error::wrong_method(world)),
        ("GET", [name]) => match account.schema.property(kind, name) {
            Some(property) => Ok(Answer::json(200, property.show())),
            None => Err(error::not_found(world, &format!("Property {name} does not exist"))),
        },
        ("DELETE", [name]) => {
            account.schema.properties.remove(&(kind, (*name).to_owned()));
            Ok(Answer::empty(204))
        }
        (_, [_]) => Err(error::wrong_method(world)),
        _ => Err(error::not_found(world, "resource not found")),
    }
}

fn group(account: &mut Account, world: &mut World, request: &Request, kind: Kind) -> Outcome {
    let body = error::body(world, request, &["name", "label", "displayOrder"])?;
    let (Some(name), Some(label)) = (body["name"].as_str(), body["label"].as_str()) else {
        return Err(error::invalid(world, "name and label are required"));
    };
    if !is_name(name) {
        return Err(error::invalid(world, &format!("{name} is not a name: a-z, 0-9 and _")));
    }
    let key = (kind, name.to_owned());
    if account.schema.groups.contains_key(&key) {
        let message = format!("A property group named {name} already exists.");
        return Err(error::error(world, 409, "CONFLICT", &message));
    }
    let display_order = body["displayOrder"].as_i64().unwrap_or(-1);
    let group =
        Group { name: name.to_owned(), label: label.to_owned(), display_order, archived: false };
    let shown = json!(group);
    account.schema.groups.insert(key, group);
    Ok(Answer::json(201, shown))
}

/// Why a property was not declared.
enum Refusal {
    Exists(String),
    Invalid(String),
}

impl Refusal {
    fn answer(&self, world: &mut World) -> Answer {
        match self {
            Self::Exists(message) => error::error(world, 409, "OBJECT_ALREADY_EXISTS", message),
            Self::Invalid(message) => error::invalid(world, message),
        }
    }
}

fn create(account: &mut Account, world: &mut World, request: &Request, kind: Kind) -> Outcome {
    let body = error::body(world, request, &["inputs"])?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in error::inputs(world, &body)? {
        match declare(account, world, kind, &input)? {
            Ok(made) => results.push(made),
            Err(Refusal::Exists(message)) => {
                errors.push(error::part("OBJECT_ALREADY_EXISTS", &message, &json!({})));
            }
            Err(Refusal::Invalid(message)) => {
                errors.push(error::part("VALIDATION_ERROR", &message, &json!({})));
            }
        }
    }
    let now = iso_ms(world.now_ms());
    let mut body =
        json!({ "status": "COMPLETE", "startedAt": now, "completedAt": now, "results": results });
    if errors.is_empty() {
        return Ok(Answer::json(201, body));
    }
    body["numErrors"] = json!(errors.len());
    body["errors"] = json!(errors);
    Ok(Answer::json(207, body))
}

fn declare(
    account: &mut Account,
    world: &mut World,
    kind: Kind,
    input: &Value,
) -> Result<Result<Value, Refusal>, Answer> {
    error::members(world, input, &MEMBERS)?;
    let property = match read(account, kind, input) {
        Ok(property) => property,
        Err(message) => return Ok(Err(Refusal::Invalid(message))),
    };
    let key = (kind, property.name.clone());
    if account.schema.properties.contains_key(&key) {
        let message = format!("A property named '{}' already exists.", property.name);
        return Ok(Err(Refusal::Exists(message)));
    }
    let shown = property.show();
    account.schema.properties.insert(key, property);
    Ok(Ok(shown))
}

fn read(account: &Account, kind: Kind, input: &Value) -> Result<Property, String> {
    let text = |name: &str| {
        let found = input[name].as_str().filter(|text| !text.is_empty());
        found.map(str::to_owned).ok_or(format!("{name} is required"))
    };
    let property = Property {
        name: text("name")?,
        label: text("label")?,
        value_type: text("type")?,
        field_type: text("fieldType")?,
        group_name: text("groupName")?,
        description: input["description"].as_str().unwrap_or_default().to_owned(),
        options: input["options"].as_array().cloned().unwrap_or_default(),
        display_order: input["displayOrder"].as_i64().unwrap_or(-1),
        has_unique_value: input["hasUniqueValue"].as_bool().unwrap_or_default(),
        hidden: input["hidden"].as_bool().unwrap_or_default(),
        archived: false,
        is_read_only: false,
    };
    let Property { name, value_type, field_type, group_name, .. } = &property;
    if !is_name(name) {
        return Err(format!("{name} is not a name: a-z, 0-9 and _, a letter first"));
    }
    if !TYPES.contains(&value_type.as_str()) {
        return Err(format!("{value_type} is not a type: {}", TYPES.join(", ")));
    }
    if !FIELD_TYPES.contains(&field_type.as_str()) {
        return Err(format!("{field_type} is not a fieldType: {}", FIELD_TYPES.join(", ")));
    }
    if !is_pair(value_type, field_type) {
        return Err(format!("the fieldType {field_type} does not go with the type {value_type}"));
    }
    if !account.schema.groups.contains_key(&(kind, group_name.clone())) {
        return Err(format!("The property group {group_name} does not exist"));
    }
    if value_type == "enumeration" && property.options.is_empty() {
        return Err(format!("{name} is an enumeration and has no options"));
    }
    Ok(property)
}

/// Whether a type can have a field type.
fn is_pair(value_type: &str, field_type: &str) -> bool {
    match value_type {
        "bool" => matches!(field_type, "booleancheckbox" | "calculation_equation"),
        "date" | "datetime" => field_type == "date",
        "enumeration" => matches!(field_type, "booleancheckbox" | "checkbox" | "radio" | "select"),
        "number" => matches!(field_type, "number" | "calculation_equation"),
        "phone_number" => field_type == "phonenumber",
        _ => matches!(
            field_type,
            "file" | "html" | "text" | "textarea" | "phonenumber" | "calculation_equation"
        ),
    }
}

fn is_name(name: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    name.chars().all(is_sign) && name.starts_with(|sign: char| sign.is_ascii_lowercase())
}
