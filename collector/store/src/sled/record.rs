//! The verb `record` on sled.

use super::keys;
use super::rows::{put_delivery, put_record};
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::record::{NewRecord, Record, Recorded, place};
use shared::ids::LeadId;
use shared::lead::Lead;

pub(super) fn record(
    transaction: &mut Transaction<'_>,
    new: &NewRecord,
) -> Result<Recorded, StoreError> {
    let Some(lead) = transaction.get::<Lead>(&keys::lead(new.lead))? else {
        return Ok(Recorded::NoLead);
    };
    let (mut owners, mut free) = (Vec::new(), Vec::new());
    for (kind, value) in new.identities() {
        let key = keys::identity(&lead.site, kind, &value);
        let owner: Option<LeadId> = transaction.get(&key)?;
        owners.push((kind, owner));
        if owner.is_none() {
            free.push(key);
        }
    }
    let place = place(&lead, &owners);
    let mut stored: Option<Record> = None;
    for lead in [lead.id].into_iter().chain(lead.merged_leads()) {
        stored = stored.or(transaction.get(&keys::record(lead, new.record.id()))?);
    }
    let recorded = new.decide(&lead, stored.as_ref(), &owners);
    if recorded == (Recorded::Stored { repeated: false }) {
        for key in free {
            transaction.put(&key, &place)?;
        }
        put_record(transaction, place, &new.record)?;
        for delivery in &new.deliveries(&lead) {
            put_delivery(transaction, delivery)?;
        }
    }
    Ok(recorded)
}
