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
    /// When it entered it; now if absent. Not in the future, and at most 20 years ago.
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Why, in your words.
    #[schema(example = "asked for an offer")]
    pub reason: Option<String>,
    /// Your id for this change, so that repeating it changes nothing. The `Idempotency-Key` serves if it is
    /// absent.
    pub reference: Option<String>,
    /// The lead's record in your CRM, as `provider:type:id`.
    #[schema(example = "hubspot:contact:151")]
    pub crm: Option<String>,
}

/// A step of a lead's life cycle.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageEntry<'a> {
    /// The stage before.
    pub from: Stage,
    /// The stage from then on.
    pub to: Stage,
    /// When it was entered.
    pub at: Timestamp,
    /// When Clew learned of it.
    pub recorded_at: Timestamp,
    /// Who reported it: `api`, `crm:NAME`, `rule` or `user:NAME`.
    #[schema(example = "crm:hubspot")]
    pub by: String,
    /// Why, in the reporter's words.
    #[schema(required = true)]
    pub reason: Option<&'a str>,
    /// Whether nobody reported it and it follows from a later stage.
    pub implied: bool,
    /// The reporter's id for it.
    #[schema(required = true)]
    pub reference: Option<&'a str>,
}

/// The response to a reported stage.
#[derive(Debug, Serialize, ToSchema)]
pub struct StageRecorded<'a> {
    /// The lead.
    pub lead_id: LeadId,
    /// Whether the same had been reported before.
    pub repeated: bool,
    /// The stage that the lead is in now.
    pub stage: Stage,
    /// Since when it is in this stage.
    pub stage_at: Timestamp,
    /// Its life cycle.
    pub stages: Vec<StageEntry<'a>>,
}

/// What a key may see of a reported stage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum StageReported<'a> {
    /// With `leads:read`.
    Recorded(StageRecorded<'a>),
    /// Without.
    Receipt(RecordReceipt),
}

/// The response to a reported stage or deal if the key lacks `leads:read`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordReceipt {
    /// The lead.
    pub lead_id: LeadId,
    /// Whether the same had been reported before.
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
