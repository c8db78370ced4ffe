//! Deliveries and their states: the effect of claiming, settling and replaying one, independent of
//! any backend.
//!
//! The deliveries of one lead to one destination form a line, ordered by creation time and then by
//! hash. Only the first one waiting is attempted. Dead and sent deliveries hold up nothing.

use crate::destination::DestinationId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::Lead;
use uuid::Uuid;

/// If the first of a line is being attempted, the next one is looked at again after this many
/// milliseconds: about as long as an attempt takes.
pub(super) const LOOK_AGAIN_MS: i64 = 1_000;

/// A delivery's id: the lead, and a hash of destination, kind and subject. The same hand-off is
/// therefore always the same row, and the lead's shard is known from the id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The lead.
    pub lead: LeadId,
    /// XXH3-128 of destination, kind and subject.
    pub hash: [u8; 16],
}

/// What a delivery reports.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeliveryKind {
    /// A conversion.
    #[serde(rename = "lead.converted")]
    Converted,
    /// A stage that the lead entered.
    #[serde(rename = "lead.stage_changed")]
    StageChanged,
    /// What became of a deal.
    #[serde(rename = "lead.revenue")]
    Revenue,
}

/// The state of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DeliveryState {
    /// Not attempted yet.
    Pending,
    /// Claimed; an attempt is running.
    Sending,
    /// Accepted by the destination.
    Sent,
    /// Failed; will be tried again.
    Retry,
    /// Failed for good, unless someone replays it.
    Dead,
}

/// One hand-off of one lead to one destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The lead's site.
    pub site: SiteId,
    /// The destination.
    pub destination: DestinationId,
    /// What it reports.
    pub kind: DeliveryKind,
    /// The id of the conversion or record that it reports.
    pub subject: Uuid,
    /// The state.
    pub state: DeliveryState,
    /// While it waits, when it falls due; otherwise when it was settled. Unix milliseconds.
    pub due_at_ms: i64,
    /// The number of attempts that count towards the retry schedule, including a running one. A
    /// replay resets it to 0.
    pub attempts: u32,
    /// How often it was claimed. The number identifies the attempt that may settle it, and never
    /// decreases.
    pub claims: u32,
    /// When it was created, Unix milliseconds.
    pub created_at_ms: i64,
    /// The error of the last failed attempt.
    pub error: Option<String>,
}

/// Which deliveries to claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// Only those to this destination.
    pub destination: DestinationId,
    /// Only those due by this time, Unix milliseconds.
    pub now_ms: i64,
    /// When they fall due again unless settled, Unix milliseconds.
    pub lease_until_ms: i64,
    /// The most deliveries to claim.
    pub limit: usize,
}

/// The latest valid due time and lease end. A later time was set by a clock that has since been
/// corrected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latest {
    /// For waiting deliveries, Unix milliseconds.
    pub due_ms: i64,
    /// For deliveries being attempted, Unix milliseconds.
    pub lease_ms: i64,
}

/// The outcome of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// The destination accepted it.
    Sent {
        /// When, Unix milliseconds.
        at_ms: i64,
    },
    /// The attempt failed; try again later.
    Retry {
        /// When to try again, Unix milliseconds.
        at_ms: i64,
        /// The error.
        error: String,
    },
    /// It was not attempted, or the destination put it off (because of a rate limit or rejected
    /// credentials). Try again later; the attempt does not count.
    Wait {
        /// When to try again, Unix milliseconds.
        at_ms: i64,
        /// What it waits for.
        reason: String,
    },
    /// It failed for good; do not retry automatically.
    Dead {
        /// When, Unix milliseconds.
        at_ms: i64,
        /// The error.
        error: String,
    },
}

/// Which deliveries to list.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// The site.
    pub site: SiteId,
    /// All of the site's deliveries, or some.
    pub of: DeliveriesOf,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Start after this one.
    pub after: Option<DeliveryId>,
    /// The most deliveries to return.
    pub limit: usize,
}

/// Whose deliveries to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeliveriesOf {
    /// All of the site.
    Site,
    /// Those of one lead.
    Lead(LeadId),
    /// Those to one destination.
    Destination(DestinationId),
}

impl DeliveryFilter {
    /// Whether to list a delivery from the right list.
    pub(super) fn wants(&self, delivery: &Delivery) -> bool {
        delivery.site == self.site && self.state.is_none_or(|state| delivery.state == state)
    }
}

impl DeliveryId {
    /// The id of a delivery to a destination, from its kind and the conversion or record it
    /// reports.
    pub fn of(
        lead: LeadId,
        destination: &DestinationId,
        kind: DeliveryKind,
        subject: Uuid,
    ) -> Self {
        let name = format!("{destination}\0{}\0{subject}", kind.as_str());
        Self { lead, hash: xxhash_rust::xxh3::xxh3_128(name.as_bytes()).to_be_bytes() }
    }

    /// The public form, which is also the webhook's message id: `msg_` and the base64url of both
    /// parts.
    pub fn to_text(self) -> String {
        format!("msg_{}", URL_SAFE_NO_PAD.encode([*self.lead.as_bytes(), self.hash].concat()))
    }

    /// Parses the public form.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("msg_")?).ok()?;
        let (lead, hash) = bytes.split_at_checked(16)?;
        let lead = LeadId(uuid::Uuid::from_slice(lead).ok()?);
        Some(Self { lead, hash: hash.try_into().ok()? })
    }
}

impl DeliveryKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Converted, Self::StageChanged, Self::Revenue];

    /// The name in payloads and in stored data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converted => "lead.converted",
            Self::StageChanged => "lead.stage_changed",
            Self::Revenue => "lead.revenue",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Retry, Self::Dead];

    /// The name in stored data and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it is in its destination's queue. Claimed deliveries are too, at the end of their
    /// lease, so that a delivery comes back if its holder dies.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Sending | Self::Retry)
    }
}

impl Delivery {
    /// A delivery that has not been attempted.
    pub(super) fn new(
        lead: &Lead,
        destination: DestinationId,
        (kind, subject): (DeliveryKind, Uuid),
        created_at_ms: i64,
        due_at_ms: i64,
    ) -> Self {
        Self {
            id: DeliveryId::of(lead.id, &destination, kind, subject),
            site: lead.site.clone(),
            destination,
            kind,
            subject,
            state: DeliveryState::Pending,
            due_at_ms,
            attempts: 0,
            claims: 0,
            created_at_ms,
            error: None,
        }
    }

    /// The conversion that it reports, if it reports one.
    pub fn conversion(&self) -> Option<ConversionId> {
        (self.kind == DeliveryKind::Converted).then_some(ConversionId(self.subject))
    }

    /// Postpones it to after the first of its line, so that deliveries behind it in the
    /// destination's queue do not have to wait.
    pub(super) fn wait_behind(&mut self, first: &Self, now_ms: i64) {
        self.due_at_ms = match first.state {
            DeliveryState::Sending => now_ms.saturating_add(LOOK_AGAIN_MS),
            _ => first.due_at_ms.saturating_add(1),
        };
    }

    /// Claims it until the lease ends.
    pub(super) fn claim(&mut self, lease_until_ms: i64) {
        self.state = DeliveryState::Sending;
        self.attempts = self.attempts.saturating_add(1);
        self.claims = self.claims.saturating_add(1);
        self.due_at_ms = lease_until_ms;
    }

    /// Records the outcome of the attempt with this claim number. Does nothing if that attempt is
    /// no longer the running one, because its lease ran out or someone replayed the delivery.
    pub(super) fn settle(&mut self, claim: u32, settlement: Settlement) {
        if self.state != DeliveryState::Sending || self.claims != claim {
            return;
        }
        (self.state, self.due_at_ms, self.error) = match settlement {
            Settlement::Sent { at_ms } => (DeliveryState::Sent, at_ms, None),
            Settlement::Retry { at_ms, error } => {
                (DeliveryState::Retry, at_ms, Some(storable(&error)))
            }
            Settlement::Wait { at_ms, reason } => {
                self.attempts = self.attempts.saturating_sub(1);
                (DeliveryState::Retry, at_ms, Some(storable(&reason)))
            }
            Settlement::Dead { at_ms, error } => {
                (DeliveryState::Dead, at_ms, Some(storable(&error)))
            }
        };
    }

    /// Whether its due time is later than any valid one.
    pub(super) fn is_stranded(&self, latest: Latest) -> bool {
        let latest_ms = match self.state {
            DeliveryState::Sending => latest.lease_ms,
            _ => latest.due_ms,
        };
        self.state.waits() && self.due_at_ms > latest_ms
    }

    /// Makes it due again.
    pub(super) fn replay(&mut self, now_ms: i64) {
        self.state = DeliveryState::Pending;
        self.attempts = 0;
        self.due_at_ms = now_ms;
    }
}

/// Replaces U+0000, which PostgreSQL's text type cannot hold but another server's error message may
/// contain. All backends do this, so that they store the same text.
pub(super) fn storable(error: &str) -> String {
    error.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests;
