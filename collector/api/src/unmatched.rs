//! Unmatched records in JSON: reports about somebody who is not known as a lead.

use crate::{Money, Timestamp};
use clew_store::{self as store, LeadKey, Record};
use serde::Serialize;
use shared::deal::DealEvent;
use shared::lifecycle::Stage;
use shared::link::CrmLink;
use utoipa::ToSchema;

/// A page of unmatched records, in no particular order.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unmatched<'a> {
    /// The records.
    pub unmatched: Vec<UnmatchedRecord<'a>>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// A record that matches no lead.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum UnmatchedRecord<'a> {
    /// A stage that the lead entered.
    Stage(UnmatchedStage<'a>),
    /// What happened to a deal.
    Deal(UnmatchedDeal<'a>),
    /// The lead's record in a CRM.
    Link(UnmatchedLink<'a>),
}

/// The members that every unmatched record has.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnmatchedHead<'a> {
    /// The record's id.
    pub id: String,
    /// The values by which the report named the lead, such as `email:ADDRESS`.
    #[schema(value_type = Vec<String>, example = json!(["email:lead@example.com"]))]
    pub names: &'a [LeadKey],
    /// The CRM record that it is about, as `provider:type:id`.
    #[schema(required = true)]
    pub crm: Option<&'a str>,
}

/// An unmatched stage.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnmatchedStage<'a> {
    /// The members that every unmatched record has.
    #[serde(flatten)]
    pub head: UnmatchedHead<'a>,
    /// The stage that was reported.
    pub stage: Stage,
    /// When the stage was entered.
    pub at: Timestamp,
    /// When the collector received the report.
    pub recorded_at: Timestamp,
    /// Who reported it: `api` or `crm:NAME`.
    pub by: String,
    /// Why, in the reporter's words.
    #[schema(required = true)]
    pub reason: Option<&'a str>,
    /// The reporter's id for this report.
    pub reference: &'a str,
}

/// An unmatched report about a deal.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnmatchedDeal<'a> {
    /// The members that every unmatched record has.
    #[serde(flatten)]
    pub head: UnmatchedHead<'a>,
    /// The deal's id.
    pub deal: &'a str,
    /// What happened.
    pub kind: DealEvent,
    /// The amount; negative for a refund.
    #[schema(required = true)]
    pub amount: Option<String>,
    /// The ISO 4217 code of `amount`.
    #[schema(required = true)]
    pub currency: Option<&'static str>,
    /// When it happened.
    pub at: Timestamp,
    /// When the collector received the report.
    pub recorded_at: Timestamp,
    /// Who reported it: `api` or `crm:NAME`.
    pub by: String,
    /// The reporter's id for this report.
    pub reference: &'a str,
}

/// An unmatched link to a CRM record.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnmatchedLink<'a> {
    /// The members that every unmatched record has.
    #[serde(flatten)]
    pub head: UnmatchedHead<'a>,
    /// The CRM record.
    pub link: &'a CrmLink,
}

impl<'a> From<&'a store::Unmatched> for UnmatchedRecord<'a> {
    fn from(unmatched: &'a store::Unmatched) -> Self {
        let head = UnmatchedHead {
            id: unmatched.id().to_text(),
            names: &unmatched.keys,
            crm: unmatched.crm_record.as_deref(),
        };
        match &unmatched.record {
            Record::Stage(change) => Self::Stage(UnmatchedStage {
                head,
                stage: change.to,
                at: Timestamp(change.entered_at_ms),
                recorded_at: Timestamp(change.recorded_at_ms),
                by: change.by.to_string(),
                reason: change.reason.as_deref(),
                reference: &change.reference,
            }),
            Record::Deal(entry) => {
                let (amount, currency) = Money::parts(entry.amount);
                Self::Deal(UnmatchedDeal {
                    head,
                    deal: &entry.deal,
                    kind: entry.event,
                    amount,
                    currency,
                    at: Timestamp(entry.at_ms),
                    recorded_at: Timestamp(entry.recorded_at_ms),
                    by: entry.source.to_string(),
                    reference: &entry.reference,
                })
            }
            Record::Link(link) => Self::Link(UnmatchedLink { head, link }),
        }
    }
}
