//! Upgrades a folder from an earlier layout.
//!
//! Layout 6 added two lists: a site's leads by their last conversion, and a destination's
//! deliveries. Layout 7 stores no derived journeys, adds the standing of a lead, and adds the lines
//! of waiting deliveries. Layout 8 keeps values that could not be used, names in kana, and all leads
//! that share a phone number. Rows are rewritten in the order of their keys, and each batch records its
//! progress, so an interrupted upgrade continues from there. Lists are rebuilt.

mod rows;

use super::keys;
use super::read::read_value;
use super::rows::lists as lists_of;
use super::transaction::Transaction;
use crate::delivery::Delivery;
use crate::error::StoreError;
use rows::{Conversion7, Lead7, OldConversion, OldLead, OldVisitor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Bound;

/// The oldest layout that can be upgraded.
pub(super) const OLDEST: u32 = 5;

/// How many rows or list entries are written at a time.
const AT_ONCE: usize = 1_000;

/// Upgrades the tree from a layout.
///
/// # Errors
/// The engine's errors, and [`StoreError::Corrupt`] for a row that cannot be read.
pub(super) fn upgrade(tree: &sled::Tree, layout: u32) -> Result<(), UpgradeError> {
    if layout < 7 {
        rewrite(tree, keys::CONVERSIONS, OldConversion::renew)?;
        rewrite(tree, keys::LEADS, OldLead::renew)?;
        rewrite(tree, keys::VISITORS, OldVisitor::renew)?;
    } else {
        rewrite(tree, keys::CONVERSIONS, Conversion7::renew)?;
        rewrite(tree, keys::LEADS, Lead7::renew)?;
    }
    make_lists(tree)?;
    tree.remove(keys::UPGRADED)?;
    Ok(())
}

/// Why a folder could not be upgraded.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// The engine failed, for example because the disk is full.
    #[error(transparent)]
    Engine(#[from] sled::Error),
    /// A row cannot be read.
    #[error(transparent)]
    Row(#[from] StoreError),
}

/// Rewrites the rows under a prefix, starting where an interrupted attempt ended.
fn rewrite<Old: DeserializeOwned, New: Serialize>(
    tree: &sled::Tree,
    prefix: &[u8],
    renew: impl Fn(Old) -> New,
) -> Result<(), UpgradeError> {
    let done = tree.get(keys::UPGRADED)?.filter(|done| done.as_ref() >= prefix);
    let start = done.as_deref().map_or(Bound::Included(prefix), Bound::Excluded);
    let mut transaction = Transaction::new(tree);
    let mut rewritten = 0;
    let mut last = None;
    for entry in tree.range::<&[u8], _>((start, Bound::Unbounded)) {
        let (key, value) = entry?;
        if !key.starts_with(prefix) {
            break;
        }
        if let Some(old) = read_value(tree, &key, value)? {
            transaction.run(|transaction| transaction.put(&key, &renew(old)))?;
        }
        rewritten += 1;
        last = Some(key);
        if rewritten % AT_ONCE == 0 {
            write(tree, &mut transaction, last.as_deref())?;
        }
    }
    write(tree, &mut transaction, last.as_deref())
}

/// Writes the rewritten rows together with the progress.
fn write(
    tree: &sled::Tree,
    transaction: &mut Transaction<'_>,
    last: Option<&[u8]>,
) -> Result<(), UpgradeError> {
    let mut batch = sled::Batch::default();
    for (key, value) in transaction.take_writes() {
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    if let Some(last) = last {
        batch.insert(keys::UPGRADED, last);
    }
    Ok(tree.apply_batch(batch)?)
}

fn make_lists(tree: &sled::Tree) -> Result<(), UpgradeError> {
    let mut lists = Lists { tree, batch: sled::Batch::default(), entries: 0 };
    // An interrupted attempt may have left entries of leads that have converted again since.
    for list in [keys::CONVERTED, keys::OF_DESTINATION, keys::LINES] {
        for key in tree.scan_prefix(list).keys() {
            lists.remove(key?)?;
        }
    }
    lists.write()?;
    for entry in tree.scan_prefix(keys::LEADS) {
        let (key, value) = entry?;
        if let Some(lead) = read_value(tree, &key, value)? {
            lists_of(&lead).into_iter().try_for_each(|place| lists.add(place))?;
        }
    }
    for entry in tree.scan_prefix(keys::DELIVERIES) {
        let (key, value) = entry?;
        if let Some(delivery) = read_value::<Delivery>(tree, &key, value)? {
            lists.add(keys::of_destination_one(&delivery.destination, delivery.id))?;
            if delivery.state.waits() {
                lists.add(keys::in_line(&delivery))?;
            }
        }
    }
    Ok(lists.write()?)
}

struct Lists<'a> {
    tree: &'a sled::Tree,
    batch: sled::Batch,
    entries: usize,
}

impl Lists<'_> {
    fn add(&mut self, key: Vec<u8>) -> sled::Result<()> {
        self.batch.insert(key, &[]);
        self.changed()
    }

    fn remove(&mut self, key: sled::IVec) -> sled::Result<()> {
        self.batch.remove(key);
        self.changed()
    }

    fn changed(&mut self) -> sled::Result<()> {
        self.entries += 1;
        match self.entries.is_multiple_of(AT_ONCE) {
            true => self.write(),
            false => Ok(()),
        }
    }

    fn write(&mut self) -> sled::Result<()> {
        self.tree.apply_batch(std::mem::take(&mut self.batch))
    }
}
