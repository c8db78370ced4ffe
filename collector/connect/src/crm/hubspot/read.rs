//! Reads the current state of records by their ids.

use super::account::Hubspot;
use super::deal;
use super::words::{BATCH, CONTACT, DEAL, MISSING, contact, id, text, unreadable};
use crate::call::Request;
use crate::crm::record::{DealPerson, RecordRef, RecordState};
use crate::error::CallError;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The most pages of one record's associations to read; a page has hundreds.
const MOST_PAGES: usize = 20;

/// An associated record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Associated {
    pub(super) id: String,
    /// Whether a label marks it as the primary one.
    is_primary: bool,
}

impl Hubspot {
    pub(super) async fn read_records(
        &self,
        records: &[RecordRef],
    ) -> Result<Vec<RecordState>, CallError> {
        let ids = |object: &str| -> Vec<String> {
            let of_object = records.iter().filter(|record| record.object == object);
            // HubSpot refuses a batch that contains the same id twice.
            let unique: BTreeSet<&String> = of_object.map(|record| &record.id).collect();
            unique.into_iter().cloned().collect()
        };
        if let Some(strange) =
            records.iter().find(|record| ![CONTACT, DEAL].contains(&record.object.as_str()))
        {
            return Err(CallError::Invalid(format!(
                "records of the kind `{}` are not read",
                strange.object
            )));
        }
        let mut changes = Vec::new();
        let contacts = ids(CONTACT);
        for found in self.batch("contacts", &contacts, &self.person_properties()).await? {
            changes.push(RecordState::Person(self.person(&found)?));
        }
        let gone = gone(&contacts, &changes);
        changes.extend(gone.into_iter().map(|id| RecordState::PersonGone(contact(id))));
        let deals = ids(DEAL);
        let found = self.batch("deals", &deals, &self.deal_properties()).await?;
        let there: BTreeSet<String> = found.iter().filter_map(|one| id(&one["id"])).collect();
        changes.extend(self.deals(&found).await?);
        let gone = deals.into_iter().filter(|deal| !there.contains(deal));
        changes.extend(gone.map(RecordState::DealGone));
        Ok(changes)
    }

    /// Objects by their ids. Objects that do not exist are left out.
    async fn batch(
        &self,
        kind: &str,
        ids: &[String],
        properties: &[String],
    ) -> Result<Vec<Value>, CallError> {
        let path = self.paths.objects(&format!("{kind}/batch/read"));
        let mut all = Vec::new();
        for ids in ids.chunks(BATCH) {
            let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
            let body = json!({
                "inputs": inputs, "properties": properties, "propertiesWithHistory": [],
            });
            let body = self.ask(&Request::post(&path, &body), MISSING).await?;
            all.extend(results(&body)?.iter().cloned());
        }
        Ok(all)
    }

    /// Deals with their people.
    async fn deals(&self, found: &[Value]) -> Result<Vec<RecordState>, CallError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // Usually a deal contains its status; otherwise its stage determines it.
        let closing = match found.iter().all(deal::says_status) {
            true => BTreeMap::new(),
            false => deal::closing(&self.ask(&Request::get(&self.paths.pipelines()), "").await?),
        };
        let ids: Vec<String> = found.iter().filter_map(|deal| id(&deal["id"])).collect();
        let mut persons = self.persons(&ids).await?;
        let mut changes = Vec::new();
        for found in found {
            let mut deal = self.deal(found, &closing)?;
            deal.persons = persons.remove(&deal.id).unwrap_or_default();
            changes.push(RecordState::Deal(deal));
        }
        Ok(changes)
    }

    /// The contacts of deals with their e-mail addresses, the primary one first.
    async fn persons(
        &self,
        deals: &[String],
    ) -> Result<BTreeMap<String, Vec<DealPerson>>, CallError> {
        let associated = self.associated("deals", "contacts", deals).await?;
        let ids: BTreeSet<String> = associated.iter().map(|(_, one)| one.id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let contacts = self.batch("contacts", &ids, &["email".to_owned()]).await?;
        let emails: BTreeMap<String, String> = contacts
            .iter()
            .filter_map(|one| Some((id(&one["id"])?, text(&one["properties"], "email")?.into())))
            .collect();
        let mut persons: BTreeMap<String, Vec<DealPerson>> = BTreeMap::new();
        for (deal, Associated { id, is_primary }) in associated {
            let email = emails.get(&id).cloned();
            let person = DealPerson { record: contact(id), email, is_primary };
            persons.entry(deal).or_default().push(person);
        }
        for persons in persons.values_mut() {
            persons.sort_by_key(|person| !person.is_primary);
        }
        Ok(persons)
    }

    /// Reads associations: pairs of a record's id and an associated record.
    pub(super) async fn associated(
        &self,
        from: &str,
        to: &str,
        ids: &[String],
    ) -> Result<Vec<(String, Associated)>, CallError> {
        let path = self.paths.associated(from, to);
        let mut all = Vec::new();
        for ids in ids.chunks(BATCH) {
            let mut inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
            for _ in 0..MOST_PAGES {
                let body = json!({ "inputs": inputs });
                // A record without associations may be left out, or reported as an inner error.
                let body = self.ask(&Request::post(&path, &body), MISSING).await?;
                inputs = Vec::new();
                for found in results(&body)? {
                    let from = id(&found["from"]["id"]).ok_or_else(|| unreadable("from.id"))?;
                    let to = found["to"].as_array().ok_or_else(|| unreadable("to"))?;
                    all.extend(to.iter().filter_map(|to| Some((from.clone(), associate(to)?))));
                    if let Some(after) = id(&found["paging"]["next"]["after"]) {
                        inputs.push(json!({ "id": from, "after": after }));
                    }
                }
                if inputs.is_empty() {
                    break;
                }
            }
        }
        Ok(all)
    }
}

/// An association in any of HubSpot's formats: `toObjectId` as text or number, or `id`.
fn associate(to: &Value) -> Option<Associated> {
    let labels = to["associationTypes"].as_array().into_iter().flatten();
    let is_primary = labels
        .filter_map(|label| label["label"].as_str())
        .any(|label| label.to_lowercase().starts_with("primary"));
    let id = id(&to["toObjectId"]).or_else(|| id(&to["id"]))?;
    Some(Associated { id, is_primary })
}

/// The requested contacts that neither exist nor were merged into one that does.
fn gone(requested: &[String], found: &[RecordState]) -> Vec<String> {
    let mut there = BTreeSet::new();
    for change in found {
        if let RecordState::Person(person) = change {
            there.insert(&person.record.id);
            there.extend(person.formerly.iter().map(|record| &record.id));
        }
    }
    requested.iter().filter(|id| !there.contains(id)).cloned().collect()
}

/// The list in a response.
pub(super) fn results(body: &Value) -> Result<&[Value], CallError> {
    body["results"].as_array().map(Vec::as_slice).ok_or_else(|| unreadable("results"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_style_of_association() {
        let types = |label: Value| json!([{ "category": "X", "typeId": 3, "label": label }]);
        for (to, expected) in [
            (
                json!({ "toObjectId": "151", "associationTypes": types(Value::Null) }),
                Some(("151", false)),
            ),
            (
                json!({ "toObjectId": 151, "associationTypes": types(json!("Primary")) }),
                Some(("151", true)),
            ),
            (
                json!({ "toObjectId": 151, "associationTypes": types(json!("Buyer")) }),
                Some(("151", false)),
            ),
            (json!({ "id": "151", "type": "deal_to_contact" }), Some(("151", false))),
            (json!({}), None),
        ] {
            let found = associate(&to);
            let found = found.as_ref().map(|one| (one.id.as_str(), one.is_primary));
            assert_eq!(found, expected, "{to}");
        }
    }
}
