//! Export and import on sled.

use super::read::read;
use super::rows::{
    put_conversion, put_delivery, put_lead, put_memo, put_record, put_unmatched, put_used_key,
};
use super::snapshot::{Snapshot, ValueBatch, View};
use super::transaction::{Transaction, corrupt};
use super::{SledStore, keys};
use crate::conversion::UsedKey;
use crate::delivery::Delivery;
use crate::entity::{
    Contents, Entities, Entity, EntitySender, Event, FrozenDelivery, ImportPart, ImportState,
};
use crate::error::StoreError;
use crate::memo::MemoKind;
use crate::record::Record;
use crate::verbs::Transfer;
use crate::visitor::{Row, Visitor};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use shared::ids::{EventId, LeadId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use uuid::Uuid;

/// How many entities, and how many rows in them, are read while the writer waits: whichever comes
/// first.
const AT_ONCE: usize = 20;
const ROWS_AT_ONCE: usize = 200;

#[async_trait]
impl Transfer for SledStore {
    fn export(&self) -> Entities {
        let (sender, entities) = Entities::channel();
        let begun = self.snapshots.begin(&self.engine).and_then(|snapshot| {
            let sender = sender.clone();
            let thread = std::thread::Builder::new().name("store-export".into());
            let export = move || export(snapshot, &sender);
            thread.spawn(export).map(drop).map_err(|error| StoreError::Closed(error.to_string()))
        });
        if let Err(error) = begun {
            // A new channel has room for one message.
            let _ = sender.try_send(Err(error));
        }
        entities
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        contents(&self.tree()?)
    }

    async fn import(&self, part: ImportPart) -> Result<(), StoreError> {
        self.writer.write(move |transaction| import(transaction, part)).await
    }
}

/// Sends everything. Ends early if the receiver is gone. Blocks.
fn export(snapshot: Snapshot, out: &EntitySender) {
    let sent = pieces(&snapshot, keys::VISITORS, out, visitor)
        .and_then(|()| pieces(&snapshot, keys::LEADS, out, lead))
        .and_then(|()| pieces(&snapshot, keys::IDENTITIES, out, identity))
        .and_then(|()| pieces(&snapshot, keys::USED_KEYS, out, used_key))
        .and_then(|()| {
            pieces(&snapshot, keys::UNMATCHED, out, |_, _, record| Ok(Entity::Unmatched(record)))
        })
        .and_then(|()| {
            MemoKind::carried().try_for_each(|kind| {
                pieces(&snapshot, &keys::memos(kind), out, |_, _, memo| Ok(Entity::Memo(memo)))
            })
        });
    // The caller may start the next export as soon as it sees the end.
    drop(snapshot);
    // If sending fails, the receiver is gone.
    let _ = out.blocking_send(sent.map(|()| None));
}

fn pieces<T: DeserializeOwned>(
    snapshot: &Snapshot,
    prefix: &[u8],
    out: &EntitySender,
    piece: impl Fn(&View<'_>, &[u8], T) -> Result<Entity, StoreError>,
) -> Result<(), StoreError> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let (read, last) = some(snapshot.view()?, prefix, after.as_deref(), &piece)?;
        for entity in read {
            if out.blocking_send(Ok(Some(entity))).is_err() {
                return Ok(());
            }
        }
        match last {
            Some(_) => after = last,
            None => return Ok(()),
        }
    }
}

/// Reads some entities after a key. Returns them and the last key that was processed.
fn some<T: DeserializeOwned>(
    mut view: View<'_>,
    prefix: &[u8],
    after: Option<&[u8]>,
    piece: impl Fn(&View<'_>, &[u8], T) -> Result<Entity, StoreError>,
) -> Result<(Vec<Entity>, Option<Vec<u8>>), StoreError> {
    let ValueBatch { values, mut last } = view.next::<T>(prefix, after, AT_ONCE)?;
    let (mut read, mut rows) = (Vec::new(), 0);
    for (key, value) in values {
        if rows >= ROWS_AT_ONCE {
            break;
        }
        let entity = piece(&view, &key, value)?;
        rows += entity.rows();
        read.push(entity);
        last = Some(key);
    }
    if let Some(last) = &last {
        view.pass(last);
    }
    Ok((read, last))
}

fn visitor(view: &View<'_>, key: &[u8], record: Visitor) -> Result<Entity, StoreError> {
    let wrong = || corrupt(key, "it names no visitor");
    let (site, visitor) = keys::split_site(&key[1..]).ok_or_else(wrong)?;
    let visitor = VisitorId(Uuid::from_slice(visitor).map_err(|_| wrong())?);
    let rows = keys::rows(&site, visitor);
    let mut events = Vec::new();
    for (key, row) in view.all::<Row>(&rows)? {
        let id = Uuid::from_slice(&key[rows.len()..]);
        let id = EventId(id.map_err(|_| corrupt(&key, "it names no event"))?);
        events.push(Event { id, row });
    }
    Ok(Entity::Visitor { site, visitor, record, events })
}

fn lead(view: &View<'_>, _: &[u8], lead: Lead) -> Result<Entity, StoreError> {
    let conversions = view.all::<Conversion>(&keys::conversions(lead.id))?;
    let conversions = conversions.into_iter().map(|(_, conversion)| conversion).collect();
    let mut deliveries = Vec::new();
    for (_, delivery) in view.all::<Delivery>(&keys::lead_deliveries(lead.id))? {
        let body = view.get(&keys::body(delivery.id))?;
        deliveries.push(FrozenDelivery { delivery, body });
    }
    let records = view.all::<Record>(&keys::records(lead.id))?;
    let records = records.into_iter().map(|(_, record)| record).collect();
    Ok(Entity::Lead { lead, conversions, deliveries, records })
}

fn identity(_: &View<'_>, key: &[u8], lead: LeadId) -> Result<Entity, StoreError> {
    let read = || {
        let (site, rest) = keys::split_site(&key[1..])?;
        let (kind, value) = std::str::from_utf8(rest).ok()?.split_once('\0')?;
        Some(Entity::Identity { site, kind: IdentityKind::parse(kind)?, value: value.into(), lead })
    };
    read().ok_or_else(|| corrupt(key, "it names no identity"))
}

fn used_key(_: &View<'_>, key: &[u8], used: UsedKey) -> Result<Entity, StoreError> {
    let read = || {
        let (site, name) = keys::split_site(&key[1..])?;
        Some(Entity::UsedKey { site, key: std::str::from_utf8(name).ok()?.into(), used })
    };
    read().ok_or_else(|| corrupt(key, "it names no idempotency key"))
}

/// What the store contains, as far as an import needs to know.
fn contents(tree: &sled::Tree) -> Result<Contents, StoreError> {
    if let Some(state) = read::<ImportState>(tree, keys::IMPORT)? {
        return Ok(Contents::Import(state));
    }
    let prefixes =
        [keys::VISITORS, keys::LEADS, keys::IDENTITIES, keys::USED_KEYS, keys::UNMATCHED];
    let is_there = |prefix: &[u8]| tree.scan_prefix(prefix).next().is_some();
    let something = prefixes.into_iter().any(is_there)
        || MemoKind::carried().any(|kind| is_there(&keys::memos(kind)));
    Ok(if something { Contents::Something } else { Contents::Nothing })
}

/// Stores a part of an import, and the import's progress.
fn import(transaction: &mut Transaction<'_>, part: ImportPart) -> Result<(), StoreError> {
    for entity in part.entities {
        put(transaction, entity)?;
    }
    match part.last {
        false => transaction.put(keys::IMPORT, &part.state),
        true => {
            transaction.remove(keys::IMPORT.to_vec());
            Ok(())
        }
    }
}

fn put(transaction: &mut Transaction<'_>, entity: Entity) -> Result<(), StoreError> {
    match entity {
        Entity::Visitor { site, visitor, record, events } => {
            for Event { id, row } in events {
                transaction.put(&keys::row(&site, visitor, id), &row)?;
            }
            transaction.put(&keys::visitor(&site, visitor), &record)
        }
        Entity::Lead { lead, conversions, deliveries, records } => {
            put_lead(transaction, &lead)?;
            for record in &records {
                put_record(transaction, lead.id, record)?;
            }
            for conversion in &conversions {
                put_conversion(transaction, &lead, conversion)?;
            }
            for FrozenDelivery { delivery, body } in deliveries {
                put_delivery(transaction, &delivery)?;
                if let Some(body) = body {
                    transaction.put(&keys::body(delivery.id), &body)?;
                }
            }
            Ok(())
        }
        Entity::Identity { site, kind, value, lead } => {
            transaction.put(&keys::identity(&site, kind, &value), &lead)
        }
        Entity::UsedKey { site, key, used } => {
            put_used_key(transaction, &keys::idempotency(&site, &key), &used)
        }
        Entity::Unmatched(unmatched) => put_unmatched(transaction, &unmatched),
        Entity::Memo(memo) => put_memo(transaction, &memo),
    }
}
