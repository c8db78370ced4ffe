//! The verbs `merge` and `undo_merge` on PostgreSQL: one transaction over the buckets of both
//! leads, which are locked in the order of their ids.

use super::convert::{put_leads, take_lead};
use super::pool::{ConnectionPool, PostgresError};
use super::rows;
use super::statements as sql;
use crate::merge::{self, MergeRefused, NewMerge};
use deadpool_postgres::Transaction;
use shared::ids::LeadId;
use shared::lead::Lead;

pub(super) async fn merge(
    connections: &ConnectionPool,
    new: &NewMerge,
) -> Result<Result<Lead, MergeRefused>, PostgresError> {
    connections
        .work(new, |client, new| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let (mut survivor, mut merged) =
                    take(&transaction, new.survivor, new.merged).await?;
                let done = merge::merge(&mut survivor, &mut merged, new.clone());
                if done == Ok(true) {
                    put_leads(&transaction, [&survivor, &merged]).await?;
                }
                transaction.commit().await?;
                Ok(done.map(|_| survivor))
            })
        })
        .await
}

pub(super) async fn undo(
    connections: &ConnectionPool,
    survivor: LeadId,
    merged: LeadId,
    now_ms: i64,
) -> Result<Option<Lead>, PostgresError> {
    connections
        .work(&(survivor, merged, now_ms), |client, (survivor, merged, now_ms)| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let (mut survivor, mut merged) = take(&transaction, *survivor, *merged).await?;
                let is_undone = merge::undo(&mut survivor, &mut merged, *now_ms);
                if is_undone {
                    put_leads(&transaction, [&survivor, &merged]).await?;
                }
                transaction.commit().await?;
                Ok(is_undone.then_some(merged))
            })
        })
        .await
}

async fn take(
    transaction: &Transaction<'_>,
    survivor: LeadId,
    merged: LeadId,
) -> Result<(Lead, Lead), PostgresError> {
    let first = take_lead(transaction, survivor.min(merged)).await?;
    let second = take_lead(transaction, survivor.max(merged)).await?;
    Ok(if first.id == survivor { (first, second) } else { (second, first) })
}

/// A lead, or the one that answers for it, without a lock.
pub(super) async fn answering(
    transaction: &Transaction<'_>,
    lead: LeadId,
) -> Result<Lead, PostgresError> {
    let mut id = lead;
    loop {
        let found = rows::query(transaction, &sql::LEAD, &rows::lead_key(id)).await?;
        // On a cluster, the parts of a transaction on two nodes may become visible at different
        // times.
        let lead: Lead = rows::document(found.first().ok_or(PostgresError::Raced)?, 0)?;
        match lead.status.answered_by() {
            Some(other) => id = other,
            None => return Ok(lead),
        }
    }
}
