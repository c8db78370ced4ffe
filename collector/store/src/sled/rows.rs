//! What is written together: a row, and its places in the lists that lead to it.

use super::keys;
use super::transaction::Transaction;
use crate::conversion::UsedKey;
use crate::delivery::Delivery;
use crate::error::StoreError;
use crate::memo::Memo;
use crate::record::{Record, Unmatched};
use shared::ids::LeadId;
use shared::lead::{Conversion, Lead, Standing};

/// A lead, and its places in its site's lists.
pub(super) fn put_lead(transaction: &mut Transaction<'_>, lead: &Lead) -> Result<(), StoreError> {
    let key = keys::lead(lead.id);
    let before: Option<Lead> = transaction.get(&key)?;
    let before = before.map_or_else(Vec::new, |before| lists(&before));
    let after = lists(lead);
    for gone in before.iter().filter(|place| !after.contains(place)) {
        transaction.remove(gone.clone());
    }
    for new in after.iter().filter(|place| !before.contains(place)) {
        transaction.mark(new.clone());
    }
    transaction.put(&key, lead)
}

/// A lead's places in its site's lists: by its id, and by its last conversion; where it is only
/// proposed, in that of the proposals.
pub(super) fn lists(lead: &Lead) -> Vec<Vec<u8>> {
    let Lead { id, site, converted_at_ms, .. } = lead;
    match lead.standing {
        Standing::Verified => {
            vec![keys::site_lead(site, *id), keys::converted_lead(site, *converted_at_ms, *id)]
        }
        Standing::Proposed => vec![keys::proposed_lead(site, *id)],
        Standing::Confirmed(_) => Vec::new(),
    }
}

/// A lead's conversion, and the lead that its id leads to.
pub(super) fn put_conversion(
    transaction: &mut Transaction<'_>,
    lead: &Lead,
    conversion: &Conversion,
) -> Result<(), StoreError> {
    transaction.put(&keys::conversion_lead(&lead.site, conversion.id), &lead.id)?;
    transaction.put(&keys::conversion(lead.id, conversion.id), conversion)
}

/// A new delivery, and its places in its destination's list and, where it waits, in the queue.
pub(super) fn put_delivery(
    transaction: &mut Transaction<'_>,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    transaction.mark(keys::of_destination_one(&delivery.destination, delivery.id));
    put_changed_delivery(transaction, delivery)
}

/// A delivery that is listed already and, where it waits, its places in the queue and in its line.
pub(super) fn put_changed_delivery(
    transaction: &mut Transaction<'_>,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let line = keys::in_line(delivery);
    if delivery.state.waits() {
        transaction.mark(keys::due(&delivery.destination, delivery.due_at_ms, delivery.id));
        transaction.mark(line);
    } else {
        transaction.remove(line);
    }
    transaction.put(&keys::delivery(delivery.id), delivery)
}

/// What an idempotency key was used for, and when it may be forgotten.
pub(super) fn put_used_key(
    transaction: &mut Transaction<'_>,
    key: &[u8],
    used: &UsedKey,
) -> Result<(), StoreError> {
    transaction.mark(keys::aged(used.used_at_ms, key));
    transaction.put(key, used)
}

/// A record of a lead.
pub(super) fn put_record(
    transaction: &mut Transaction<'_>,
    lead: LeadId,
    record: &Record,
) -> Result<(), StoreError> {
    transaction.put(&keys::record(lead, record.id()), record)
}

/// An unmatched record; the one that was kept first stays.
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

/// A memo.
pub(super) fn put_memo(transaction: &mut Transaction<'_>, memo: &Memo) -> Result<(), StoreError> {
    transaction.put(&keys::memo(memo.kind, &memo.name), memo)
}
