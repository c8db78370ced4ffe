//! The verb `record` on PostgreSQL: one transaction over the buckets of the lead and of its
//! identities.

use super::convert::{claim, owner};
use super::delivery;
use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::statements as sql;
use crate::record::{NewRecord, Record, Recorded, Unmatched, place};
use deadpool_postgres::Transaction;
use shared::ids::LeadId;
use shared::lead::Lead;

pub(super) async fn record(
    connections: &ConnectionPool,
    new: &NewRecord,
) -> Result<Recorded, PostgresError> {
    connections
        .work(new, |client, new| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let recorded = attempt(&transaction, new).await?;
                transaction.commit().await?;
                Ok(recorded)
            })
        })
        .await
}

async fn attempt(
    transaction: &Transaction<'_>,
    new: &NewRecord,
) -> Result<Recorded, PostgresError> {
    let lead_key = rows::lead_key(new.lead);
    let taken = rows::query(transaction, &sql::TAKE_LEAD, &lead_key).await?;
    let Some(taken) = taken.first() else { return Ok(Recorded::NoLead) };
    let lead: Lead = rows::document(taken, 0)?;
    let (mut owners, mut free) = (Vec::new(), Vec::new());
    for (kind, value) in new.identities() {
        let key = rows::identity_key(&lead.site, kind.as_str(), &value);
        let owner = owner(transaction, &key).await?;
        owners.push((kind, owner));
        if owner.is_none() {
            free.push(key);
        }
    }
    let place = place(&lead, &owners);
    let mut stored: Option<Record> = None;
    for lead in [lead.id].into_iter().chain(lead.merged_leads()) {
        let key = rows::lead_key(lead).and(new.record.id().0);
        let found = rows::query(transaction, &sql::RECORD, &key).await?;
        let found = found.first().map(|row| rows::document(row, 0)).transpose()?;
        stored = stored.or(found);
    }
    let recorded = new.decide(&lead, stored.as_ref(), &owners);
    if recorded == (Recorded::Stored { repeated: false }) {
        for key in free {
            claim(transaction, key.and(place.0), true).await?;
        }
        put_records(transaction, [(place, &new.record)]).await?;
        let deliveries = new.deliveries(&lead);
        delivery::put(transaction, deliveries.iter().map(|delivery| (delivery, None))).await?;
    }
    Ok(recorded)
}

pub(super) async fn keep_unmatched(
    connections: &ConnectionPool,
    unmatched: &Unmatched,
) -> Result<(), PostgresError> {
    connections
        .work(unmatched, |client, unmatched| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                put_unmatched(&transaction, [unmatched]).await?;
                Ok(transaction.commit().await?)
            })
        })
        .await
}

/// Stores unmatched records that are not stored yet.
pub(super) async fn put_unmatched<'a>(
    transaction: &Transaction<'_>,
    unmatched: impl IntoIterator<Item = &'a Unmatched>,
) -> Result<(), PostgresError> {
    let mut all = Parameters::default();
    for unmatched in unmatched {
        all.append(rows::unmatched_key(&unmatched.site, unmatched.id()));
        all.push(rows::json(unmatched)?);
    }
    rows::insert(transaction, &sql::PUT_UNMATCHED, &all).await.map(drop)
}

/// Stores records of leads that are not stored yet.
pub(super) async fn put_records<'a>(
    transaction: &Transaction<'_>,
    records: impl IntoIterator<Item = (LeadId, &'a Record)>,
) -> Result<(), PostgresError> {
    let mut all = Parameters::default();
    for (lead, record) in records {
        all.append(rows::lead_key(lead));
        all.push(record.id().0);
        all.push(rows::json(record)?);
    }
    rows::insert(transaction, &sql::PUT_RECORDS, &all).await.map(drop)
}
