//! Converts deals from HubSpot's format.

use super::account::Hubspot;
use super::words::{id, text, time, unreadable};
use crate::crm::record::DealRecord;
use crate::error::CallError;
use serde_json::Value;
use shared::deal::DealStatus;
use shared::ids::LeadId;
use std::collections::BTreeMap;

const CLOSED: &str = "hs_is_closed";
const WON: &str = "hs_is_closed_won";

/// The properties of a deal to request, beside our lead's id.
const PROPERTIES: [&str; 10] = [
    "dealname",
    "dealstage",
    "pipeline",
    "amount",
    "deal_currency_code",
    "createdate",
    "closedate",
    CLOSED,
    WON,
    "hs_lastmodifieddate",
];

/// The status that a stage means, by pipeline and stage.
pub(super) type Closing = BTreeMap<(String, String), DealStatus>;

/// Whether a deal contains its own status.
pub(super) fn says_status(deal: &Value) -> bool {
    text(&deal["properties"], CLOSED).is_some()
}

/// Reads the pipelines. A closing stage wins the deal if its probability is 1.
pub(super) fn closing(pipelines: &Value) -> Closing {
    let pipelines = pipelines["results"].as_array().into_iter().flatten();
    let stages = pipelines.flat_map(|pipeline| {
        let stages = pipeline["stages"].as_array().into_iter().flatten();
        stages.filter_map(move |stage| {
            let metadata = &stage["metadata"];
            let is_closed = is_true(&metadata["isClosed"]);
            let is_won = is_one(metadata["probability"].as_str().unwrap_or_default());
            Some(((id(&pipeline["id"])?, id(&stage["id"])?), status(is_closed, is_won)))
        })
    });
    stages.collect()
}

/// Whether a probability is 1 (`1`, `1.0`).
fn is_one(probability: &str) -> bool {
    let (whole, part) = probability.split_once('.').unwrap_or((probability, ""));
    whole == "1" && part.bytes().all(|digit| digit == b'0')
}

fn is_true(value: &Value) -> bool {
    value == "true" || value == true
}

fn status(is_closed: bool, is_won: bool) -> DealStatus {
    match (is_closed, is_won) {
        (true, true) => DealStatus::Won,
        (true, false) => DealStatus::Lost,
        (false, _) => DealStatus::Open,
    }
}

impl Hubspot {
    /// The properties of a deal to request.
    pub(super) fn deal_properties(&self) -> Vec<String> {
        PROPERTIES.map(str::to_owned).into_iter().chain([self.lead_property.clone()]).collect()
    }

    /// A deal without its people.
    pub(super) fn deal(&self, found: &Value, closing: &Closing) -> Result<DealRecord, CallError> {
        let properties = &found["properties"];
        let word = text(properties, "dealstage").unwrap_or_default().to_owned();
        let status = match says_status(found) {
            true => status(is_true(&properties[CLOSED]), is_true(&properties[WON])),
            false => {
                let pipeline = text(properties, "pipeline").unwrap_or_default().to_owned();
                closing.get(&(pipeline, word.clone())).copied().unwrap_or(DealStatus::Open)
            }
        };
        let changed_at_ms = time(&properties["hs_lastmodifieddate"])
            .or_else(|| time(&found["updatedAt"]))
            .ok_or_else(|| unreadable("hs_lastmodifieddate"))?;
        let created_at_ms = time(&properties["createdate"])
            .or_else(|| time(&found["createdAt"]))
            .ok_or_else(|| unreadable("createdate"))?;
        // The close date of an open deal is only an estimate.
        let closed_at_ms = (status != DealStatus::Open)
            .then(|| time(&properties["closedate"]).unwrap_or(changed_at_ms));
        Ok(DealRecord {
            id: id(&found["id"]).ok_or_else(|| unreadable("id"))?,
            status,
            stage: self.deal_stages.get(&word).copied(),
            word,
            amount: text(properties, "amount").map(str::to_owned),
            currency: text(properties, "deal_currency_code").map(str::to_owned),
            created_at_ms,
            closed_at_ms,
            changed_at_ms,
            persons: Vec::new(),
            lead: text(properties, &self.lead_property).and_then(LeadId::parse),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pipelines_say_what_closes() {
        let stage = |id: &str, is_closed: Value, probability: &str| {
            let metadata = json!({ "isClosed": is_closed, "probability": probability });
            json!({ "id": id, "metadata": metadata })
        };
        let found = closing(&json!({ "results": [
            { "id": "default", "stages": [
                stage("open", json!("false"), "0.4"),
                stage("sure", json!("false"), "1.0"),
                stage("won", json!("true"), "1.0"),
                stage("lost", json!("true"), "0.0"),
            ]},
            { "id": "other", "stages": [stage("won", json!(true), "1"), { "id": "odd" }] },
        ]}));
        for (pipeline, stage, expected) in [
            ("default", "open", Some(DealStatus::Open)),
            ("default", "sure", Some(DealStatus::Open)),
            ("default", "won", Some(DealStatus::Won)),
            ("default", "lost", Some(DealStatus::Lost)),
            ("other", "won", Some(DealStatus::Won)),
            ("other", "odd", Some(DealStatus::Open)),
            ("other", "lost", None),
        ] {
            let found = found.get(&(pipeline.to_owned(), stage.to_owned())).copied();
            assert_eq!(found, expected, "{pipeline} {stage}");
        }
        assert!(closing(&json!("nonsense")).is_empty());
    }
}
