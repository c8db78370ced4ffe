//! The verbs `merge` and `undo_merge` on PostgreSQL: one transaction over the buckets of both
//! leads, which are locked in the order of their ids.

use super::convert::put_leads;
use super::pool::{ConnectionPool, PostgresError};
use super::rows;
use super::statements as sql;
use crate::merge::{self, MergeRefused, NewMerge, Undone};
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
                let Some((mut survivor, mut merged)) =
                    take(&transaction, new.survivor, new.merged).await?
                else {
                    return Ok(Err(MergeRefused::NotVerified));
                };
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
                let Some((mut survivor, mut merged)) =
                    take(&transaction, *survivor, *merged).await?
                else {
                    return Ok(None);
                };
                let undone = merge::undo(&mut survivor, &mut merged, *now_ms);
                if undone == Undone::Now {
                    put_leads(&transaction, [&survivor, &merged]).await?;
                }
                transaction.commit().await?;
                Ok(Some(merged).filter(|_| undone != Undone::Never))
            })
        })
        .await
}

/// Both leads, locked in the order of their ids; `None` if one of them does not exist.
async fn take(
    transaction: &Transaction<'_>,
    survivor: LeadId,
    merged: LeadId,
) -> Result<Option<(Lead, Lead)>, PostgresError> {
    let mut taken = Vec::with_capacity(2);
    for lead in [survivor.min(merged), survivor.max(merged)] {
        let found = rows::query(transaction, &sql::TAKE_LEAD, &rows::lead_key(lead)).await?;
        let Some(row) = found.first() else { return Ok(None) };
        taken.push(rows::document::<Lead>(row, 0)?);
    }
    let (second, first) = (taken.pop(), taken.pop());
    Ok(first.zip(second).map(|(first, second)| match first.id == survivor {
        true => (first, second),
        false => (second, first),
    }))
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
