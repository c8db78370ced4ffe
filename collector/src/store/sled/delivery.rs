//! The verbs of deliveries on sled. A delivery that waits stands in the queue under its due time.

use super::convert::put_delivery;
use super::keys;
use super::transaction::Transaction;
use crate::store::{Claim, Delivery, DeliveryId, Settlement, StoreError};
use shared::ids::LeadId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use uuid::Uuid;

/// Deliveries that are put behind the first of their line in one commit, at most: the writer has other
/// things to do.
const MOST_MOVED: usize = 1_000;

/// Claims what is due; `None` where nothing was claimed so far, and there is more to look at.
pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    claim: &Claim,
) -> Result<Option<Vec<Delivery>>, StoreError> {
    let Claim { destination, now_ms, lease_until_ms, limit } = claim;
    let (queue, end) = (keys::queue(destination), keys::due_end(destination, *now_ms));
    let mut claimed = Vec::with_capacity(*limit);
    let (mut lines, mut moved) = (HashMap::new(), 0);
    while claimed.len() < *limit && moved < MOST_MOVED {
        let due = transaction.marks(&queue, &end, limit - claimed.len())?;
        if due.is_empty() {
            break;
        }
        for key in due {
            let found =
                id_of(&key).and_then(|id| transaction.expect::<Delivery>(&keys::delivery(id)));
            let mut delivery = match found {
                Ok(delivery) => delivery,
                // One row that cannot be read must not hold up all that stand behind it.
                Err(StoreError::Corrupt(reason)) => {
                    tracing::error!(
                        reason,
                        "a delivery cannot be read and was taken out of the queue"
                    );
                    transaction.remove(key);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let first = match lines.entry(delivery.id.lead) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(first_in_line(transaction, &delivery)?),
            };
            if first.id == delivery.id {
                change(transaction, &mut delivery, |delivery| delivery.claim(*lease_until_ms))?;
                first.clone_from(&delivery);
                claimed.push(delivery);
            } else {
                change(transaction, &mut delivery, |delivery| {
                    delivery.wait_behind(first, *now_ms);
                })?;
                moved += 1;
            }
        }
    }
    let is_cut_off = claimed.is_empty() && moved >= MOST_MOVED;
    Ok((!is_cut_off).then_some(claimed))
}

/// The first of a delivery's line: itself, where the others cannot be read.
fn first_in_line(
    transaction: &Transaction<'_>,
    delivery: &Delivery,
) -> Result<Delivery, StoreError> {
    let first = match transaction.scan(&keys::lead_deliveries(delivery.id.lead)) {
        Ok(of_lead) => Delivery::first_in_line(of_lead, &delivery.destination),
        Err(StoreError::Corrupt(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(first.unwrap_or_else(|| delivery.clone()))
}

pub(super) fn freeze(
    transaction: &mut Transaction<'_>,
    id: DeliveryId,
    body: Vec<u8>,
) -> Result<Vec<u8>, StoreError> {
    let key = keys::body(id);
    if let Some(first) = transaction.get(&key)? {
        return Ok(first);
    }
    transaction.put(&key, &body)?;
    Ok(body)
}

pub(super) fn settle(
    transaction: &mut Transaction<'_>,
    id: DeliveryId,
    claim: u32,
    settlement: Settlement,
) -> Result<(), StoreError> {
    let mut delivery: Delivery = transaction.expect(&keys::delivery(id))?;
    change(transaction, &mut delivery, |delivery| delivery.settle(claim, settlement))
}

pub(super) fn replay(
    transaction: &mut Transaction<'_>,
    id: DeliveryId,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let Some(mut delivery) = transaction.get::<Delivery>(&keys::delivery(id))? else {
        return Ok(false);
    };
    change(transaction, &mut delivery, |delivery| delivery.replay(now_ms))?;
    Ok(true)
}

/// Takes the delivery out of the queue, changes it and, where it waits, puts it in at its new time.
fn change(
    transaction: &mut Transaction<'_>,
    delivery: &mut Delivery,
    change: impl FnOnce(&mut Delivery),
) -> Result<(), StoreError> {
    transaction.remove(keys::due(&delivery.destination, delivery.due_at_ms, delivery.id));
    change(delivery);
    put_delivery(transaction, delivery)
}

/// The delivery that a key of the queue names: its last 32 bytes.
fn id_of(key: &[u8]) -> Result<DeliveryId, StoreError> {
    let wrong = || super::transaction::corrupt(key, "a queue key of the wrong length");
    let (_, id) = key.split_at_checked(key.len().wrapping_sub(32)).ok_or_else(wrong)?;
    let (lead, hash) = id.split_at(16);
    let lead = LeadId(Uuid::from_slice(lead).map_err(|_| wrong())?);
    let hash = hash.try_into().map_err(|_| wrong())?;
    Ok(DeliveryId { lead, hash })
}
