//! The verbs of `Deliveries` on sled. A waiting delivery is in its destination's queue, under its
//! due time.

use super::read::{page, read};
use super::rows::put_changed_delivery;
use super::transaction::{Transaction, corrupt, failed};
use super::{SledStore, keys};
use crate::delivery::{
    Claim, DeliveriesOf, Delivery, DeliveryFilter, DeliveryId, Latest, Settlement,
};
use crate::error::StoreError;
use crate::verbs::Deliveries;
use async_trait::async_trait;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Bound;

/// The most deliveries that one commit moves behind the first of their line: the writer has other
/// work.
const MOST_MOVED: usize = 1_000;

#[async_trait]
impl Deliveries for SledStore {
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError> {
        // Usually nothing is due, and that can be seen without a commit.
        let queue = keys::queue(&claim.destination);
        let due = queue.as_slice()..&keys::due_end(&claim.destination, claim.now_ms);
        if self.tree()?.range(due).next().is_none() {
            return Ok(Vec::new());
        }
        loop {
            let wanted = claim.clone();
            let claimed = self.writer.write(move |transaction| take(transaction, &wanted)).await?;
            if let Some(claimed) = claimed {
                return Ok(claimed);
            }
        }
    }

    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.writer.write(move |transaction| freeze(transaction, id, body)).await
    }

    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.tree()?, &keys::body(id))
    }

    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        self.writer.write(move |transaction| settle(transaction, id, claim, settlement)).await
    }

    async fn recall_deliveries(&self, now_ms: i64, latest: Latest) -> Result<usize, StoreError> {
        let mut recalled = 0;
        // Read outside of a commit: usually there is nothing to write.
        let stranded = stranded(&self.tree()?, latest)?;
        for some in stranded.chunks(MOST_MOVED) {
            let some = some.to_owned();
            recalled += self
                .writer
                .write(move |transaction| recall(transaction, &some, now_ms, latest))
                .await?;
        }
        Ok(recalled)
    }

    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError> {
        self.writer.write(move |transaction| replay(transaction, id, now_ms)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        read(&self.tree()?, &keys::delivery(id))
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let tree = self.tree()?;
        let mut found = Vec::new();
        match &filter.of {
            DeliveriesOf::Site => of_site(&tree, &filter, &mut found)?,
            DeliveriesOf::Lead(lead) => {
                let prefix = keys::lead_deliveries(*lead);
                let after = filter.after.map(keys::delivery);
                let of_lead = page(&tree, &prefix, after.as_deref(), usize::MAX)?;
                let wanted = of_lead.into_iter().filter(|delivery| filter.wants(delivery));
                found.extend(wanted.take(filter.limit));
            }
            DeliveriesOf::Destination(destination) => {
                let prefix = keys::of_destination(destination);
                let after = filter.after.map(|id| keys::of_destination_one(destination, id));
                let start = after.as_ref().map_or(Bound::Included(&prefix), Bound::Excluded);
                for key in tree.range::<&Vec<u8>, _>((start, Bound::Unbounded)).keys() {
                    let key = key.map_err(failed)?;
                    if found.len() == filter.limit || !key.starts_with(&prefix) {
                        break;
                    }
                    // The delivery may have been erased since its list entry was read.
                    let delivery: Option<Delivery> = read(&tree, &keys::delivery(id_of(&key)?))?;
                    found.extend(delivery.filter(|delivery| filter.wants(delivery)));
                }
            }
        }
        Ok(found)
    }
}

/// A site's deliveries, found through its list of leads, so that no other site's rows are read.
fn of_site(
    tree: &sled::Tree,
    filter: &DeliveryFilter,
    found: &mut Vec<Delivery>,
) -> Result<(), StoreError> {
    let list = keys::site_leads(&filter.site);
    let start = match filter.after {
        Some(after) => keys::site_lead(&filter.site, after.lead),
        None => list.clone(),
    };
    for key in tree.range(start..).keys() {
        let key = key.map_err(failed)?;
        if found.len() == filter.limit || !key.starts_with(&list) {
            break;
        }
        let lead = keys::lead_of(&key).ok_or_else(|| corrupt(&key, "it names no lead"))?;
        let after = filter.after.filter(|after| after.lead == lead).map(keys::delivery);
        let prefix = keys::lead_deliveries(lead);
        let of_lead: Vec<Delivery> = page(tree, &prefix, after.as_deref(), usize::MAX)?;
        let room = filter.limit - found.len();
        found.extend(of_lead.into_iter().filter(|it| filter.wants(it)).take(room));
    }
    Ok(())
}
/// Claims due deliveries; `None` if nothing has been claimed so far but there is more to look at.
fn take(
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
                // A row that cannot be read must not hold up all those behind it.
                Err(StoreError::Corrupt(reason)) => {
                    tracing::error!(
                        reason,
                        "a delivery cannot be read and was removed from the queue"
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

/// The first delivery of the line that this one is in, or this one if that cannot be read.
fn first_in_line(
    transaction: &Transaction<'_>,
    delivery: &Delivery,
) -> Result<Delivery, StoreError> {
    let line = keys::line(delivery.id.lead, &delivery.destination);
    let first = transaction.marks(&line, &keys::line_end(&line), 1)?.pop();
    let first = first.map(|key| {
        let id = keys::delivery_in_line(&key).ok_or_else(|| corrupt(&key, "it names no delivery"));
        id.and_then(|id| transaction.expect(&keys::delivery(id)))
    });
    match first {
        Some(Err(StoreError::Corrupt(_))) | None => Ok(delivery.clone()),
        Some(first) => first,
    }
}

fn freeze(
    transaction: &mut Transaction<'_>,
    id: DeliveryId,
    body: Vec<u8>,
) -> Result<Vec<u8>, StoreError> {
    let key = keys::body(id);
    if let Some(first) = transaction.get(&key)? {
        return Ok(first);
    }
    if !transaction.contains(&keys::delivery(id))? {
        return Err(StoreError::Corrupt(format!("the delivery {} is gone", id.to_text())));
    }
    transaction.put(&key, &body)?;
    Ok(body)
}

fn settle(
    transaction: &mut Transaction<'_>,
    id: DeliveryId,
    claim: u32,
    settlement: Settlement,
) -> Result<(), StoreError> {
    // The delivery was erased while it was being attempted.
    let Some(mut delivery) = transaction.get::<Delivery>(&keys::delivery(id))? else {
        return Ok(());
    };
    change(transaction, &mut delivery, |delivery| delivery.settle(claim, settlement))
}

/// Waiting deliveries whose due time is later than any valid one.
fn stranded(tree: &sled::Tree, latest: Latest) -> Result<Vec<DeliveryId>, StoreError> {
    let mut found = Vec::new();
    for key in tree.scan_prefix(keys::QUEUES).keys() {
        let key = key.map_err(failed)?;
        if keys::due_of(&key).is_some_and(|due_ms| due_ms > latest.lease_ms.min(latest.due_ms)) {
            let id = id_of(&key)?;
            // A delivery that cannot be read is removed from the queue when it is claimed.
            let delivery: Option<Delivery> = read(tree, &keys::delivery(id)).ok().flatten();
            found.extend(delivery.filter(|delivery| delivery.is_stranded(latest)).map(|_| id));
        }
    }
    Ok(found)
}

/// Makes deliveries due that are still stranded. Returns how many.
fn recall(
    transaction: &mut Transaction<'_>,
    stranded: &[DeliveryId],
    now_ms: i64,
    latest: Latest,
) -> Result<usize, StoreError> {
    let mut recalled = 0;
    for id in stranded {
        let delivery = transaction.get::<Delivery>(&keys::delivery(*id))?;
        if let Some(mut delivery) = delivery.filter(|delivery| delivery.is_stranded(latest)) {
            change(transaction, &mut delivery, |delivery| delivery.due_at_ms = now_ms)?;
            recalled += 1;
        }
    }
    Ok(recalled)
}

fn replay(
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

/// Removes the delivery from the queue, changes it and, if it waits, adds it again at its new time.
fn change(
    transaction: &mut Transaction<'_>,
    delivery: &mut Delivery,
    change: impl FnOnce(&mut Delivery),
) -> Result<(), StoreError> {
    transaction.remove(keys::due(&delivery.destination, delivery.due_at_ms, delivery.id));
    change(delivery);
    put_changed_delivery(transaction, delivery)
}

/// The delivery that a list entry names.
fn id_of(key: &[u8]) -> Result<DeliveryId, StoreError> {
    keys::delivery_of(key).ok_or_else(|| corrupt(key, "it names no delivery"))
}
