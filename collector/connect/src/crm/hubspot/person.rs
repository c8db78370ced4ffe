//! Converts contacts from HubSpot's format, with the stages that they entered.

use super::account::Hubspot;
use super::words::{contact, id, text, time, unreadable};
use crate::crm::record::{PersonRecord, StageAt};
use crate::error::CallError;
use serde_json::Value;
use shared::ids::LeadId;
use shared::lifecycle::Stage;
use std::collections::BTreeMap;

/// The prefix of the properties that contain the time when a stage was entered.
const ENTERED: &str = "hs_v2_date_entered_";
/// The property that lists the contacts merged into this one.
const MERGED: &str = "hs_merged_object_ids";

impl Hubspot {
    /// The properties of a contact to request.
    pub(super) fn person_properties(&self) -> Vec<String> {
        let names = ["email", "lifecyclestage", "lastmodifieddate", MERGED];
        let names = names.map(str::to_owned).into_iter().chain([self.lead_property.clone()]);
        names.chain(self.stages.keys().map(|word| format!("{ENTERED}{word}"))).collect()
    }

    /// A contact from a response.
    pub(super) fn person(&self, found: &Value) -> Result<PersonRecord, CallError> {
        let id = id(&found["id"]).ok_or_else(|| unreadable("id"))?;
        let properties = &found["properties"];
        let changed_at_ms = time(&properties["lastmodifieddate"])
            .or_else(|| time(&found["updatedAt"]))
            .ok_or_else(|| unreadable("lastmodifieddate"))?;
        let merged = text(properties, MERGED).unwrap_or_default().split(';').map(str::trim);
        let formerly = merged.filter(|merged| !merged.is_empty() && *merged != id).map(contact);
        Ok(PersonRecord {
            formerly: formerly.collect(),
            record: contact(id),
            email: text(properties, "email").map(str::to_owned),
            lead: text(properties, &self.lead_property).and_then(LeadId::parse),
            stages: entered(&self.stages, properties, changed_at_ms),
            changed_at_ms,
        })
    }
}

/// The stages known to have been entered, in order, the current one last. If HubSpot does not say
/// when that was entered, the time of the change is used.
fn entered(
    stages: &BTreeMap<String, Stage>,
    properties: &Value,
    changed_at_ms: i64,
) -> Vec<StageAt> {
    let now = text(properties, "lifecyclestage");
    let at = |(word, stage): (&String, &Stage)| {
        let is_now = now == Some(word);
        let entered = time(&properties[format!("{ENTERED}{word}")]);
        let at_ms = entered.or(is_now.then_some(changed_at_ms))?;
        Some((is_now, StageAt { stage: *stage, at_ms, word: word.clone() }))
    };
    let mut found: Vec<(bool, StageAt)> = stages.iter().filter_map(at).collect();
    found.sort_by_key(|(is_now, entered)| (*is_now, entered.at_ms));
    found.into_iter().map(|(_, entered)| entered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::hubspot::stages;
    use serde_json::json;

    #[test]
    fn stages_in_their_order() {
        let own = BTreeMap::from([
            ("evangelist".to_owned(), Stage::Advocate),
            ("98765".to_owned(), Stage::Recycled),
        ]);
        for (configured, properties, expected) in [
            (&BTreeMap::new(), json!({}), &[][..]),
            (
                &BTreeMap::new(),
                json!({
                    "lifecyclestage": "opportunity",
                    "hs_v2_date_entered_lead": "1970-01-01T00:00:01Z",
                    "hs_v2_date_entered_opportunity": "1970-01-01T00:00:03.500Z",
                    "hs_v2_date_entered_marketingqualifiedlead": "2000",
                }),
                &[(Stage::Lead, 1_000), (Stage::Mql, 2_000), (Stage::Opportunity, 3_500)],
            ),
            // Set back: the current stage comes last, even if another was entered later.
            (
                &BTreeMap::new(),
                json!({
                    "lifecyclestage": "lead",
                    "hs_v2_date_entered_lead": "1970-01-01T00:00:01Z",
                    "hs_v2_date_entered_customer": "1970-01-01T00:00:03Z",
                }),
                &[(Stage::Customer, 3_000), (Stage::Lead, 1_000)],
            ),
            // HubSpot gives no time.
            (
                &BTreeMap::new(),
                json!({ "lifecyclestage": "customer" }),
                &[(Stage::Customer, 9_000)],
            ),
            (
                &BTreeMap::new(),
                json!({ "lifecyclestage": "evangelist" }),
                &[(Stage::Customer, 9_000)],
            ),
            // The account's own stages, and one that is not mapped.
            (&own, json!({ "lifecyclestage": "98765" }), &[(Stage::Recycled, 9_000)]),
            (&own, json!({ "lifecyclestage": "evangelist" }), &[(Stage::Advocate, 9_000)]),
            (&own, json!({ "lifecyclestage": "12345" }), &[]),
        ] {
            let found = entered(&stages::all(configured), &properties, 9_000);
            let found: Vec<_> =
                found.iter().map(|entered| (entered.stage, entered.at_ms)).collect();
            assert_eq!(found, expected, "{properties}");
        }
    }
}
