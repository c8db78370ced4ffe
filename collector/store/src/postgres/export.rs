//! Exports everything from PostgreSQL, bucket by bucket, in one read-only transaction. On a single
//! server this is a consistent snapshot. The nodes of a Citus cluster share no snapshot, so stop
//! the collectors there for an exact copy.

use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters, parameters};
use super::statements as sql;
use super::{convert, delivery, memos};
use crate::entity::{self, Entity, Event, FrozenDelivery};
use crate::error::StoreError;
use crate::record::Record;
use crate::visitor::Visitor;
use deadpool_postgres::Transaction;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use std::collections::HashMap;
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

const BUCKETS: std::ops::Range<i16> = 0..256;
/// How many visitors or leads are read at once, with everything that belongs to them.
const AT_ONCE: i64 = 50;
/// The most rows of visitors that are read at once, unless a single visitor has more.
const EVENTS_AT_ONCE: u32 = 5_000;
/// How many entities that are a single row are read at once.
const ROWS_AT_ONCE: i64 = 1_000;

/// Receives the entities; a send error ends the export.
struct EntityWriter(entity::EntitySender);

/// Sends everything. Ends early if the receiver is gone.
pub(super) async fn export(connections: ConnectionPool, sender: entity::EntitySender) {
    let out = EntityWriter(sender);
    let sent = everything(&connections, &out).await;
    // If sending fails, the receiver is gone.
    let _ = out.0.send(sent.map(|()| None).map_err(StoreError::from)).await;
}

async fn everything(connections: &ConnectionPool, out: &EntityWriter) -> Result<(), PostgresError> {
    let mut client = connections.get().await?;
    let transaction = client.build_transaction();
    let transaction =
        transaction.isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    rows::query(&transaction, &sql::NO_LIMITS, &Parameters::default()).await?;
    for bucket in BUCKETS {
        visitors(&transaction, bucket, out).await?;
    }
    for bucket in BUCKETS {
        leads(&transaction, bucket, out).await?;
    }
    for bucket in BUCKETS {
        identities(&transaction, bucket, out).await?;
    }
    for bucket in BUCKETS {
        used_keys(&transaction, bucket, out).await?;
    }
    for bucket in BUCKETS {
        unmatched(&transaction, bucket, out).await?;
    }
    for bucket in BUCKETS {
        memos(&transaction, bucket, out).await?;
    }
    Ok(transaction.commit().await?)
}

impl EntityWriter {
    async fn send(&self, entity: Entity) -> Result<(), PostgresError> {
        let closed = |_| StoreError::Closed("the reader of the export is gone".into());
        Ok(self.0.send(Ok(Some(entity))).await.map_err(closed)?)
    }
}

async fn visitors(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let (mut site, mut visitor) = (String::new(), Uuid::nil());
    loop {
        let after = parameters![bucket, site.clone(), visitor, AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_VISITORS, &after).await?;
        let mut records: Vec<((SiteId, Uuid), Visitor)> = Vec::with_capacity(found.len());
        let mut rows = 0;
        for row in &found {
            let record: Visitor = rows::document(row, 2)?;
            rows += record.views + record.actions;
            if rows > EVENTS_AT_ONCE && !records.is_empty() {
                break;
            }
            records.push(((rows::site(row, 0)?, rows::column(row, 1)?), record));
        }
        let (Some((first, _)), Some((last, _))) = (records.first(), records.last()) else {
            return Ok(());
        };
        (site, visitor) = (last.0.as_str().to_owned(), last.1);
        let first_site = first.0.as_str().to_owned();
        let run = parameters![bucket, first_site, first.1, site.clone(), visitor];
        let mut events: HashMap<(SiteId, Uuid), Vec<Event>> = HashMap::new();
        for row in rows::query(transaction, &sql::EXPORT_EVENTS, &run).await? {
            let key = (rows::site(&row, 0)?, rows::column(&row, 1)?);
            let id = EventId(rows::column(&row, 2)?);
            events.entry(key).or_default().push(Event { id, row: rows::document(&row, 3)? });
        }
        for (key, record) in records {
            let events = events.remove(&key).unwrap_or_default();
            let (site, visitor) = (key.0, VisitorId(key.1));
            out.send(Entity::Visitor { site, visitor, record, events }).await?;
        }
    }
}

async fn leads(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let mut after = Uuid::nil();
    loop {
        let behind = parameters![bucket, after, AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_LEADS, &behind).await?;
        let found: Vec<Lead> = rows::documents(&found)?;
        let (Some(first), Some(last)) = (found.first(), found.last()) else { return Ok(()) };
        after = last.id.0;
        let run = parameters![bucket, first.id.0, after];
        let mut conversions: HashMap<LeadId, Vec<Conversion>> = HashMap::new();
        for row in rows::query(transaction, &sql::EXPORT_CONVERSIONS, &run).await? {
            let lead = LeadId(rows::column(&row, 0)?);
            conversions.entry(lead).or_default().push(rows::document(&row, 1)?);
        }
        let mut records: HashMap<LeadId, Vec<Record>> = HashMap::new();
        for row in rows::query(transaction, &sql::EXPORT_RECORDS, &run).await? {
            let lead = LeadId(rows::column(&row, 0)?);
            records.entry(lead).or_default().push(rows::document(&row, 1)?);
        }
        let mut deliveries: HashMap<LeadId, Vec<FrozenDelivery>> = HashMap::new();
        for row in rows::query(transaction, &sql::EXPORT_DELIVERIES, &run).await? {
            let (delivery, body) = (delivery::read(&row)?, rows::column(&row, 12)?);
            deliveries.entry(delivery.id.lead).or_default().push(FrozenDelivery { delivery, body });
        }
        for lead in found {
            let conversions = conversions.remove(&lead.id).unwrap_or_default();
            let deliveries = deliveries.remove(&lead.id).unwrap_or_default();
            let records = records.remove(&lead.id).unwrap_or_default();
            out.send(Entity::Lead { lead, conversions, deliveries, records }).await?;
        }
    }
}

async fn identities(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let mut after = [String::new(), String::new(), String::new()];
    loop {
        let [site, kind, value] = after;
        let behind = parameters![bucket, site, kind, value, ROWS_AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_IDENTITIES, &behind).await?;
        let Some(last) = found.last() else { return Ok(()) };
        for row in &found {
            let kind: &str = rows::column(row, 1)?;
            let unknown =
                || StoreError::Corrupt(format!("an identity has the unknown kind {kind}"));
            out.send(Entity::Identity {
                site: rows::site(row, 0)?,
                kind: IdentityKind::parse(kind).ok_or_else(unknown)?,
                value: rows::column(row, 2)?,
                lead: LeadId(rows::column(row, 3)?),
            })
            .await?;
        }
        after = [rows::column(last, 0)?, rows::column(last, 1)?, rows::column(last, 2)?];
    }
}

async fn used_keys(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let mut after = [String::new(), String::new()];
    loop {
        let [site, key] = after;
        let behind = parameters![bucket, site, key, ROWS_AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_USED_KEYS, &behind).await?;
        let Some(last) = found.last() else { return Ok(()) };
        for row in &found {
            out.send(Entity::UsedKey {
                site: rows::site(row, 4)?,
                key: rows::column(row, 5)?,
                used: convert::read_used_key(row)?,
            })
            .await?;
        }
        after = [rows::column(last, 4)?, rows::column(last, 5)?];
    }
}

async fn unmatched(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let (mut site, mut record) = (String::new(), Uuid::nil());
    loop {
        let behind = parameters![bucket, site, record, ROWS_AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_UNMATCHED, &behind).await?;
        let Some(last) = found.last() else { return Ok(()) };
        for row in &found {
            out.send(Entity::Unmatched(rows::document(row, 2)?)).await?;
        }
        (site, record) = (rows::column(last, 0)?, rows::column(last, 1)?);
    }
}

async fn memos(
    transaction: &Transaction<'_>,
    bucket: i16,
    out: &EntityWriter,
) -> Result<(), PostgresError> {
    let (mut kind, mut name) = (String::new(), String::new());
    loop {
        let behind = parameters![bucket, kind, name, ROWS_AT_ONCE];
        let found = rows::query(transaction, &sql::EXPORT_MEMOS, &behind).await?;
        let Some(last) = found.last() else { return Ok(()) };
        for row in &found {
            out.send(Entity::Memo(memos::read(row)?)).await?;
        }
        (kind, name) = (rows::column(last, 0)?, rows::column(last, 1)?);
    }
}
