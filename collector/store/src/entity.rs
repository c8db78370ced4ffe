//! What a store holds, in pieces that can be carried from one store to another: each is whole by
//! itself, and the same on every backend.

use crate::conversion::UsedKey;
use crate::delivery::Delivery;
use crate::error::StoreError;
use crate::memo::Memo;
use crate::record::{Record, Unmatched};
use crate::visitor::{Row, Visitor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Entities of an export that are read before they are asked for.
const AHEAD: usize = 64;

/// One piece. Lists are in the order of their ids.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A browser with everything it did.
    Visitor {
        /// Where.
        site: SiteId,
        /// Who.
        visitor: VisitorId,
        /// What is kept beside the rows.
        record: Visitor,
        /// The rows.
        events: Vec<Event>,
    },
    /// A person with everything in the lead's bucket.
    Lead {
        /// The person.
        lead: Lead,
        /// What they did.
        conversions: Vec<Conversion>,
        /// What was handed off, or is to be.
        deliveries: Vec<HandOff>,
        /// What was told of them since.
        records: Vec<Record>,
    },
    /// What a lead is found by.
    Identity {
        /// Where.
        site: SiteId,
        /// What kind of thing it is.
        kind: IdentityKind,
        /// In the form of [`shared::lead::Contact::identities`].
        value: String,
        /// Whose it is.
        lead: LeadId,
    },
    /// An idempotency key.
    UsedKey {
        /// Where.
        site: SiteId,
        /// The key.
        key: String,
        /// What for.
        used: UsedKey,
    },
    /// Something that was told of nobody who is known.
    Unmatched(Unmatched),
    /// Something that was remembered; no lease.
    Memo(Memo),
}

impl Entity {
    /// About how many rows of a store it is.
    pub fn rows(&self) -> usize {
        match self {
            Self::Visitor { events, .. } => 1 + events.len(),
            Self::Lead { conversions, deliveries, records, .. } => {
                1 + conversions.len() + deliveries.len() + records.len()
            }
            Self::Identity { .. } | Self::UsedKey { .. } | Self::Unmatched(_) | Self::Memo(_) => 1,
        }
    }
}

/// Everything that a store holds, one after the other. What sends it tells when that was all: else
/// one that died on the way would leave a copy that looks whole.
pub struct Entities {
    received: Receiver<Result<Option<Entity>, StoreError>>,
    ended: bool,
}

/// Where a store sends what it holds, and last of all `None`.
pub(super) type Out = Sender<Result<Option<Entity>, StoreError>>;

impl Entities {
    pub(super) fn channel() -> (Out, Self) {
        let (sender, received) = channel(AHEAD);
        (sender, Self { received, ended: false })
    }

    /// Those of a store that holds nothing.
    pub fn none() -> Self {
        Self { received: channel(1).1, ended: true }
    }

    /// The next one; `None` behind the last. After an error there is no more.
    pub async fn next(&mut self) -> Option<Result<Entity, StoreError>> {
        match self.ended {
            true => None,
            false => {
                let received = self.received.recv().await;
                self.take(received)
            }
        }
    }

    /// The same for a thread that has nothing else to do. Blocks.
    pub fn blocking_next(&mut self) -> Option<Result<Entity, StoreError>> {
        match self.ended {
            true => None,
            false => {
                let received = self.received.blocking_recv();
                self.take(received)
            }
        }
    }

    fn take(
        &mut self,
        received: Option<Result<Option<Entity>, StoreError>>,
    ) -> Option<Result<Entity, StoreError>> {
        self.ended = !matches!(received, Some(Ok(Some(_))));
        match received {
            Some(Ok(entity)) => entity.map(Ok),
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(StoreError::Closed("an export was cut off".into()))),
        }
    }
}

/// A row with its id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// What is kept of it.
    pub row: Row,
}

/// A delivery with its frozen body.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HandOff {
    /// The delivery.
    pub delivery: Delivery,
    /// Base64 of the body, once there is one.
    #[serde(with = "base64_bytes")]
    pub body: Option<Vec<u8>>,
}

/// How far an import has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportState {
    /// The digest of the file.
    pub file: [u8; 16],
    /// Its entities that are stored.
    pub entities: u64,
}

/// A part of an import, stored in one step together with how far it brings the import.
#[derive(Clone, Debug)]
pub struct ImportPart {
    /// The entities.
    pub entities: Vec<Entity>,
    /// How far the import has come with it.
    pub state: ImportState,
    /// Whether that is its end.
    pub last: bool,
}

/// What a store says before an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holding {
    /// It holds nothing.
    Nothing,
    /// It holds something, and no import is under way.
    Something,
    /// An import has begun and not ended.
    Import(ImportState),
}

mod base64_bytes {
    //! Optional bytes as base64 in texts.

    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text)).transpose().map_err(serde::de::Error::custom)
    }
}
