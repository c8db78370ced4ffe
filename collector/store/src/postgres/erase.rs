//! The verb `erase_visitor` on PostgreSQL: one transaction that locks the visitor and the lead that
//! its pages proposed, in the same order as a conversion does.

use super::convert::{CONVERSION, take_lead};
use super::pool::{ConnectionPool, PostgresError};
use super::rows;
use super::statements as sql;
use crate::erase::{Erased, Erasure};
use crate::record::Record;
use crate::visitor::Visitor;
use deadpool_postgres::Transaction;
use shared::lead::{Conversion, Lead};

pub(super) async fn erase(
    connections: &ConnectionPool,
    erasure: &Erasure,
) -> Result<Erased, PostgresError> {
    connections
        .work(erasure, |client, erasure| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let erased = attempt(&transaction, erasure).await?;
                transaction.commit().await?;
                Ok(erased)
            })
        })
        .await
}

async fn attempt(
    transaction: &Transaction<'_>,
    erasure: &Erasure,
) -> Result<Erased, PostgresError> {
    let Erasure { site, visitor, criteria } = erasure;
    let key = rows::visitor_key(site, *visitor);
    let taken = rows::query(transaction, &sql::TAKE_VISITOR, &key).await?;
    let Some(taken) = taken.first() else { return Ok(Erased::default()) };
    let record: Visitor = rows::document(taken, 0)?;
    let stored = rows::query(transaction, &sql::EVENTS, &key).await?;
    let mut chosen =
        criteria.choose(&record, &rows::events(&stored).collect::<Result<Vec<_>, _>>()?);
    if let (Some(erased), Some(proposed)) = (chosen, record.proposed) {
        let lead = take_lead(transaction, proposed).await?;
        let records = rows::query(transaction, &sql::RECORDS, &rows::lead_key(lead.id)).await?;
        chosen = erased.with(&lead, &rows::documents::<Record>(&records)?);
        if chosen.is_some() {
            remove_lead(transaction, &lead).await?;
        }
    }
    let Some(erased) = chosen else { return Ok(Erased::default()) };
    rows::execute(transaction, &sql::ERASE_EVENTS, &key).await?;
    rows::execute(transaction, &sql::ERASE_VISITOR, &key).await?;
    Ok(erased)
}

/// Removes a lead that has no records and no identities.
async fn remove_lead(transaction: &Transaction<'_>, lead: &Lead) -> Result<(), PostgresError> {
    let key = rows::lead_key(lead.id);
    let conversions = rows::query(transaction, &sql::CONVERSIONS, &key).await?;
    for conversion in rows::documents::<Conversion>(&conversions)? {
        let key = rows::identity_key(&lead.site, CONVERSION, &conversion.id.to_text());
        rows::execute(transaction, &sql::ERASE_IDENTITY, &key).await?;
    }
    for all in [&sql::ERASE_CONVERSIONS, &sql::ERASE_DELIVERIES, &sql::ERASE_LEAD] {
        rows::execute(transaction, all, &key).await?;
    }
    Ok(())
}
