//! The pieces in which a store's contents are moved to another store. Each is complete in itself,
//! and the same on every backend.

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

/// How many entities an export reads ahead.
const AHEAD: usize = 64;

/// One piece. Lists are in the order of their ids.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A browser with everything it did.
    Visitor {
        /// The site.
        site: SiteId,
        /// The visitor.
        visitor: VisitorId,
        /// What is kept beside the rows.
        record: Visitor,
        /// The rows.
        events: Vec<Event>,
    },
    /// A lead with everything in its bucket.
    Lead {
        /// The lead.
        lead: Lead,
        /// Its conversions.
        conversions: Vec<Conversion>,
        /// Its deliveries, finished or not.
        deliveries: Vec<FrozenDelivery>,
        /// The records about it.
        records: Vec<Record>,
    },
    /// An identity by which a lead is found.
    Identity {
        /// The site.
        site: SiteId,
        /// The kind of identity.
        kind: IdentityKind,
        /// The value, in the form of [`shared::lead::Contact::identities`].
        value: String,
        /// The lead that it belongs to.
        lead: LeadId,
    },
    /// An idempotency key.
    UsedKey {
        /// The site.
        site: SiteId,
        /// The key.
        key: String,
        /// What it was used for.
        used: UsedKey,
    },
    /// An unmatched record.
    Unmatched(Unmatched),
    /// A memo, but never a lease.
    Memo(Memo),
}

impl Entity {
    /// About how many rows it has in a store.
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

/// Everything in a store, one entity after the other. The sender marks the end explicitly;
/// otherwise a sender that died would leave a copy that looks complete.
pub struct Entities {
    received: Receiver<Result<Option<Entity>, StoreError>>,
    ended: bool,
}

/// Where a store sends its entities; the last message is `None`.
pub(super) type EntitySender = Sender<Result<Option<Entity>, StoreError>>;

impl Entities {
    pub(super) fn channel() -> (EntitySender, Self) {
        let (sender, received) = channel(AHEAD);
        (sender, Self { received, ended: false })
    }

    /// The entities of an empty store.
    pub fn none() -> Self {
        Self { received: channel(1).1, ended: true }
    }

    /// The next entity; `None` after the last. Nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<Entity, StoreError>> {
        match self.ended {
            true => None,
            false => {
                let received = self.received.recv().await;
                self.take(received)
            }
        }
    }

    /// Like [`Self::next`], for a thread that has nothing else to do. Blocks.
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
            None => Some(Err(StoreError::Closed("the export ended early".into()))),
        }
    }
}

/// A row with its id.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// What is stored of it.
    pub row: Row,
}

/// A delivery with its frozen body.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FrozenDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The body in base64, once it is frozen.
    #[serde(with = "base64_bytes")]
    pub body: Option<Vec<u8>>,
}

/// The progress of an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportState {
    /// The digest of the imported file.
    pub file: [u8; 16],
    /// The number of its entities that are stored.
    pub entities: u64,
}

/// A part of an import, stored in one step together with the import's progress.
#[derive(Clone, Debug)]
pub struct ImportPart {
    /// The entities.
    pub entities: Vec<Entity>,
    /// The progress after this part.
    pub state: ImportState,
    /// Whether this is the last part.
    pub last: bool,
}

/// What a store contains before an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contents {
    /// It contains nothing.
    Nothing,
    /// It contains something, and no import is running.
    Something,
    /// An import is unfinished.
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
