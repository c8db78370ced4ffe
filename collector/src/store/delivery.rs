//! A hand-off and its states: what claiming, settling and replaying make of it, without any store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId};

/// One hand-off's id: the lead, and the hash of destination, kind and subject, so that the same
/// hand-off is the same row and the lead's shard is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The lead.
    pub lead: LeadId,
    /// XXH3-128 of destination, kind and subject.
    pub hash: [u8; 16],
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
    /// The destination's name in the configuration.
    pub destination: String,
    /// The conversion handed off.
    pub subject: ConversionId,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it falls due (while waiting) or was settled, Unix milliseconds.
    pub due_at_ms: i64,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

/// Which deliveries to take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// For this destination.
    pub destination: String,
    /// Due by now, Unix milliseconds.
    pub now_ms: i64,
    /// When they are due again unless settled, Unix milliseconds.
    pub lease_until_ms: i64,
    /// At most so many.
    pub limit: usize,
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
    /// In this state only.
    pub state: Option<DeliveryState>,
    /// Of this lead only.
    pub lead: Option<LeadId>,
    /// Beginning after this one.
    pub after: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
}

impl DeliveryId {
    /// The id of a conversion's hand-off to a destination.
    pub fn of(lead: LeadId, destination: &str, subject: ConversionId) -> Self {
        let name = format!("{destination}\0lead.converted\0{subject}");
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
    /// Takes it until the lease's end.
    pub(super) fn claim(&mut self, lease_until_ms: i64) {
        self.state = DeliveryState::Sending;
        self.attempts += 1;
        self.due_at_ms = lease_until_ms;
    }

    /// Records how an attempt ended, given by its number; nothing where that is no longer the one under
    /// way, because its lease ran out or somebody replayed it.
    pub(super) fn settle(&mut self, attempt: u32, settlement: Settlement) {
        if self.state != DeliveryState::Sending || self.attempts != attempt {
            return;
        }
        (self.state, self.due_at_ms, self.error) = match settlement {
            Settlement::Sent { at_ms } => (DeliveryState::Sent, at_ms, None),
            Settlement::Retry { at_ms, error } => {
                (DeliveryState::Retry, at_ms, Some(storable(&error)))
            }
            Settlement::Dead { at_ms, error } => {
                (DeliveryState::Dead, at_ms, Some(storable(&error)))
            }
        };
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
