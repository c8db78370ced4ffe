//! Claims, changes and lists deliveries on PostgreSQL. Looks for due deliveries in all buckets, and
//! claims them one bucket at a time, skipping rows that another collector is claiming.

use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters, parameters};
use super::statement::Statement;
use super::statements as sql;
use crate::delivery::{
    Claim, DeliveriesOf, Delivery, DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState,
    LOOK_AGAIN_MS, storable,
};
use crate::destination::DestinationId;
use crate::error::StoreError;
use deadpool_postgres::{GenericClient, Object};
use shared::ids::LeadId;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use uuid::Uuid;

/// How many due rows to look at for each one wanted: enough to find others if another collector is
/// claiming the first ones.
const LOOK: usize = 4;

pub(super) async fn claim(
    connections: &ConnectionPool,
    claim: &Claim,
) -> Result<Vec<Delivery>, PostgresError> {
    connections.work(claim, |client, claim| Box::pin(claim_with(client, claim))).await
}

/// Claims deliveries. If everything due was blocked by an earlier delivery of its lead and was
/// moved, looks again at twice as many rows.
async fn claim_with(client: &mut Object, claim: &Claim) -> Result<Vec<Delivery>, PostgresError> {
    let (mut claimed, mut rows) = (Vec::new(), claim.limit.saturating_mul(LOOK));
    loop {
        match look(client, claim, rows, &mut claimed).await {
            Ok(moved) if claimed.is_empty() && moved > 0 => rows = rows.saturating_mul(2),
            Err(failure) if claimed.is_empty() => return Err(failure),
            // What was claimed stays claimed, even if the claim in another bucket failed.
            _ => return Ok(claimed),
        }
    }
}

/// Claims what one look finds. Returns how many deliveries were moved behind the first of their
/// line.
async fn look(
    client: &Object,
    claim: &Claim,
    rows: usize,
    claimed: &mut Vec<Delivery>,
) -> Result<u64, PostgresError> {
    let mut moved = 0;
    let mut due = due_buckets(client, claim, rows).await?;
    while claimed.len() < claim.limit && !due.is_empty() {
        let (mut wanted, mut room) = (Vec::new(), claim.limit - claimed.len());
        while room > 0
            && let Some((bucket, due)) = due.pop()
        {
            wanted.push((bucket, due.min(room)));
            room -= due.min(room);
        }
        let short = claim_in(client, claim, &wanted, claimed).await?;
        moved += move_blocked(client, claim, &short).await?;
    }
    Ok(moved)
}

/// The buckets with due deliveries, and how many were seen in each.
async fn due_buckets(
    client: &Object,
    claim: &Claim,
    rows: usize,
) -> Result<Vec<(i16, usize)>, PostgresError> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let due = parameters![claim.destination.to_string(), claim.now_ms, rows];
    let mut buckets: BTreeMap<i16, usize> = BTreeMap::new();
    for row in rows::query(client, &sql::DUE_BUCKETS, &due).await? {
        *buckets.entry(rows::column(&row, 0)?).or_default() += 1;
    }
    let mut buckets: Vec<_> = buckets.into_iter().collect();
    // Start at a random bucket: if all collectors started at the same one, all but the first would
    // wait and find less.
    let first = rand::random_range(0..buckets.len().max(1));
    buckets.rotate_left(first);
    Ok(buckets)
}

/// Claims up to a number of deliveries in each bucket. Returns the buckets that yielded fewer, and
/// how many are missing.
async fn claim_in(
    client: &Object,
    claim: &Claim,
    wanted: &[(i16, usize)],
    claimed: &mut Vec<Delivery>,
) -> Result<Vec<(i16, usize)>, PostgresError> {
    let Claim { destination, now_ms, lease_until_ms, .. } = claim;
    let key = |(bucket, limit): &(i16, usize)| {
        parameters![*bucket, destination.to_string(), *now_ms, *lease_until_ms, *limit as i64]
    };
    let keys: Vec<Parameters> = wanted.iter().map(key).collect();
    let (mut short, mut failure) = (Vec::new(), None);
    let found = rows::query_each(client, &sql::CLAIM_DELIVERIES, &keys).await?;
    for ((bucket, limit), found) in wanted.iter().zip(found) {
        match found {
            Ok(rows) => {
                if rows.len() < *limit {
                    short.push((*bucket, limit - rows.len()));
                }
                for row in &rows {
                    claimed.push(read(row)?);
                }
            }
            Err(error) => failure = Some(PostgresError::from(error)),
        }
    }
    failure.map_or(Ok(short), Err)
}

/// In each bucket, moves up to a number of deliveries behind the first of their line. Returns how
/// many were moved.
async fn move_blocked(
    client: &Object,
    claim: &Claim,
    buckets: &[(i16, usize)],
) -> Result<u64, PostgresError> {
    let Claim { destination, now_ms, .. } = claim;
    let again_ms = now_ms.saturating_add(LOOK_AGAIN_MS);
    let key = |(bucket, limit): &(i16, usize)| {
        parameters![*bucket, destination.to_string(), *now_ms, again_ms, *limit as i64]
    };
    let keys: Vec<Parameters> = buckets.iter().map(key).collect();
    let mut moved = 0;
    for found in rows::query_each(client, &sql::MOVE_BLOCKED, &keys).await? {
        moved += found?.len() as u64;
    }
    Ok(moved)
}

/// Changes a delivery; `false` if it does not exist.
pub(super) async fn change(
    connections: &ConnectionPool,
    id: DeliveryId,
    change: impl Fn(&mut Delivery) + Send + Sync,
) -> Result<bool, PostgresError> {
    connections
        .work(&(id, change), |client, (id, change)| {
            Box::pin(async move {
                let transaction = client.transaction().await?;
                let key = rows::delivery_key(*id);
                let found = rows::query(&transaction, &sql::TAKE_DELIVERY, &key).await?;
                let Some(row) = found.first() else { return Ok(false) };
                let mut delivery = read(row)?;
                change(&mut delivery);
                let changed = key
                    .and(delivery.state.as_str())
                    .and(delivery.due_at_ms)
                    .and(delivery.attempts as i32)
                    .and(delivery.claims as i32)
                    .and(delivery.error.clone());
                rows::execute(&transaction, &sql::CHANGE_DELIVERY, &changed).await?;
                transaction.commit().await?;
                Ok(true)
            })
        })
        .await
}

/// The statement and parameters that list deliveries.
pub(super) fn listing(filter: &DeliveryFilter) -> (&'static Statement, Parameters) {
    let states = match filter.state {
        Some(state) => vec![state.as_str()],
        None => DeliveryState::ALL.map(DeliveryState::as_str).to_vec(),
    };
    let site = filter.site.as_str().to_owned();
    let after = filter.after.map_or((Uuid::nil(), Vec::new()), |id| (id.lead.0, id.hash.to_vec()));
    let limit = filter.limit as i64;
    match &filter.of {
        DeliveriesOf::Site => {
            (&sql::DELIVERIES, parameters![site, states, after.0, after.1, limit])
        }
        DeliveriesOf::Lead(lead) => {
            let key = rows::lead_key(*lead).and(site).and(states);
            (&sql::LEAD_DELIVERIES, key.and(after.0).and(after.1).and(limit))
        }
        DeliveriesOf::Destination(destination) => {
            let key = parameters![site, destination.to_string(), states];
            (&sql::DESTINATION_DELIVERIES, key.and(after.0).and(after.1).and(limit))
        }
    }
}

/// Stores deliveries that are not stored yet, with their bodies.
pub(super) async fn put<'a>(
    client: &impl GenericClient,
    deliveries: impl IntoIterator<Item = (&'a Delivery, Option<&'a [u8]>)>,
) -> Result<(), PostgresError> {
    let mut all = Parameters::default();
    for (delivery, body) in deliveries {
        let id = delivery.id;
        all.push(rows::lead_bucket(id.lead));
        all.push(id.lead.0);
        all.push(id.hash.to_vec());
        all.push(delivery.site.as_str().to_owned());
        all.push(delivery.destination.to_string());
        all.push(delivery.kind.as_str());
        all.push(delivery.subject);
        all.push(delivery.state.as_str());
        all.push(delivery.due_at_ms);
        all.push(delivery.attempts as i32);
        all.push(delivery.claims as i32);
        all.push(delivery.created_at_ms);
        // An error that an older version stored on sled may contain U+0000.
        all.push(delivery.error.as_deref().map(storable));
        all.push(body.map(<[u8]>::to_vec));
    }
    rows::insert(client, &sql::PUT_DELIVERIES, &all).await.map(drop)
}

/// Reads a delivery from the columns that all its statements return.
pub(super) fn read(row: &Row) -> Result<Delivery, StoreError> {
    let wrong = |what: &str| StoreError::Corrupt(format!("a delivery's {what}"));
    let hash: Vec<u8> = rows::column(row, 1)?;
    let hash = hash.try_into().map_err(|_| wrong("hash is not 16 bytes"))?;
    let number = |index, what| {
        let number: i32 = rows::column(row, index)?;
        u32::try_from(number).map_err(|_| wrong(what))
    };
    Ok(Delivery {
        id: DeliveryId { lead: LeadId(rows::column(row, 0)?), hash },
        site: rows::site(row, 2)?,
        destination: DestinationId::from(rows::column::<&str>(row, 3)?),
        kind: DeliveryKind::parse(rows::column(row, 4)?).ok_or_else(|| wrong("kind is unknown"))?,
        subject: rows::column(row, 5)?,
        state: DeliveryState::parse(rows::column(row, 6)?)
            .ok_or_else(|| wrong("state is unknown"))?,
        due_at_ms: rows::column(row, 7)?,
        attempts: number(8, "attempts are negative")?,
        claims: number(9, "claims are negative")?,
        created_at_ms: rows::column(row, 10)?,
        error: rows::column(row, 11)?,
    })
}
