//! Finds and deletes unmatched records beyond the limit, on sled.

use super::keys;
use super::read::read;
use super::transaction::{Transaction, corrupt, failed};
use crate::error::StoreError;
use crate::record::{self, MOST_UNMATCHED, Unmatched};
use std::collections::BTreeMap;

/// The keys of the oldest unmatched records of each site that has too many.
pub(super) fn surplus(tree: &sled::Tree) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut counts = BTreeMap::new();
    for key in tree.scan_prefix(keys::UNMATCHED).keys() {
        let key = key.map_err(failed)?;
        let (site, _) =
            keys::split_site(&key[1..]).ok_or_else(|| corrupt(&key, "it names no site"))?;
        *counts.entry(site).or_insert(0_usize) += 1;
    }
    let mut surplus = Vec::new();
    for (site, _) in counts.into_iter().filter(|(_, count)| *count > MOST_UNMATCHED) {
        let mut all = Vec::new();
        for key in tree.scan_prefix(keys::unmatched_of(&site)).keys() {
            let unmatched: Option<Unmatched> = read(tree, &key.map_err(failed)?)?;
            all.extend(unmatched.map(|one| (one.record.recorded_at_ms(), one.id())));
        }
        let too_many = record::surplus(all).into_iter();
        surplus.extend(too_many.map(|id| keys::unmatched(&site, id)));
    }
    Ok(surplus)
}

/// Removes records.
pub(super) fn forget(
    transaction: &mut Transaction<'_>,
    unmatched: Vec<Vec<u8>>,
) -> Result<(), StoreError> {
    unmatched.into_iter().try_for_each(|key| transaction.remove_value(key))
}
