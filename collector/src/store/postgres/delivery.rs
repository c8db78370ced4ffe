//! The verbs of deliveries on PostgreSQL. What is due is looked for in all buckets and claimed in
//! one at a time, where rows that another collector is claiming are passed over.

use super::pool::{Connections, Failure};
use super::rows::{self, Parameters, parameters};
use super::statements::{self as sql, Statement};
use crate::store::delivery::{LOOK_AGAIN_MS, storable};
use crate::store::{
    Claim, Delivery, DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState, StoreError,
};
use deadpool_postgres::{GenericClient, Object};
use shared::ids::LeadId;
use std::collections::BTreeMap;
use tokio_postgres::Row;
use uuid::Uuid;

/// How many due rows are looked at for each that is wanted: enough to find others where another
/// collector is claiming the first.
const LOOK: usize = 4;
/// How often a claim looks for what is due, at most.
const LOOKS: usize = 10;

pub(super) async fn claim(
    connections: &Connections,
    claim: &Claim,
) -> Result<Vec<Delivery>, Failure> {
    connections.work(claim, |client, claim| Box::pin(claim_with(client, claim))).await
}

/// Looks again, where all that was due was behind others of its lead and was moved there.
async fn claim_with(client: &mut Object, claim: &Claim) -> Result<Vec<Delivery>, Failure> {
    for _ in 0..LOOKS {
        let buckets = due(client, claim).await?;
        let (claimed, short) = claim_in(client, claim, buckets).await?;
        let moved = move_blocked(client, claim, short).await?;
        if !claimed.is_empty() || moved == 0 {
            return Ok(claimed);
        }
    }
    Ok(Vec::new())
}

/// Buckets in which something is due, and how much of it is wanted from each.
async fn due(client: &Object, claim: &Claim) -> Result<Vec<(i16, usize)>, Failure> {
    let look = (claim.limit * LOOK) as i64;
    let due = parameters![claim.destination.clone(), claim.now_ms, look];
    let mut buckets: BTreeMap<i16, usize> = BTreeMap::new();
    for row in rows::query(client, &sql::DUE_BUCKETS, &due).await? {
        *buckets.entry(rows::column(&row, 0)?).or_default() += 1;
    }
    let mut buckets: Vec<_> = buckets.into_iter().collect();
    // Not everybody's first bucket: whoever comes second there would wait, and find less.
    let first = rand::random_range(0..buckets.len().max(1));
    buckets.rotate_left(first);
    let mut room = claim.limit;
    for (_, wanted) in &mut buckets {
        *wanted = room.min(*wanted);
        room -= *wanted;
    }
    buckets.retain(|(_, wanted)| *wanted > 0);
    Ok(buckets)
}

/// Claims so much in each bucket; and the buckets that gave less.
async fn claim_in(
    client: &Object,
    claim: &Claim,
    buckets: Vec<(i16, usize)>,
) -> Result<(Vec<Delivery>, Vec<i16>), Failure> {
    let Claim { destination, now_ms, lease_until_ms, .. } = claim;
    let parameters = |(bucket, wanted): &(i16, usize)| {
        parameters![*bucket, destination.clone(), *now_ms, *lease_until_ms, *wanted as i64]
    };
    let wanted: Vec<Parameters> = buckets.iter().map(parameters).collect();
    let claimed = rows::query_each(client, &sql::CLAIM_DELIVERIES, &wanted).await?;
    let (mut deliveries, mut short, mut failure) = (Vec::new(), Vec::new(), None);
    // What was claimed is claimed, whatever became of another bucket's claim.
    for ((bucket, wanted), claimed) in buckets.into_iter().zip(claimed) {
        match claimed {
            Ok(rows) => {
                if rows.len() < wanted {
                    short.push(bucket);
                }
                deliveries.extend(rows.iter().map(read).collect::<Result<Vec<_>, _>>()?);
            }
            Err(error) => failure = Some(Failure::from(error)),
        }
    }
    match failure {
        Some(failure) if deliveries.is_empty() => Err(failure),
        _ => Ok((deliveries, short)),
    }
}

/// Puts what is due in these buckets and not first of its line behind that; how many.
async fn move_blocked(client: &Object, claim: &Claim, buckets: Vec<i16>) -> Result<u64, Failure> {
    let Claim { destination, now_ms, .. } = claim;
    let mut moved = 0;
    for bucket in buckets {
        let again_ms = now_ms.saturating_add(LOOK_AGAIN_MS);
        let parameters = parameters![bucket, destination.clone(), *now_ms, again_ms];
        moved += rows::execute(client, &sql::MOVE_BLOCKED, &parameters).await?;
    }
    Ok(moved)
}

/// Changes a delivery; `false` where there is none.
pub(super) async fn change(
    connections: &Connections,
    id: DeliveryId,
    change: impl Fn(&mut Delivery) + Send + Sync,
) -> Result<bool, Failure> {
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

/// The statement of a list.
pub(super) fn listing(filter: &DeliveryFilter) -> (&'static Statement, Parameters) {
    let states = match filter.state {
        Some(state) => vec![state.as_str()],
        None => DeliveryState::ALL.map(DeliveryState::as_str).to_vec(),
    };
    let site = filter.site.as_str().to_owned();
    let after = filter.after.map_or((Uuid::nil(), Vec::new()), |id| (id.lead.0, id.hash.to_vec()));
    let limit = filter.limit as i64;
    match filter.lead {
        Some(lead) => {
            let key = rows::lead_key(lead).and(site).and(states);
            (&sql::LEAD_DELIVERIES, key.and(after.0).and(after.1).and(limit))
        }
        None => (&sql::DELIVERIES, parameters![site, states, after.0, after.1, limit]),
    }
}

/// Stores deliveries that are not there yet, with their bodies.
pub(super) async fn put<'a>(
    client: &impl GenericClient,
    deliveries: impl IntoIterator<Item = (&'a Delivery, Option<&'a [u8]>)>,
) -> Result<(), Failure> {
    let mut all = Parameters::default();
    for (delivery, body) in deliveries {
        let id = delivery.id;
        all.push(rows::lead_bucket(id.lead));
        all.push(id.lead.0);
        all.push(id.hash.to_vec());
        all.push(delivery.site.as_str().to_owned());
        all.push(delivery.destination.clone());
        all.push(delivery.kind.as_str());
        all.push(delivery.subject);
        all.push(delivery.state.as_str());
        all.push(delivery.due_at_ms);
        all.push(delivery.attempts as i32);
        all.push(delivery.claims as i32);
        all.push(delivery.created_at_ms);
        // One that an older version stored on sled may not be storable here.
        all.push(delivery.error.as_deref().map(storable));
        all.push(body.map(<[u8]>::to_vec));
    }
    rows::insert(client, &sql::PUT_DELIVERIES, &all).await.map(drop)
}

/// A delivery from the columns that all its statements read.
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
        destination: rows::column(row, 3)?,
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
