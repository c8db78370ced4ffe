//! The verb `undo_join` on PostgreSQL: one transaction over the buckets of the browser and of the
//! leads that had it.
//!
//! A browser's memberships change only under a lock on the browser. So this locks the browser
//! first, and then the leads, in the same order as a conversion does.

use super::convert::{put_leads, take_lead};
use super::pool::{ConnectionPool, PostgresError};
use super::rows;
use super::statements as sql;
use crate::membership;
use crate::visitor::Visitor;
use deadpool_postgres::Transaction;
use shared::ids::{LeadId, VisitorId};
use shared::lead::Lead;
use std::collections::BTreeMap;

pub(super) async fn undo_join(
    connections: &ConnectionPool,
    lead: LeadId,
    visitor: VisitorId,
    now_ms: i64,
) -> Result<Option<Lead>, PostgresError> {
    connections
        .work(&(lead, visitor, now_ms), |client, (lead, visitor, now_ms)| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let undone = attempt(&transaction, *lead, *visitor, *now_ms).await?;
                transaction.commit().await?;
                Ok(undone)
            })
        })
        .await
}

async fn attempt(
    transaction: &Transaction<'_>,
    id: LeadId,
    visitor: VisitorId,
    now_ms: i64,
) -> Result<Option<Lead>, PostgresError> {
    let Some(lead) = read(transaction, id).await? else { return Ok(None) };
    let key = rows::visitor_key(&lead.site, visitor);
    let taken = rows::query(transaction, &sql::TAKE_VISITOR, &key).await?;
    // A visitor that was erased belonged to no lead.
    let Some(taken) = taken.first() else {
        return Ok(Some(lead).filter(|lead| membership::has_ever_joined(lead, visitor)));
    };
    let mut record: Visitor = rows::document(taken, 0)?;
    // Read again, now that nobody else can change it.
    let Some(lead) = read(transaction, id).await? else { return Ok(None) };
    if !membership::has_ever_joined(&lead, visitor) {
        return Ok(None);
    }
    let mut leads = BTreeMap::new();
    for id in membership::in_line(&lead, visitor) {
        leads.insert(id, take_lead(transaction, id).await?);
    }
    if membership::undo(&mut leads, &mut record, id, visitor, now_ms) {
        let record = key.and(rows::json(&record)?);
        rows::insert(transaction, &sql::PUT_VISITORS, &record).await?;
        put_leads(transaction, leads.values()).await?;
    }
    Ok(leads.remove(&id))
}

async fn read(transaction: &Transaction<'_>, id: LeadId) -> Result<Option<Lead>, PostgresError> {
    let found = rows::query(transaction, &sql::LEAD, &rows::lead_key(id)).await?;
    Ok(found.first().map(|row| rows::document(row, 0)).transpose()?)
}
