//! The verb `relabel` on PostgreSQL: one transaction that locks the visitor, as ingest does.

use super::ingest::push_visitor;
use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::statements as sql;
use crate::relabel::{RelabelChanges, Relabelled, Relabelling};
use crate::visitor::Row;
use deadpool_postgres::Transaction;

pub(super) async fn relabel(
    connections: &ConnectionPool,
    relabelling: &Relabelling,
) -> Result<Relabelled, PostgresError> {
    connections
        .work(relabelling, |client, relabelling| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let relabelled = attempt(&transaction, relabelling).await?;
                transaction.commit().await?;
                Ok(relabelled)
            })
        })
        .await
}

async fn attempt(
    transaction: &Transaction<'_>,
    relabelling: &Relabelling,
) -> Result<Relabelled, PostgresError> {
    let Relabelling { site, visitor, .. } = relabelling;
    let key = rows::visitor_key(site, *visitor);
    if rows::query(transaction, &sql::TAKE_VISITOR, &key).await?.is_empty() {
        return Ok(Relabelled::default());
    }
    let stored = rows::query(transaction, &sql::EVENTS, &key).await?;
    let RelabelChanges { views, counted, .. } = relabelling.apply(rows::trail(&stored)?);
    let place = (rows::visitor_bucket(site, *visitor), site.clone(), *visitor);
    let mut events = Parameters::default();
    for view in views {
        push_visitor(&mut events, &place);
        events.push(view.id.0);
        events.push(rows::json(&Row::View(Box::new(view)))?);
    }
    rows::insert(transaction, &sql::PUT_EVENTS, &events).await?;
    Ok(counted)
}
