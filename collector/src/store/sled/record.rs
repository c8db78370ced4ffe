//! The verb `record` on sled.

use super::convert::put_delivery;
use super::keys;
use super::transaction::Transaction;
use crate::store::StoreError;
use crate::store::record::{NewRecord, Record, Recorded, Unmatched};
use shared::ids::LeadId;

pub(super) fn record(
    transaction: &mut Transaction<'_>,
    new: &NewRecord,
) -> Result<Recorded, StoreError> {
    let Some(lead) = transaction.get::<shared::lead::Lead>(&keys::lead(new.lead))? else {
        return Ok(Recorded::NoLead);
    };
    let stored: Option<Record> = transaction.get(&keys::record(new.lead, new.record.id()))?;
    let (mut owners, mut free) = (Vec::new(), Vec::new());
    for (kind, value) in new.identities() {
        let key = keys::identity(&lead.site, kind, &value);
        let owner: Option<LeadId> = transaction.get(&key)?;
        owners.push((kind, owner));
        if owner.is_none() {
            free.push(key);
        }
    }
    let recorded = new.decide(stored.as_ref(), &owners);
    if recorded == (Recorded::Kept { repeated: false }) {
        for key in free {
            transaction.put(&key, &new.lead)?;
        }
        put_record(transaction, new.lead, &new.record)?;
        for delivery in &new.deliveries(&lead) {
            put_delivery(transaction, delivery)?;
        }
    }
    Ok(recorded)
}

/// Something that was told of nobody who is known; what was kept first stays.
pub(super) fn put_unmatched(
    transaction: &mut Transaction<'_>,
    unmatched: &Unmatched,
) -> Result<(), StoreError> {
    let key = keys::unmatched(&unmatched.site, unmatched.id());
    match transaction.contains(&key)? {
        true => Ok(()),
        false => transaction.put(&key, unmatched),
    }
}

/// A record of a lead.
pub(super) fn put_record(
    transaction: &mut Transaction<'_>,
    lead: LeadId,
    record: &Record,
) -> Result<(), StoreError> {
    transaction.put(&keys::record(lead, record.id()), record)
}
