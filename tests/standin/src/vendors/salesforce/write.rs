//! Creating, changing and deleting a single record, and the rules that can refuse it.

use super::error::{self, ApiError};
use super::record::{Org, time};
use super::{tooling, value};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Map, Value, json};

/// The rules that a request's headers and the settings choose.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// Whether a new lead with a known e-mail is refused.
    pub(super) refuses_duplicates: bool,
}

impl Rules {
    pub(super) fn of(world: &World, request: &Request) -> Self {
        let header = request.header("sforce-duplicate-rule-header").unwrap_or_default();
        let is_allowed = header.split(';').any(|part| part.trim() == "allowSave=true");
        Self { refuses_duplicates: world.settings.duplicate_rule && !is_allowed }
    }
}

/// `POST /sobjects/{object}`.
pub(super) fn create(org: &mut Org, world: &mut World, request: &Request, object: &str) -> Outcome {
    let body = error::body(request)?;
    let rules = Rules::of(world, request);
    let fields = body.as_object().cloned().unwrap_or_default();
    let id = insert(org, world, object, &fields, rules);
    let id = id.map_err(|wrong| wrong.answer())?;
    let location = format!("{}/{id}", request.path);
    let answer = Answer::json(201, json!({ "id": id, "success": true, "errors": [] }));
    Ok(answer.with("Location", location))
}

/// Stores a new record. Returns its id.
pub(super) fn insert(
    org: &mut Org,
    world: &mut World,
    object: &str,
    body: &Map<String, Value>,
    rules: Rules,
) -> Result<String, ApiError> {
    let fields = value::read(org, object, body)?;
    value::required(org, object, &fields)?;
    unique(org, object, None, &fields)?;
    if object == "Lead" && rules.refuses_duplicates {
        duplicate(org, &fields)?;
    }
    if object == "CampaignMember" {
        membership(org, &fields)?;
    }
    if object == "FieldPermissions" {
        tooling::permit(org, &fields)?;
    }
    let id = org.add(world.next_number(), object, &json!(fields), world.now_ms());
    follow(org, world, &id);
    Ok(id)
}

/// Changes a record.
pub(super) fn change(
    org: &mut Org,
    world: &mut World,
    id: &str,
    body: &Map<String, Value>,
) -> Result<(), ApiError> {
    let Some(record) = org.find(id).cloned() else {
        return Err(gone(org, id));
    };
    if record.is("IsConverted") {
        let message = "cannot reference converted lead";
        return Err(ApiError::new("CANNOT_UPDATE_CONVERTED_LEAD", message, &[]));
    }
    let fields = value::read(org, &record.object, body)?;
    let mut whole: Map<String, Value> = record.fields.clone().into_iter().collect();
    whole.extend(fields.clone());
    value::required(org, &record.object, &whole)?;
    unique(org, &record.object, Some(&record.id), &fields)?;
    let now_ms = world.now_ms();
    if let Some(record) = org.records.get_mut(&record.id) {
        record.set(&fields, now_ms);
    }
    follow(org, world, &record.id);
    Ok(())
}

fn gone(org: &Org, id: &str) -> ApiError {
    if org.deleted.iter().any(|(_, deleted, _)| deleted == id) {
        return ApiError::new("ENTITY_IS_DELETED", "entity is deleted", &[]);
    }
    ApiError::new("NOT_FOUND", "The requested resource does not exist", &[])
}

/// Updates what Salesforce derives from a record after a write.
pub(super) fn follow(org: &mut Org, world: &mut World, id: &str) {
    let now_ms = world.now_ms();
    let Some(record) = org.records.get_mut(id) else { return };
    if matches!(record.object.as_str(), "Lead" | "Contact") {
        let parts = [record.text("FirstName"), record.text("LastName")];
        let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        record.fields.insert("Name".to_owned(), json!(name));
    }
    if record.object != "Opportunity" {
        return;
    }
    let stage = record.text("StageName").unwrap_or_default().to_owned();
    record.fields.insert("IsClosed".to_owned(), json!(stage.starts_with("Closed")));
    record.fields.insert("IsWon".to_owned(), json!(stage == "Closed Won"));
    let entry = json!({
        "OpportunityId": id, "StageName": stage, "Amount": record.fields.get("Amount"),
        "CloseDate": record.fields.get("CloseDate")
    });
    let last = org.of("OpportunityHistory").filter(|one| one.text("OpportunityId") == Some(id));
    let is_known = last.last().is_some_and(|last| {
        let same = |name| last.fields.get(name).unwrap_or(&Value::Null) == &entry[name];
        ["StageName", "Amount", "CloseDate"].into_iter().all(same)
    });
    if !is_known {
        org.add(world.next_number(), "OpportunityHistory", &entry, now_ms);
    }
}

fn unique(
    org: &Org,
    object: &str,
    own: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<(), ApiError> {
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let is_unique = org.schema.field(object, name).is_some_and(|field| field.is_unique);
        let lower = |value: &Value| value.as_str().map(str::to_lowercase);
        let holder = org.of(object).find(|record| {
            Some(record.id.as_str()) != own
                && record.fields.get(name).is_some_and(|held| lower(held) == lower(value))
        });
        if let Some(holder) = holder.filter(|_| is_unique) {
            let message = format!(
                "duplicate value found: {name} duplicates value on record with id: {}",
                &holder.id[..15]
            );
            return Err(ApiError::new("DUPLICATE_VALUE", message, &[]));
        }
    }
    Ok(())
}

/// The standard duplicate rule: refuses the e-mail of an open lead or of a contact.
fn duplicate(org: &Org, fields: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(email) = fields.get("Email").and_then(Value::as_str) else { return Ok(()) };
    let mut people = org.of("Lead").chain(org.of("Contact"));
    let is_known = people.any(|record| {
        let held = record.text("Email").is_some_and(|held| held.eq_ignore_ascii_case(email));
        held && !record.is("IsConverted")
    });
    if is_known {
        return Err(ApiError::new("DUPLICATES_DETECTED", "Use one of these records?", &[]));
    }
    Ok(())
}

fn membership(org: &Org, fields: &Map<String, Value>) -> Result<(), ApiError> {
    let person = |fields: &dyn Fn(&str) -> Option<Value>| {
        fields("LeadId").or_else(|| fields("ContactId")).filter(|value| !value.is_null())
    };
    let Some(wanted) = person(&|name| fields.get(name).cloned()) else {
        let message = "Required fields are missing: [LeadId, ContactId]";
        return Err(ApiError::new("REQUIRED_FIELD_MISSING", message, &["LeadId", "ContactId"]));
    };
    let is_member = org.of("CampaignMember").any(|member| {
        member.fields.get("CampaignId") == fields.get("CampaignId")
            && person(&|name| member.fields.get(name).cloned()) == Some(wanted.clone())
    });
    if is_member {
        return Err(ApiError::new("DUPLICATE_VALUE", "Already a campaign member.", &[]));
    }
    Ok(())
}

/// `PATCH /sobjects/{object}/{id}`: 204.
pub(super) fn update(
    org: &mut Org,
    world: &mut World,
    request: &Request,
    object: &str,
    id: &str,
) -> Outcome {
    let body = error::body(request)?;
    let fields = body.as_object().cloned().unwrap_or_default();
    if org.find(id).is_some_and(|record| record.object != object) {
        return Err(error::not_found());
    }
    change(org, world, id, &fields).map_err(|wrong| wrong.answer())?;
    Ok(Answer::empty(204))
}

/// `DELETE /sobjects/{object}/{id}`: 204.
pub(super) fn delete(org: &mut Org, world: &World, object: &str, id: &str) -> Outcome {
    let Some(record) = org.find(id).filter(|record| record.object == object).cloned() else {
        return Err(gone(org, id).answer());
    };
    org.records.remove(&record.id);
    org.deleted.push((record.object, record.id, world.now_ms()));
    Ok(Answer::empty(204))
}

/// An entry of `GET …/deleted`.
pub(super) fn show_deleted(id: &str, at_ms: i64) -> Value {
    json!({ "id": id, "deletedDate": time(at_ms) })
}
