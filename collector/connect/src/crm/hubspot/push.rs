//! Finds or creates a person's contact, and writes it.
//!
//! The contact is read first, by what is known about it, and only differences are written. A new
//! contact is created by an upsert on a unique property, so that two concurrent callers create only
//! one.

use super::account::Hubspot;
use super::error::HubspotError;
use super::values;
use super::words::{contact, id, text, unreadable};
use crate::call::Request;
use crate::crm::merge::{DesiredValue, merge};
use crate::crm::push::{Push, Pushed};
use crate::error::CallError;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The property with a contact's stage, and the stage of someone who has just converted.
const LIFECYCLE: &str = "lifecyclestage";
const NEW: &str = "lead";

/// An existing contact.
struct Found {
    id: String,
    properties: Value,
}

impl Hubspot {
    pub(super) async fn push_contact(&self, push: &Push<'_>) -> Result<Pushed, CallError> {
        let wanted = values::wanted(push, &self.prefix, &self.lead_property);
        let (id, created) = match self.find(push, &wanted).await? {
            Some(found) => (self.update(push, &wanted, found).await?, false),
            None => self.make(push, &wanted).await?,
        };
        let url = self.pages.as_ref().map(|before| format!("{before}{id}"));
        Ok(Pushed { record: contact(id), created, url })
    }

    /// Finds the contact by the record of an earlier hand-off, or else by a unique property.
    async fn find(
        &self,
        push: &Push<'_>,
        wanted: &[DesiredValue],
    ) -> Result<Option<Found>, CallError> {
        if let Some(known) = push.known {
            return match self.get(wanted, None, &known.id).await? {
                Some(found) => Ok(Some(found)),
                // It was deleted, or merged into another contact that took over its values.
                None => self.find_again(push, wanted).await,
            };
        }
        match &push.contact.email {
            // This also finds a contact by a secondary address.
            Some(email) => Ok(self.get(wanted, Some("email"), email).await?),
            None => self.by_lead(push, wanted).await,
        }
    }

    async fn find_again(
        &self,
        push: &Push<'_>,
        wanted: &[DesiredValue],
    ) -> Result<Option<Found>, CallError> {
        let found = self.by_lead(push, wanted).await?;
        match (&found, &push.contact.email) {
            (None, Some(email)) => Ok(self.get(wanted, Some("email"), email).await?),
            _ => Ok(found),
        }
    }

    /// Finds the contact by our lead's id. If that property is not declared yet, no contact has it;
    /// the write will report what to do.
    async fn by_lead(
        &self,
        push: &Push<'_>,
        wanted: &[DesiredValue],
    ) -> Result<Option<Found>, CallError> {
        let lead = push.lead.to_string();
        match self.get(wanted, Some(&self.lead_property), &lead).await {
            Err(HubspotError::Other(CallError::Invalid(_) | CallError::UnknownField { .. })) => {
                Ok(None)
            }
            found => Ok(found?),
        }
    }

    /// Uses `GET`, which sees recent writes; a search does not.
    async fn get(
        &self,
        wanted: &[DesiredValue],
        key: Option<&str>,
        value: &str,
    ) -> Result<Option<Found>, HubspotError> {
        let names = wanted.iter().map(|wanted| wanted.name.as_str());
        let own = [self.lead_property.as_str(), LIFECYCLE];
        let names: BTreeSet<&str> = names.chain(own).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(",");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("properties", &names)
            .extend_pairs(key.map(|key| ("idProperty", key)))
            .finish();
        let path = format!("{}?{query}", self.paths.object("contacts", value));
        let body = match self.ask(&Request::get(&path), "").await {
            Ok(body) => body,
            Err(HubspotError::Missing(_)) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let id = id(&body["id"]).ok_or_else(|| unreadable("id"))?;
        Ok(Some(Found { id, properties: body["properties"].clone() }))
    }

    async fn update(
        &self,
        push: &Push<'_>,
        wanted: &[DesiredValue],
        found: Found,
    ) -> Result<String, CallError> {
        let mut changes = merge(wanted, Some(&found.properties), values::is_same);
        match self.patch(&found.id, &changes).await {
            // Another contact has the e-mail address or the lead's id. Leave both as they are:
            // merging people is for someone at the CRM to decide.
            Err(HubspotError::Conflict(_)) => {
                changes.remove("email");
                changes.remove(&self.lead_property);
                self.patch(&found.id, &changes).await?;
            }
            done => done?,
        }
        // An earlier attempt created the contact and failed before it set the stage.
        let is_ours = found.properties[&self.lead_property] == push.lead.to_string();
        if is_ours && text(&found.properties, LIFECYCLE).is_none() {
            self.begin(&found.id).await?;
        }
        Ok(found.id)
    }

    async fn make(
        &self,
        push: &Push<'_>,
        wanted: &[DesiredValue],
    ) -> Result<(String, bool), CallError> {
        let lead = push.lead.to_string();
        let (key, value) = match &push.contact.email {
            Some(email) => ("email", email),
            None => (self.lead_property.as_str(), &lead),
        };
        let body = json!({ "inputs": [{
            "idProperty": key, "id": value, "objectWriteTraceId": lead,
            "properties": merge(wanted, None, values::is_same),
        }]});
        let made = match self.post(&self.paths.objects("contacts/batch/upsert"), &body).await {
            Ok(body) => body["results"][0].clone(),
            // Someone else was faster, or another contact has the lead's id.
            Err(
                refused @ (HubspotError::Conflict(_) | HubspotError::Other(CallError::Invalid(_))),
            ) => {
                return match self.find_again(push, wanted).await? {
                    Some(found) => Ok((self.update(push, wanted, found).await?, false)),
                    None => Err(refused.into()),
                };
            }
            Err(refused) => return Err(refused.into()),
        };
        let id = id(&made["id"]).ok_or_else(|| unreadable("id of the contact"))?;
        let is_new = made["new"].as_bool().ok_or_else(|| unreadable("member \"new\""))?;
        if is_new {
            self.begin(&id).await?;
        }
        Ok((id, is_new))
    }

    /// Gives a new contact its stage. An account may have replaced HubSpot's default stages; that
    /// must not hold up a lead.
    async fn begin(&self, id: &str) -> Result<(), CallError> {
        let stage = Map::from_iter([(LIFECYCLE.to_owned(), json!(NEW))]);
        match self.patch(id, &stage).await {
            Err(HubspotError::Other(CallError::Invalid(message))) => {
                tracing::warn!(contact = id, message, "HubSpot refused the stage `{NEW}`");
                Ok(())
            }
            done => Ok(done?),
        }
    }

    async fn patch(&self, id: &str, properties: &Map<String, Value>) -> Result<(), HubspotError> {
        if properties.is_empty() {
            return Ok(());
        }
        let (path, body) = (self.paths.object("contacts", id), json!({ "properties": properties }));
        self.ask(&Request::patch(&path, &body), "").await?;
        Ok(())
    }
}
