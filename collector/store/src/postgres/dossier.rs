//! Leads with everything that belongs to them, in one read-only transaction: as they stood at one
//! moment. The workers of a Citus cluster give each statement a moment of its own; there a conversion
//! that comes while its lead is read may show without what it joined.

use super::pool::{Connections, Failure};
use super::rows::{self, Parameters};
use super::{delivery, statements as sql};
use crate::delivery::{DeliveriesOf, DeliveryFilter};
use crate::dossier::{Dossier, MOST_DELIVERIES, visitors};
use crate::error::StoreError;
use crate::visitor::only_views;
use deadpool_postgres::{Object, Transaction};
use futures_util::future::try_join3;
use shared::ids::LeadId;
use shared::lead::{Conversion, Lead};
use tokio_postgres::{IsolationLevel, Row};

pub(super) async fn read(
    connections: &Connections,
    leads: &[LeadId],
) -> Result<Vec<Dossier>, Failure> {
    connections.work(&leads, |client, leads| Box::pin(read_with(client, leads))).await
}

async fn read_with(client: &mut Object, ids: &[LeadId]) -> Result<Vec<Dossier>, Failure> {
    let transaction = client.build_transaction().read_only(true);
    let transaction = transaction.isolation_level(IsolationLevel::RepeatableRead).start().await?;
    // Sent one behind the other, without waiting in between.
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

/// Adds what is found by what the lead says.
async fn complete(
    transaction: &Transaction<'_>,
    lead: Lead,
    conversions: &[Row],
    records: &[Row],
) -> Result<Dossier, Failure> {
    let filter = DeliveryFilter {
        site: lead.site.clone(),
        of: DeliveriesOf::Lead(lead.id),
        state: None,
        after: None,
        limit: MOST_DELIVERIES,
    };
    let (statement, parameters) = delivery::listing(&filter);
    let joined = visitors(&lead);
    let keys = joined.iter().map(|visitor| rows::visitor_key(&lead.site, *visitor));
    let keys: Vec<Parameters> = keys.collect();
    let (deliveries, events) = futures_util::future::try_join(
        rows::query(transaction, statement, &parameters),
        rows::query_each(transaction, &sql::EVENTS, &keys),
    )
    .await?;
    let mut seen = Vec::with_capacity(joined.len());
    for (visitor, events) in joined.into_iter().zip(events) {
        seen.push((visitor, only_views(rows::documents(&events?)?)));
    }
    let conversions: Vec<Conversion> = rows::documents(conversions)?;
    let deliveries: Result<_, StoreError> = deliveries.iter().map(delivery::read).collect();
    Ok(Dossier::new(lead, conversions, rows::documents(records)?, deliveries?, seen))
}
