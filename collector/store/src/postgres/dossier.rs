//! Reads leads with everything that belongs to them in one read-only transaction, as one consistent
//! snapshot. The workers of a Citus cluster take a snapshot per statement; there, a conversion that
//! arrives while its lead is read may appear without the visitor that it joined.

use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::{delivery, statements as sql};
use crate::delivery::{DeliveriesOf, DeliveryFilter};
use crate::dossier::{Budget, Dossier, MOST_DELIVERIES, visitors};
use crate::error::StoreError;
use deadpool_postgres::{Object, Transaction};
use futures_util::future::{try_join, try_join3};
use shared::ids::{LeadId, VisitorId};
use shared::lead::{Conversion, Lead};
use shared::visit::Trail;
use tokio_postgres::{IsolationLevel, Row};

/// How many visitors are requested at once.
const VISITORS_AT_ONCE: usize = 4;

pub(super) async fn read(
    connections: &ConnectionPool,
    leads: &[LeadId],
) -> Result<Vec<Dossier>, PostgresError> {
    connections.work(&leads, |client, leads| Box::pin(read_with(client, leads))).await
}

async fn read_with(client: &mut Object, ids: &[LeadId]) -> Result<Vec<Dossier>, PostgresError> {
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.isolation_level(IsolationLevel::RepeatableRead).start().await?;
    // Pipelined: sent without waiting for responses in between.
    let keys: Vec<Parameters> = ids.iter().map(|lead| rows::lead_key(*lead)).collect();
    let (leads, conversions, records) = try_join3(
        rows::query_each(&transaction, &sql::LEAD, &keys),
        rows::query_each(&transaction, &sql::CONVERSIONS, &keys),
        rows::query_each(&transaction, &sql::RECORDS, &keys),
    )
    .await?;
    let mut dossiers = Vec::with_capacity(ids.len());
    for ((lead, conversions), records) in leads.into_iter().zip(conversions).zip(records) {
        let Some(lead) = lead?.first().map(|row| rows::document(row, 0)).transpose()? else {
            continue;
        };
        dossiers.push(complete(&transaction, lead, &conversions?, &records?).await?);
    }
    Ok(dossiers)
}

/// Adds the deliveries and the visitors' page views to a lead.
async fn complete(
    transaction: &Transaction<'_>,
    lead: Lead,
    conversions: &[Row],
    records: &[Row],
) -> Result<Dossier, PostgresError> {
    let filter = DeliveryFilter {
        site: lead.site.clone(),
        of: DeliveriesOf::Lead(lead.id),
        state: None,
        after: None,
        limit: MOST_DELIVERIES,
    };
    let (statement, parameters) = delivery::listing(&filter);
    let (deliveries, trails) =
        try_join(rows::query(transaction, statement, &parameters), trails(transaction, &lead))
            .await?;
    let conversions: Vec<Conversion> = rows::documents(conversions)?;
    let deliveries: Result<_, StoreError> = deliveries.iter().map(delivery::read).collect();
    Ok(Dossier::new(lead, conversions, rows::documents(records)?, deliveries?, trails))
}

/// The page views of the lead's visitors, as far as the budget allows, and the number of visitors
/// left out.
async fn trails(
    transaction: &Transaction<'_>,
    lead: &Lead,
) -> Result<(Vec<(VisitorId, Trail)>, usize), PostgresError> {
    let visitors = visitors(lead);
    let (mut trails, mut budget) = (Vec::new(), Budget::default());
    for some in visitors.chunks(VISITORS_AT_ONCE) {
        if !budget.has_room() {
            break;
        }
        let keys = some.iter().map(|visitor| rows::visitor_key(&lead.site, *visitor));
        let events = rows::query_each(transaction, &sql::EVENTS, &keys.collect::<Vec<_>>()).await?;
        for (visitor, events) in some.iter().zip(events) {
            if budget.has_room() {
                let trail = rows::trail(&events?)?;
                budget.spend(&trail);
                trails.push((*visitor, trail));
            }
        }
    }
    let unread = visitors.len() - trails.len();
    Ok((trails, unread))
}
