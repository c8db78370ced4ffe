//! The verb `ingest` on PostgreSQL: one transaction for the batches of many visitors.
//!
//! It locks the visitors first, in the order of their keys; then it reads the rows that their
//! events touch, changes them and writes them back. Only the holder of a visitor's lock changes its
//! rows.

use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::statements as sql;
use crate::visitor::{Arrivals, ChangedRow, Row, Visitor, VisitorUpdate};
use deadpool_postgres::Transaction;
use shared::ids::{EventId, SiteId, VisitorId};
use shared::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

/// Bucket, site and visitor: the order in which visitors are locked.
pub(super) type Key = (i16, SiteId, VisitorId);

/// Ingests batches and returns the outcomes of each.
pub(super) async fn ingest(
    connections: &ConnectionPool,
    batches: &[Arrivals],
) -> Result<Vec<Vec<Outcome>>, PostgresError> {
    connections
        .work(&batches, |client, batches| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let outcomes = commit(&transaction, batches).await?;
                transaction.commit().await?;
                Ok(outcomes)
            })
        })
        .await
}

async fn commit(
    transaction: &Transaction<'_>,
    batches: &[Arrivals],
) -> Result<Vec<Vec<Outcome>>, PostgresError> {
    let mut visitors: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (index, arrivals) in batches.iter().enumerate() {
        let bucket = rows::visitor_bucket(&arrivals.site, arrivals.visitor);
        let key = (bucket, arrivals.site.clone(), arrivals.visitor);
        visitors.entry(key).or_default().push(index);
    }
    let mut records = take(transaction, visitors.keys()).await?;
    let mut stored = stored_rows(transaction, &visitors, &records, batches).await?;

    let mut outcomes = vec![Vec::new(); batches.len()];
    let (mut events, mut changed_records) = (Parameters::default(), Parameters::default());
    for (key, indices) in visitors {
        let (_, site, visitor) = &key;
        let mut change = VisitorUpdate::of(records.remove(&key));
        let known = stored.remove(&key).unwrap_or_default();
        for index in indices {
            let stored = |id| Ok(known.get(&id).cloned());
            outcomes[index] = change.take(batches[index].clone(), stored)?;
        }
        if change.is_over_full() {
            let all = rows::visitor_key(site, *visitor);
            let all = rows::query(transaction, &sql::EVENTS, &all).await?;
            change.sum_up(rows::events(&all).collect::<Result<Vec<_>, _>>()?);
        }
        let changed = change.finish();
        let mut removed = Vec::new();
        for (id, changed) in changed.rows {
            match changed {
                ChangedRow::Put { row, .. } => {
                    push_visitor(&mut events, &key);
                    events.push(id.0);
                    events.push(rows::json(&row)?);
                }
                ChangedRow::Removed => removed.push(id.0),
            }
        }
        if !removed.is_empty() {
            let removed = rows::visitor_key(site, *visitor).and(removed);
            rows::execute(transaction, &sql::REMOVE_EVENTS, &removed).await?;
        }
        if let Some(record) = changed.record {
            push_visitor(&mut changed_records, &key);
            changed_records.push(rows::json(&record)?);
        }
    }
    rows::insert(transaction, &sql::PUT_EVENTS, &events).await?;
    rows::insert(transaction, &sql::PUT_VISITORS, &changed_records).await?;
    Ok(outcomes)
}

/// Locks visitors until the commit, creating new ones. Returns the records of those that existed.
async fn take(
    transaction: &Transaction<'_>,
    visitors: impl Iterator<Item = &Key>,
) -> Result<HashMap<Key, Visitor>, PostgresError> {
    let mut wanted = Parameters::default();
    visitors.for_each(|key| push_visitor(&mut wanted, key));
    let taken = take_at_once(transaction, &wanted).await?;
    let mut records = HashMap::with_capacity(taken.len());
    for row in taken {
        let (site, visitor) = (rows::site(&row, 0)?, VisitorId(rows::column(&row, 1)?));
        // A visitor that was just created has no record yet.
        if let Some(Json(record)) = rows::column::<Option<Json<Visitor>>>(&row, 2)? {
            let bucket = rows::visitor_bucket(&site, visitor);
            records.insert((bucket, site, visitor), record);
        }
    }
    Ok(records)
}

/// Locks all visitors with one statement, whatever their number. A cluster processes a statement's
/// rows shard by shard, so every collector locks them in the same order. Planning is a quarter of
/// the work for common numbers of rows, so those statements are prepared.
async fn take_at_once(
    transaction: &Transaction<'_>,
    visitors: &Parameters,
) -> Result<Vec<tokio_postgres::Row>, PostgresError> {
    const OFTEN: usize = 64;
    static TEXTS: LazyLock<Vec<String>> =
        LazyLock::new(|| (1..=OFTEN).map(|rows| sql::TAKE_VISITORS.text(rows)).collect());
    let visitors = visitors.as_refs();
    let rows = visitors.len() / sql::TAKE_VISITORS.width();
    if rows == 0 {
        return Ok(Vec::new());
    }
    if let Some(text) = TEXTS.get(rows - 1) {
        let prepared = transaction.prepare_cached(text).await?;
        return Ok(transaction.query(&prepared, &visitors).await?);
    }
    let columns = [Type::INT2, Type::TEXT, Type::UUID].into_iter().cycle();
    let visitors: Vec<_> = visitors.into_iter().zip(columns).collect();
    Ok(transaction.query_typed(&sql::TAKE_VISITORS.text(rows), &visitors).await?)
}

/// The stored rows of known visitors that the events may change.
async fn stored_rows(
    transaction: &Transaction<'_>,
    visitors: &BTreeMap<Key, Vec<usize>>,
    records: &HashMap<Key, Visitor>,
    batches: &[Arrivals],
) -> Result<HashMap<Key, HashMap<EventId, Row>>, PostgresError> {
    let known: Vec<_> = visitors.iter().filter(|(key, _)| records.contains_key(key)).collect();
    let wanted = |(key, indices): &(&Key, &Vec<usize>)| {
        let events = indices.iter().flat_map(|index| &batches[*index].events);
        let ids: BTreeSet<Uuid> = events.flat_map(|event| event.rows()).map(|id| id.0).collect();
        rows::visitor_key(&key.1, key.2).and(ids.into_iter().collect::<Vec<_>>())
    };
    let wanted: Vec<_> = known.iter().map(wanted).collect();
    let found = rows::query_each(transaction, &sql::SOME_EVENTS, &wanted).await?;
    let mut stored = HashMap::with_capacity(known.len());
    for ((key, _), found) in known.into_iter().zip(found) {
        let mut own = HashMap::new();
        for row in found? {
            own.insert(EventId(rows::column(&row, 0)?), rows::document(&row, 1)?);
        }
        stored.insert(key.clone(), own);
    }
    Ok(stored)
}

/// Appends a visitor's key, the first columns of all its rows.
pub(super) fn push_visitor(parameters: &mut Parameters, (bucket, site, visitor): &Key) {
    parameters.push(*bucket);
    parameters.push(site.as_str().to_owned());
    parameters.push(visitor.0);
}
