//! Stages in JSON.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use shared::ids::LeadId;
use shared::lifecycle::{self, LifeCycle, Stage};
use utoipa::ToSchema;

/// The body of `POST /v1/leads/{lead}/stage`. Unknown members are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StageRequest {
    /// The stage that the lead entered.
    #[schema(value_type = Stage)]
    pub stage: String,
    /// When the lead entered it, at most an hour ahead and 20 years back. Default: now.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Why, in your words; at most 512 bytes.
    #[schema(example = "asked for an offer")]
    pub reason: Option<String>,
    /// Your id for this report, so that a repeat changes nothing. Default: the header `Idempotency-Key`, or else
    /// made from stage and time.
    pub reference: Option<String>,
    /// The lead's record in your CRM, as `provider:type:id`.
    #[schema(example = "hubspot:contact:151")]
    pub crm: Option<String>,
}

/// A step of a lead's life cycle.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageEntry<'a> {
    /// The preceding stage.
    pub from: Stage,
    /// The stage that was entered.
    pub to: Stage,
    /// When it was entered.
    pub at: Timestamp,
    /// When the collector received the report.
    pub recorded_at: Timestamp,
    /// Who reported it: `api`, `crm:NAME`, `rule` or `user:NAME`.
    #[schema(example = "crm:hubspot")]
    pub by: String,
    /// Why, in the reporter's words.
    #[schema(required = true)]
    pub reason: Option<&'a str>,
    /// `true` if the stage was skipped and follows from a later one that was reported.
    pub implied: bool,
    /// The reporter's id for this report.
    #[schema(required = true)]
    pub reference: Option<&'a str>,
}

/// The response to `POST /v1/leads/{lead}/stage`.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageRecorded<'a> {
    /// The lead.
    pub lead_id: LeadId,
    /// Whether the same report had been recorded before.
    pub repeated: bool,
    /// The lead's current stage.
    pub stage: Stage,
    /// When the lead entered that stage.
    pub stage_at: Timestamp,
    /// Every stage that the lead entered, oldest first.
    pub stages: Vec<StageEntry<'a>>,
}

/// The response to `POST /v1/leads/{lead}/stage`, as far as the key may read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StageReported<'a> {
    /// For a key with `leads:read`.
    Recorded(StageRecorded<'a>),
    /// For a key without `leads:read`.
    Receipt(RecordReceipt),
}

/// The response to a reported stage or deal for a key without `leads:read`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordReceipt {
    /// The lead.
    pub lead_id: LeadId,
    /// Whether the same report had been recorded before.
    pub repeated: bool,
}

impl<'a> From<&'a lifecycle::StageEntry> for StageEntry<'a> {
    fn from(entry: &'a lifecycle::StageEntry) -> Self {
        Self {
            from: entry.from,
            to: entry.to,
            at: Timestamp(entry.entered_at_ms),
            recorded_at: Timestamp(entry.recorded_at_ms),
            by: entry.by.to_string(),
            reason: entry.reason.as_deref(),
            implied: entry.implied,
            reference: entry.reference.as_deref(),
        }
    }
}

impl<'a> StageEntry<'a> {
    /// Every step of a life cycle, in order of time.
    pub fn all(life_cycle: &'a LifeCycle) -> Vec<Self> {
        life_cycle.history().iter().map(Self::from).collect()
    }
}
