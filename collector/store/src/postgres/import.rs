//! Imports into PostgreSQL: each part is one transaction, together with the import's progress.

use super::convert::{self, CONVERSION};
use super::options::COLLECTOR;
use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters, parameters};
use super::{delivery, ingest, memos, record, statements as sql};
use crate::entity::{Entity, ImportPart, ImportState};
use crate::error::StoreError;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;

/// Reads the progress of an import.
pub(super) fn state(row: &Row) -> Result<ImportState, StoreError> {
    let (file, entities): (Vec<u8>, i64) = (rows::column(row, 0)?, rows::column(row, 1)?);
    let wrong = || StoreError::Corrupt("the progress of an import is unreadable".into());
    Ok(ImportState {
        file: file.try_into().map_err(|_| wrong())?,
        entities: u64::try_from(entities).map_err(|_| wrong())?,
    })
}

/// Stores a part of an import.
pub(super) async fn import(
    connections: &ConnectionPool,
    part: &ImportPart,
) -> Result<(), PostgresError> {
    connections
        .work(part, |client, part| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                alone(&transaction).await?;
                visitors(&transaction, &part.entities).await?;
                leads(&transaction, &part.entities).await?;
                found_by(&transaction, &part.entities).await?;
                let ImportState { file, entities } = part.state;
                let row = parameters![file.to_vec(), entities as i64];
                if rows::execute(&transaction, &sql::PUT_IMPORTING, &row).await? == 0 {
                    let other = "another import has stored something in the meantime";
                    return Err(StoreError::Unavailable(other.into()).into());
                }
                if part.last {
                    let none = Parameters::default();
                    rows::execute(&transaction, &sql::END_IMPORTING, &none).await?;
                }
                Ok(transaction.commit().await?)
            })
        })
        .await
}

/// Checks that no collector is connected to the same database: its writes and the import would
/// conflict. A collector that starts later sees the import and does not write.
async fn alone(transaction: &Transaction<'_>) -> Result<(), PostgresError> {
    let collectors = rows::query(transaction, &sql::COLLECTORS, &parameters![COLLECTOR]).await?;
    let collectors: i64 = collectors.first().map_or(Ok(0), |row| rows::column(row, 0))?;
    match collectors {
        0 => Ok(()),
        _ => {
            let message = "a collector is connected to this database; stop it, then import";
            Err(StoreError::Unavailable(message.into()).into())
        }
    }
}

async fn visitors(transaction: &Transaction<'_>, entities: &[Entity]) -> Result<(), PostgresError> {
    let (mut records, mut rows) = (Parameters::default(), Parameters::default());
    for entity in entities {
        let Entity::Visitor { site, visitor, record, events } = entity else { continue };
        let key = (rows::visitor_bucket(site, *visitor), site.clone(), *visitor);
        ingest::push_visitor(&mut records, &key);
        records.push(rows::json(record)?);
        for event in events {
            ingest::push_visitor(&mut rows, &key);
            rows.push(event.id.0);
            rows.push(rows::json(&event.row)?);
        }
    }
    rows::insert(transaction, &sql::PUT_VISITORS, &records).await?;
    rows::insert(transaction, &sql::PUT_EVENTS, &rows).await.map(drop)
}

async fn leads(transaction: &Transaction<'_>, entities: &[Entity]) -> Result<(), PostgresError> {
    let (mut leads, mut conversions, mut deliveries) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ids, mut records) = (Parameters::default(), Vec::new());
    for entity in entities {
        let Entity::Lead { lead, conversions: own, deliveries: handed_off, records: of_lead } =
            entity
        else {
            continue;
        };
        records.extend(of_lead.iter().map(|record| (lead.id, record)));
        leads.push(lead);
        for conversion in own {
            conversions.push((lead.id, conversion));
            let id = conversion.id.to_text();
            ids.append(rows::identity_key(&lead.site, CONVERSION, &id).and(lead.id.0));
        }
        for hand_off in handed_off {
            deliveries.push((&hand_off.delivery, hand_off.body.as_deref()));
        }
    }
    convert::put_leads(transaction, leads).await?;
    convert::put_conversions(transaction, conversions).await?;
    delivery::put(transaction, deliveries).await?;
    record::put_records(transaction, records).await?;
    rows::insert(transaction, &sql::CLAIM_IDENTITIES, &ids).await.map(drop)
}

/// Stores identities, idempotency keys, unmatched records and memos.
async fn found_by(transaction: &Transaction<'_>, entities: &[Entity]) -> Result<(), PostgresError> {
    let (mut identities, mut keys) = (Parameters::default(), Vec::new());
    let (mut unmatched, mut remembered) = (Vec::new(), Vec::new());
    for entity in entities {
        match entity {
            Entity::Identity { site, kind, value, lead } => {
                identities.append(rows::identity_key(site, kind.as_str(), value).and(lead.0));
            }
            Entity::UsedKey { site, key, used } => keys.push((site, key.as_str(), used)),
            Entity::Unmatched(record) => unmatched.push(record),
            Entity::Memo(memo) => remembered.push(memo),
            Entity::Visitor { .. } | Entity::Lead { .. } => {}
        }
    }
    rows::insert(transaction, &sql::CLAIM_IDENTITIES, &identities).await?;
    record::put_unmatched(transaction, unmatched).await?;
    memos::put_memos(transaction, remembered).await?;
    convert::use_keys(transaction, keys).await.map(drop)
}
