//! Declares our properties, in a property group of their own.

use super::account::Hubspot;
use super::error::HubspotError;
use super::words::{BATCH, unreadable};
use crate::call::Request;
use crate::crm::adapter::{Declared, DeclaredField};
use crate::error::CallError;
use serde_json::{Value, json};
use shared::fields::catalogue::{self, Field, FieldKind};
use shared::fields::naming::Crm;
use std::collections::BTreeMap;

/// The group of our properties.
const GROUP: &str = "clew";
const GROUP_LABEL: &str = "Clew";

impl Hubspot {
    /// Declares missing properties. The lead's id is always included: it is the only key of
    /// contacts without an e-mail address.
    pub(super) async fn declare_properties(
        &self,
        wanted: &[&'static Field],
    ) -> Result<Declared, CallError> {
        let mut wanted = wanted.to_vec();
        let has_lead = wanted.iter().any(|field| field.name == "lead_id");
        wanted.extend(catalogue::find("lead_id").filter(|_| !has_lead));
        let there = self.properties().await?;
        let name = |field: &Field| Crm::Hubspot.field_name(&self.prefix, field);
        let missing: Vec<Value> = wanted
            .iter()
            .filter(|field| !there.contains_key(&name(field)))
            .map(|field| property(field, &name(field)))
            .collect();
        self.create(&missing).await?;
        let mut declared = Declared::default();
        for field in wanted {
            let there = there.get(&name(field));
            declared.advice.extend(there.and_then(|there| advice(field, there)));
            let kind = match there {
                Some(there) => there["type"].as_str().unwrap_or_default(),
                None => types(field.kind).0,
            };
            declared.fields.push(DeclaredField {
                name: field.name.clone(),
                there: name(field),
                kind: kind.to_owned(),
                made: there.is_none(),
            });
        }
        Ok(declared)
    }

    /// The contact properties by name.
    async fn properties(&self) -> Result<BTreeMap<String, Value>, CallError> {
        let path = self.paths.properties("contacts");
        let body = self.ask(&Request::get(&path), "").await?;
        let listed = body["results"].as_array().ok_or_else(|| unreadable("results"))?;
        let named =
            listed.iter().filter_map(|one| Some((one["name"].as_str()?.to_owned(), one.clone())));
        Ok(named.collect())
    }

    async fn create(&self, missing: &[Value]) -> Result<(), CallError> {
        if missing.is_empty() {
            return Ok(());
        }
        let group = json!({ "name": GROUP, "label": GROUP_LABEL, "displayOrder": -1 });
        match self.post(&self.paths.properties("contacts/groups"), &group).await {
            // The group already exists.
            Ok(_) | Err(HubspotError::Conflict(_)) => {}
            Err(refusal) => return Err(refusal.into()),
        }
        let path = self.paths.properties("contacts/batch/create");
        for inputs in missing.chunks(BATCH) {
            let body = json!({ "inputs": inputs });
            // Someone else may declare them at the same time.
            self.ask(&Request::post(&path, &body), "OBJECT_ALREADY_EXISTS").await?;
        }
        Ok(())
    }
}

/// HubSpot's value type and form field type. Enumerations are declared as text: a HubSpot
/// enumeration would refuse values that are added here later.
fn types(kind: FieldKind) -> (&'static str, &'static str) {
    match kind {
        FieldKind::Text(_) | FieldKind::Url(_) | FieldKind::Enum(_) | FieldKind::Channel => {
            ("string", "text")
        }
        FieldKind::LongText | FieldKind::Json => ("string", "textarea"),
        FieldKind::Integer | FieldKind::Decimal => ("number", "number"),
        FieldKind::Time => ("datetime", "date"),
    }
}

fn property(field: &Field, name: &str) -> Value {
    let (value_type, field_type) = types(field.kind);
    let mut property = json!({
        "name": name, "label": field.label, "description": field.description,
        "groupName": GROUP, "type": value_type, "fieldType": field_type,
    });
    if field.name == "lead_id" {
        property["hasUniqueValue"] = json!(true);
    }
    property
}

/// What is wrong with an existing property. We do not change it.
fn advice(field: &Field, there: &Value) -> Option<String> {
    let name = there["name"].as_str().unwrap_or_default();
    let (expected, _) = types(field.kind);
    let found = there["type"].as_str().unwrap_or_default();
    if found != expected {
        return Some(format!(
            "the property {name} has the type {found} but should be {expected}: archive it in \
             HubSpot and run `clew crm setup` again, or remove `{}` from `fields`",
            field.name
        ));
    }
    if field.name == "lead_id" && there["hasUniqueValue"] == false {
        return Some(format!(
            "the property {name} does not require unique values, so leads without an e-mail \
             address cannot be handed off: archive it in HubSpot and run `clew crm setup` again"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_by_kind() {
        for (name, expected) in [
            ("first_click_source", ("string", "text")),
            ("first_click_landing_page", ("string", "text")),
            ("first_click_channel", ("string", "text")),
            ("journey_summary", ("string", "textarea")),
            ("journey_json", ("string", "textarea")),
            ("visits_count", ("number", "number")),
            ("revenue", ("number", "number")),
            ("first_click_at", ("datetime", "date")),
        ] {
            let field = catalogue::find(name).unwrap();
            assert_eq!(types(field.kind), expected, "{name}");
            assert_eq!(property(field, name)["hasUniqueValue"], Value::Null);
        }
        let lead = catalogue::find("lead_id").unwrap();
        assert_eq!(property(lead, "clew_lead_id")["hasUniqueValue"], json!(true));
    }

    #[test]
    fn what_is_there_is_judged() {
        for (name, there, expected) in [
            ("visits_count", json!({ "name": "x", "type": "number" }), None),
            (
                "visits_count",
                json!({ "name": "x", "type": "string" }),
                Some("but should be number"),
            ),
            ("lead_id", json!({ "name": "x", "type": "string", "hasUniqueValue": true }), None),
            (
                "lead_id",
                json!({ "name": "x", "type": "string", "hasUniqueValue": false }),
                Some("unique values"),
            ),
        ] {
            let found = advice(catalogue::find(name).unwrap(), &there);
            match (&found, expected) {
                (Some(found), Some(part)) => assert!(found.contains(part), "{found}"),
                _ => assert_eq!(found.as_deref(), expected, "{name} {there}"),
            }
        }
    }
}
