//! Subscriptions in JSON, and the responses to incoming webhooks.

use crate::Timestamp;
use clew_store::{DeliveryKind, SubscriptionId};
use serde::{Deserialize, Serialize};
use shared::ids::LeadId;
use utoipa::ToSchema;

/// The body of `POST /v1/hooks`. Unknown members are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewHook {
    /// Where to send webhooks: an https address on the public internet.
    #[schema(example = "https://hooks.example.com/catch/1")]
    pub target_url: String,
    /// The event or events to send.
    #[schema(value_type = HookEvents)]
    pub event: HookEventNames,
    /// A note of yours about the subscription.
    pub description: Option<String>,
}

/// One event or several, as the caller wrote them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum HookEventNames {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// One event or several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum HookEvents {
    /// One.
    One(DeliveryKind),
    /// Several.
    Several(Vec<DeliveryKind>),
}

/// The body of `PATCH /v1/hooks/{hook}`. Absent members stay as they are; unknown ones are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct HookChanges {
    /// Where to send webhooks from now on.
    pub target_url: Option<String>,
    /// Your note about the subscription.
    pub description: Option<String>,
    /// `true` stops sending; `false` starts it again.
    pub disabled: Option<bool>,
}

/// A subscription: a webhook that a program ordered by API.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hook<'a> {
    /// The subscription's id.
    #[schema(value_type = String, example = "hk_0197a2b4000070008000000000000000")]
    pub id: SubscriptionId,
    /// The event or events that it receives.
    pub event: HookEvents,
    /// Where its webhooks are sent.
    pub target_url: &'a str,
    /// Your note about the subscription.
    #[schema(required = true)]
    pub description: Option<&'a str>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether sending is stopped.
    pub disabled: bool,
    /// When sending was stopped; `null` if it is not.
    #[schema(required = true)]
    pub disabled_at: Option<Timestamp>,
    /// Why sending was stopped; `null` if a program asked for it.
    #[schema(required = true)]
    pub disabled_reason: Option<&'a str>,
}

/// A subscription with its signing secret, which is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookSecret<'a> {
    /// The subscription.
    #[serde(flatten)]
    pub hook: Hook<'a>,
    /// The secret that signs its webhooks (Standard Webhooks).
    #[schema(example = "whsec_…")]
    pub secret: &'a str,
}

/// A site's subscriptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hooks<'a> {
    /// The subscriptions.
    pub hooks: Vec<Hook<'a>>,
}

/// How a receiver responded to a test webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookTest {
    /// Whether the receiver accepted the webhook.
    pub accepted: bool,
    /// The HTTP status of the response; `null` if there was no response.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// How long the test took, in milliseconds.
    pub milliseconds: u64,
    /// What went wrong; `null` if nothing did.
    #[schema(required = true)]
    pub error: Option<String>,
    /// The `webhook-id` that was sent.
    pub webhook_id: String,
}

/// An incoming webhook that was recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboundAccepted {
    /// Always `true`.
    pub accepted: bool,
    /// The lead.
    pub lead_id: LeadId,
}

/// An incoming webhook that had been recorded before.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboundDuplicate {
    /// Always `true`.
    pub duplicate: bool,
    /// The lead.
    pub lead_id: LeadId,
}

impl HookEvents {
    /// One event as itself, several as a list.
    pub fn new(events: &[DeliveryKind]) -> Self {
        match events {
            [one] => Self::One(*one),
            several => Self::Several(several.to_vec()),
        }
    }
}
