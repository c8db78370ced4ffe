//! The bodies of outgoing webhooks.

use crate::{FieldValues, Journey, Money, Timestamp};
use clew_store::DeliveryKind;
use serde::Serialize;
use shared::deal::{DealEvent, DealStatus};
use shared::ids::LeadId;
use shared::lifecycle::Stage;
use utoipa::ToSchema;

/// The body of a webhook to a destination of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookEvent<'a> {
    /// What happened.
    pub r#type: DeliveryKind,
    /// When the delivery was created.
    pub timestamp: Timestamp,
    /// The report and the lead.
    pub data: WebhookData<'a>,
}

/// What a webhook reports, with the lead.
///
/// If the body exceeds 20,000 bytes, these are left out in turn until it fits: the reasons of touches (`why`), page
/// views that were not engaged, all page views, the journey, `journey_json`, `journey_summary`.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookData<'a> {
    /// The id of the conversion, or of the reported stage or deal.
    pub id: String,
    /// The lead.
    pub lead_id: LeadId,
    /// The version of the field names.
    pub fields_version: u32,
    /// The lead's canonical fields; unknown ones are left out.
    pub fields: FieldValues,
    /// The lead's journey, as `GET /v1/leads/{lead}` shows it. Only with `lead.converted`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journey: Option<Journey<'a>>,
    /// For a stage or a deal: what was reported.
    #[serde(flatten)]
    pub change: Option<Change>,
}

/// The body of a webhook to a subscription: flat, with every field at the top level.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlatEvent {
    /// The id of the conversion, or of the reported stage or deal.
    pub id: String,
    /// What happened.
    pub event: DeliveryKind,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The lead's canonical fields; unknown ones are `null`.
    #[serde(flatten)]
    pub fields: FieldValues,
    /// For a stage or a deal: what was reported.
    #[serde(flatten)]
    pub change: Option<Change>,
}

/// A reported stage or deal.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Change {
    /// The lead entered a stage.
    Stage(StageEntered),
    /// One of the lead's deals changed.
    Deal(DealChanged),
}

/// A lead entered a stage.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StageEntered {
    /// The preceding stage; equal to `to` if the lead was in that stage already.
    pub from: Stage,
    /// The stage that it entered.
    pub to: Stage,
    /// When the lead entered it.
    pub at: Timestamp,
    /// Who reported it: `api`, `crm:NAME`, `rule` or `user:NAME`.
    pub by: String,
    /// Why, in the reporter's words.
    #[schema(required = true)]
    pub reason: Option<String>,
}

/// A deal changed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DealChanged {
    /// The deal's id.
    pub deal: String,
    /// What happened.
    pub kind: DealEvent,
    /// The amount; negative for a refund.
    #[schema(required = true)]
    pub amount: Option<String>,
    /// The ISO 4217 code of `amount`.
    #[schema(required = true)]
    pub currency: Option<&'static str>,
    /// The change of the deal's revenue, per currency; negative if revenue is taken back.
    pub changes: Vec<Money>,
    /// The deal's status now.
    #[schema(required = true)]
    pub status: Option<DealStatus>,
    /// When it happened.
    pub at: Timestamp,
    /// Who reported it: `api` or `crm:NAME`.
    pub by: String,
}

/// The body of a test webhook to a destination of the configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingEvent {
    /// Always `ping`.
    pub r#type: &'static str,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// The test webhook's id.
    pub data: PingData,
}

/// The data of a test webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct PingData {
    /// The test webhook's id.
    pub id: String,
}

/// The body of a test webhook to a subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlatPing {
    /// The test webhook's id.
    pub id: String,
    /// Always `ping`.
    pub event: &'static str,
    /// When it was sent.
    pub occurred_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::fields::catalogue::find;

    #[test]
    fn no_member_of_a_flat_body_has_the_name_of_a_field() {
        let at = Timestamp(0);
        let by = "api".to_owned();
        let stage =
            StageEntered { from: Stage::Lead, to: Stage::Sql, at, by: by.clone(), reason: None };
        let deal = DealChanged {
            deal: String::new(),
            kind: DealEvent::Won,
            amount: None,
            currency: None,
            changes: Vec::new(),
            status: None,
            at,
            by,
        };
        for change in [Change::Stage(stage), Change::Deal(deal)] {
            let flat = FlatEvent {
                id: String::new(),
                event: DeliveryKind::Converted,
                occurred_at: at,
                fields: FieldValues::default(),
                change: Some(change),
            };
            let flat = json!(flat);
            let names: Vec<&String> = flat.as_object().unwrap().keys().collect();
            assert!(names.len() > 7, "{names:?}");
            for name in names {
                assert!(find(name).is_none(), "{name}");
            }
        }
    }
}
