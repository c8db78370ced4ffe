//! A hand-off and its states: what claiming, settling and replaying make of it, without any store.
//!
//! What is handed off of one lead to one destination stands in one line, by when it was made and then
//! by its hash. Only the first that waits is tried; the dead and the sent hold up nobody.

use crate::destination::DestinationId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::Lead;
use uuid::Uuid;

/// Where the first of a line is being tried, when the next one is looked at again, milliseconds from
/// now: about as long as an attempt takes.
pub(super) const LOOK_AGAIN_MS: i64 = 1_000;

/// One hand-off's id: the lead, and the hash of destination, kind and subject, so that the same
/// hand-off is the same row and the lead's shard is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The lead.
    pub lead: LeadId,
    /// XXH3-128 of destination, kind and subject.
    pub hash: [u8; 16],
}

/// What is told with a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
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

/// Where a delivery stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried yet.
    Pending,
    /// Claimed; being tried.
    Sending,
    /// Accepted by the destination.
    Sent,
    /// Failed, to be tried again.
    Retry,
    /// Failed for good, until somebody replays it.
    Dead,
}

/// One hand-off of one lead to one destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The lead's site.
    pub site: SiteId,
    /// Where it goes.
    pub destination: DestinationId,
    /// What is told with it.
    pub kind: DeliveryKind,
    /// Of what it tells: the id of a conversion, or that of a record.
    pub subject: Uuid,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it falls due (while waiting) or was settled, Unix milliseconds.
    pub due_at_ms: i64,
    /// Attempts that the schedule counts, the one under way among them; from 0 again where it is
    /// replayed.
    pub attempts: u32,
    /// How often it was claimed, which names the attempt that settles it; never less than before.
    pub claims: u32,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

/// Which deliveries to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// For this destination.
    pub destination: DestinationId,
    /// Due by now, Unix milliseconds.
    pub now_ms: i64,
    /// When they are due again unless settled, Unix milliseconds.
    pub lease_until_ms: i64,
    /// At most so many.
    pub limit: usize,
}

/// The latest times that anything is due at, or is leased until. What lies behind them was put there
/// by a clock that has been put right since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latest {
    /// Of what waits, Unix milliseconds.
    pub due_ms: i64,
    /// Of what is being tried, Unix milliseconds.
    pub lease_ms: i64,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settlement {
    /// Accepted, at this time.
    Sent {
        /// Unix milliseconds.
        at_ms: i64,
    },
    /// Try again at this time.
    Retry {
        /// Unix milliseconds.
        at_ms: i64,
        /// What went wrong.
        error: String,
    },
    /// Not tried, or put off by the destination (a rate limit, credentials that it does not take):
    /// again at this time, and the attempt does not count.
    Wait {
        /// Unix milliseconds.
        at_ms: i64,
        /// What it waits for.
        reason: String,
    },
    /// Never again by itself.
    Dead {
        /// Unix milliseconds.
        at_ms: i64,
        /// What went wrong.
        error: String,
    },
}

/// Which deliveries to list.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// Of this site.
    pub site: SiteId,
    /// Of all of the site, or fewer.
    pub of: DeliveriesOf,
    /// In this state only.
    pub state: Option<DeliveryState>,
    /// Beginning after this one.
    pub after: Option<DeliveryId>,
    /// At most so many.
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
    /// Whether a delivery of the right list is wanted.
    pub(super) fn wants(&self, delivery: &Delivery) -> bool {
        delivery.site == self.site && self.state.is_none_or(|state| delivery.state == state)
    }
}

impl DeliveryId {
    /// The id of a hand-off to a destination, of what it tells and of which conversion or record.
    pub fn of(
        lead: LeadId,
        destination: &DestinationId,
        kind: DeliveryKind,
        subject: Uuid,
    ) -> Self {
        let name = format!("{destination}\0{}\0{subject}", kind.as_str());
        Self { lead, hash: xxhash_rust::xxh3::xxh3_128(name.as_bytes()).to_be_bytes() }
    }

    /// The public form, which is also the webhook's id: `msg_` and base64url of both parts.
    pub fn to_text(self) -> String {
        format!("msg_{}", URL_SAFE_NO_PAD.encode([*self.lead.as_bytes(), self.hash].concat()))
    }

    /// Reads the public form.
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

    /// The name that receivers read, and that stands in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Converted => "lead.converted",
            Self::StageChanged => "lead.stage_changed",
            Self::Revenue => "lead.revenue",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Sending, Self::Sent, Self::Retry, Self::Dead];

    /// The name in data and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Retry => "retry",
            Self::Dead => "dead",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it stands in its destination's queue: a claimed one does too, under its lease's end,
    /// so that a claim whose holder dies comes back.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Pending | Self::Sending | Self::Retry)
    }
}

impl Delivery {
    /// One that has not been tried.
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

    /// The conversion that it hands off.
    pub fn conversion(&self) -> Option<ConversionId> {
        (self.kind == DeliveryKind::Converted).then_some(ConversionId(self.subject))
    }

    /// Puts it behind the first of its line, so that what stands behind it in its destination's queue
    /// need not wait with it.
    pub(super) fn wait_behind(&mut self, first: &Self, now_ms: i64) {
        self.due_at_ms = match first.state {
            DeliveryState::Sending => now_ms.saturating_add(LOOK_AGAIN_MS),
            _ => first.due_at_ms.saturating_add(1),
        };
    }

    /// Takes it until the lease's end.
    pub(super) fn claim(&mut self, lease_until_ms: i64) {
        self.state = DeliveryState::Sending;
        self.attempts = self.attempts.saturating_add(1);
        self.claims = self.claims.saturating_add(1);
        self.due_at_ms = lease_until_ms;
    }

    /// Records how an attempt ended, given by its claim; nothing where that is no longer the one under
    /// way, because its lease ran out or somebody replayed it.
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

    /// Whether it waits for a time that nothing is due at.
    pub(super) fn is_stranded(&self, latest: Latest) -> bool {
        let latest_ms = match self.state {
            DeliveryState::Sending => latest.lease_ms,
            _ => latest.due_ms,
        };
        self.state.waits() && self.due_at_ms > latest_ms
    }

    /// Makes it due anew.
    pub(super) fn replay(&mut self, now_ms: i64) {
        self.state = DeliveryState::Pending;
        self.attempts = 0;
        self.due_at_ms = now_ms;
    }
}

/// What a stranger's server said may hold what PostgreSQL's texts cannot; it is the same on every
/// store.
pub(super) fn storable(error: &str) -> String {
    error.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests;
