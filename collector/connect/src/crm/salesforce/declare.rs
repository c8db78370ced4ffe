//! Declares our fields on Lead and Contact, and gives the integration's user access to them.

use super::error::{SalesforceError, incomplete_response};
use super::organization::Salesforce;
use super::person::{LONG_TEXT, SHORT_TEXT, WORD, key};
use super::soql::text;
use crate::call::Request;
use crate::crm::adapter::{Declared, DeclaredField};
use reqwest::Method;
use serde_json::{Value, json};
use shared::fields::catalogue::{Field, FieldKind, find};
use shared::fields::naming::Crm;
use std::collections::BTreeMap;

/// The types of records that represent a person.
const OBJECTS: [&str; 2] = ["Lead", "Contact"];
/// The most requests in one composite call.
const PARTS: usize = 25;
const MAP_LEAD_FIELDS: &str = "Setup > Object Manager > Lead > Fields & Relationships > Map Lead \
    Fields: map each of these Lead fields to the Contact field of the same name, so that its value is \
    kept when the Lead is converted.";

/// The fields of an object that the user can see, by name.
pub(super) type Described = BTreeMap<String, Value>;

impl Salesforce {
    pub(super) async fn describe(&self, object: &str) -> Result<Described, SalesforceError> {
        let path = format!("{}/sobjects/{object}/describe", self.data);
        let mut body = self.call(&Request::get(&path)).await?;
        let fields = body.get_mut("fields").map(Value::take);
        let Some(Value::Array(fields)) = fields else {
            return Err(incomplete_response("list of fields"));
        };
        let named = fields.into_iter().filter_map(|field| {
            let name = text(&field, "name")?.to_owned();
            Some((name, field))
        });
        Ok(named.collect())
    }

    /// Creates missing fields and grants access to them as it goes, so that an interrupted attempt
    /// can continue where it stopped.
    pub(super) async fn declare_fields(
        &self,
        wanted: &[&'static Field],
    ) -> Result<Declared, SalesforceError> {
        let described = [self.describe("Lead").await?, self.describe("Contact").await?];
        let key = key(&self.prefix);
        let mut declared = Declared::default();
        let mut made = Vec::new();
        let lead_id =
            find("lead_id").filter(|_| wanted.iter().all(|field| field.name != "lead_id"));
        for field in wanted.iter().copied().chain(lead_id) {
            let there = Crm::Salesforce.field_name(&self.prefix, field);
            let metadata = metadata(field, &there, there == key);
            let mut is_made = false;
            for (object, described) in OBJECTS.into_iter().zip(&described) {
                let full = format!("{object}.{there}");
                if let Some(found) = described.get(&there) {
                    declared.advice.extend(corrections(&full, found, &metadata));
                    continue;
                }
                if self.known_columns().is_declared(&full, self.caller.now_ms()) {
                    continue;
                }
                is_made |= self.make(&full, &metadata).await?;
                made.push(full);
                if made.len() == PARTS {
                    self.permit(&std::mem::take(&mut made)).await?;
                }
            }
            let kind = described[0].get(&there).map_or_else(|| words(&metadata), describe_words);
            let name = field.name.clone();
            declared.fields.push(DeclaredField { name, there, kind, made: is_made });
        }
        self.permit(&made).await?;
        self.known_columns().absent.clear();
        if self.own.permission_set.is_none() && declared.fields.iter().any(|field| field.made) {
            declared.advice.push(
                "At first nobody can see a new field. Give the integration's user read and edit \
                 access to the fields in a permission set, or set salesforce.permission_set to \
                 its id and run `clew crm setup` again."
                    .into(),
            );
        }
        declared.advice.push(MAP_LEAD_FIELDS.into());
        Ok(declared)
    }

    /// Creates a field. Returns `false` if it already existed but was not visible.
    async fn make(&self, full: &str, metadata: &Value) -> Result<bool, SalesforceError> {
        let path = format!("{}/tooling/sobjects/CustomField", self.data);
        let body = json!({ "FullName": full, "Metadata": metadata });
        let made = match self.call(&Request::post(&path, &body)).await {
            Ok(_) => true,
            Err(SalesforceError::Exists { .. }) => false,
            Err(failure) => return Err(failure),
        };
        if self.own.permission_set.is_none() {
            self.keep_declared(full);
        }
        Ok(made)
    }

    async fn permit(&self, made: &[String]) -> Result<(), SalesforceError> {
        let Some(set) = &self.own.permission_set else { return Ok(()) };
        if made.is_empty() {
            return Ok(());
        }
        let url = format!("{}/sobjects/FieldPermissions", self.data);
        let parts = made.iter().map(|full| {
            let object = full.split('.').next();
            let permission = json!({
                "ParentId": set, "SobjectType": object, "Field": full,
                "PermissionsRead": true, "PermissionsEdit": true,
            });
            (Method::POST, url.clone(), permission)
        });
        for permitted in self.composite(parts.collect()).await? {
            match permitted {
                Ok(_) | Err(SalesforceError::Exists { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        made.iter().for_each(|full| self.keep_declared(full));
        Ok(())
    }

    /// Remembers a declared field, so that an interrupted declaration can continue where it
    /// stopped, even if the user cannot see the field.
    fn keep_declared(&self, full: &str) {
        let now_ms = self.caller.now_ms();
        self.known_columns().declared.insert(full.to_owned(), now_ms);
    }
}

/// The metadata to declare a field with.
fn metadata(field: &Field, there: &str, is_key: bool) -> Value {
    // Labels, like names, have at most 40 characters.
    let label = there.trim_end_matches("__c").replace('_', " ");
    let mut metadata = match field.kind {
        FieldKind::Text(limit) if limit <= SHORT_TEXT => json!({ "type": "Text", "length": limit }),
        FieldKind::Url(limit) if limit <= SHORT_TEXT => json!({ "type": "Url" }),
        FieldKind::Enum(_) | FieldKind::Channel => json!({ "type": "Text", "length": WORD }),
        FieldKind::Integer => json!({ "type": "Number", "precision": 18, "scale": 0 }),
        FieldKind::Decimal => json!({ "type": "Number", "precision": 18, "scale": 2 }),
        FieldKind::Time => json!({ "type": "DateTime" }),
        FieldKind::Text(_) | FieldKind::Url(_) | FieldKind::LongText | FieldKind::Json => {
            json!({ "type": "LongTextArea", "length": LONG_TEXT, "visibleLines": 5 })
        }
    };
    metadata["label"] = label.into();
    if metadata["type"] != "LongTextArea" {
        metadata["required"] = false.into();
    }
    if metadata["type"] == "Text" {
        metadata["unique"] = is_key.into();
        metadata["externalId"] = is_key.into();
    }
    if is_key {
        metadata["caseSensitive"] = false.into();
    }
    metadata
}

/// A type as text: `Text(255)`.
fn words(metadata: &Value) -> String {
    let kind = metadata["type"].as_str().unwrap_or_default();
    match metadata["length"].as_u64() {
        Some(length) => format!("{kind}({length})"),
        None => kind.to_owned(),
    }
}

/// The type of an existing field as text.
fn describe_words(described: &Value) -> String {
    let kind = match described["type"].as_str().unwrap_or_default() {
        "string" => "Text",
        "textarea" => "LongTextArea",
        "url" => "Url",
        "double" => "Number",
        "datetime" => "DateTime",
        "boolean" => "Checkbox",
        other => other,
    };
    match described["length"].as_u64().filter(|length| *length > 0 && kind != "Url") {
        Some(length) => format!("{kind}({length})"),
        None => kind.to_owned(),
    }
}

/// What someone has to correct in an existing field.
fn corrections(full: &str, described: &Value, metadata: &Value) -> Vec<String> {
    let mut advice = Vec::new();
    let (found, wanted) = (describe_words(described), words(metadata));
    let kind = |words: &str| words.split('(').next().map(str::to_owned);
    if kind(&found) != kind(&wanted) {
        advice.push(format!("{full} has the type {found}; it should be {wanted}."));
    } else if described["length"].as_u64() < metadata["length"].as_u64() {
        advice.push(format!("{full} has the type {found}; longer values are refused."));
    }
    if described["updateable"] != true {
        advice.push(format!("{full}: the integration's user cannot edit it."));
    }
    if metadata["externalId"] == true && described["externalId"] != true {
        advice.push(format!("{full} should be a unique External ID."));
    }
    advice
}
