//! Brings a folder of an earlier layout up to this one.
//!
//! Layout 6 added two lists: a site's leads by their last conversion, and a destination's deliveries.
//! They are made from the rows, which stay as they are. It runs while the folder's copy stands aside, so
//! one that is cut off begins again from the start.

use super::keys;
use super::read::read_value;
use crate::delivery::Delivery;
use crate::error::StoreError;
use shared::lead::Lead;

/// The oldest layout that can be brought up to date.
pub(super) const OLDEST: u32 = 5;

/// List entries that are written at a time.
const AT_ONCE: usize = 10_000;

/// Adds what the layout before did not have.
///
/// # Errors
/// The engine's, and [`StoreError::Corrupt`] of a row that cannot be read.
pub(super) fn add_lists(tree: &sled::Tree) -> Result<(), UpgradeError> {
    let mut lists = Lists { tree, batch: sled::Batch::default(), entries: 0 };
    // A try that was cut off may have left entries of leads that have converted again since.
    for list in [keys::CONVERTED, keys::OF_DESTINATION] {
        for key in tree.scan_prefix(list).keys() {
            lists.remove(key?)?;
        }
    }
    lists.write()?;
    for entry in tree.scan_prefix(keys::LEADS) {
        let (key, value) = entry?;
        if let Some(Lead { id, site, converted_at_ms, .. }) = read_value(tree, &key, value)? {
            lists.add(keys::converted_lead(&site, converted_at_ms, id))?;
        }
    }
    for entry in tree.scan_prefix(keys::DELIVERIES) {
        let (key, value) = entry?;
        if let Some(Delivery { id, destination, .. }) = read_value(tree, &key, value)? {
            lists.add(keys::of_destination_one(&destination, id))?;
        }
    }
    Ok(lists.write()?)
}

/// Why a folder could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// The engine's: a full disk, say.
    #[error(transparent)]
    Engine(#[from] sled::Error),
    /// A row that cannot be read.
    #[error(transparent)]
    Row(#[from] StoreError),
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
