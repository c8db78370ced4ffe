//! Writes a row together with its entries in lists.

use super::keys;
use super::transaction::Transaction;
use crate::conversion::UsedKey;
use crate::delivery::Delivery;
use crate::error::StoreError;
use crate::memo::Memo;
use crate::record::{Record, Unmatched};
use shared::ids::LeadId;
use shared::lead::{Conversion, Lead, LeadStatus};

/// Writes a lead and its entries in its site's lists.
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

/// The entries of a lead in its site's lists: by id and by last conversion, or in the list of
/// proposed leads.
pub(super) fn lists(lead: &Lead) -> Vec<Vec<u8>> {
    let Lead { id, site, converted_at_ms, .. } = lead;
    match lead.status {
        LeadStatus::Verified => {
            vec![keys::site_lead(site, *id), keys::converted_lead(site, *converted_at_ms, *id)]
        }
        LeadStatus::Proposed => vec![keys::proposed_lead(site, *id)],
        LeadStatus::Confirmed(_) | LeadStatus::Merged(_) => Vec::new(),
    }
}

/// Writes a conversion, and the reference from its id to its lead.
pub(super) fn put_conversion(
    transaction: &mut Transaction<'_>,
    lead: &Lead,
    conversion: &Conversion,
) -> Result<(), StoreError> {
    transaction.put(&keys::conversion_lead(&lead.site, conversion.id), &lead.id)?;
    transaction.put(&keys::conversion(lead.id, conversion.id), conversion)
}

/// Writes a new delivery and its entries in its destination's list and, if it waits, in the queue
/// and its line.
pub(super) fn put_delivery(
    transaction: &mut Transaction<'_>,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    transaction.mark(keys::of_destination_one(&delivery.destination, delivery.id));
    put_changed_delivery(transaction, delivery)
}

/// Writes a delivery that is already listed and, if it waits, its entries in the queue and its
/// line.
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

/// Writes what an idempotency key was used for, and its entry in the list of keys by age.
pub(super) fn put_used_key(
    transaction: &mut Transaction<'_>,
    key: &[u8],
    used: &UsedKey,
) -> Result<(), StoreError> {
    transaction.mark(keys::aged(used.used_at_ms, key));
    transaction.put(key, used)
}

/// Writes a record of a lead.
pub(super) fn put_record(
    transaction: &mut Transaction<'_>,
    lead: LeadId,
    record: &Record,
) -> Result<(), StoreError> {
    transaction.put(&keys::record(lead, record.id()), record)
}

/// Writes an unmatched record, unless it is already stored.
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

/// Writes a memo.
pub(super) fn put_memo(transaction: &mut Transaction<'_>, memo: &Memo) -> Result<(), StoreError> {
    transaction.put(&keys::memo(memo.kind, &memo.name), memo)
}
