//! Reads from sled, concurrently with the writer and outside of any commit.

use super::keys;
use super::transaction::{chunk_count, corrupt, decode, failed};
use crate::error::StoreError;
use serde::de::DeserializeOwned;
use std::ops::Bound;

/// How often a reader tries again before it concludes that a value is damaged.
const LOOKS: usize = 1_000;

/// Reads a value.
pub(super) fn read<T: DeserializeOwned>(
    tree: &sled::Tree,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(value) = tree.get(key).map_err(failed)? else { return Ok(None) };
    read_value(tree, key, value)
}

/// Reads a value that a scan of sled found; `None` if it has been removed since.
pub(super) fn read_value<T: DeserializeOwned>(
    tree: &sled::Tree,
    key: &[u8],
    mut value: sled::IVec,
) -> Result<Option<T>, StoreError> {
    for _ in 1..LOOKS {
        let chunk = |number| {
            let piece = tree.get(keys::chunk(key, number)).map_err(failed)?;
            piece.ok_or_else(|| corrupt(key, "a chunk is missing"))
        };
        match decode(key, &value, chunk) {
            Err(StoreError::Corrupt(_)) if chunk_count(&value) > 0 => {
                let Some(again) = tree.get(key).map_err(failed)? else { return Ok(None) };
                value = again;
            }
            decoded => return decoded.map(Some),
        }
    }
    Err(corrupt(key, "its chunks do not match"))
}

/// Reads all values under a prefix, in the order of their keys.
pub(super) fn scan<T: DeserializeOwned>(
    tree: &sled::Tree,
    prefix: &[u8],
) -> Result<Vec<T>, StoreError> {
    page(tree, prefix, None, usize::MAX)
}

/// Reads up to `limit` values under a prefix, starting after a key.
pub(super) fn page<T: DeserializeOwned>(
    tree: &sled::Tree,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<T>, StoreError> {
    let start = after.map_or(Bound::Included(prefix), Bound::Excluded);
    let mut values = Vec::new();
    for entry in tree.range::<&[u8], _>((start, Bound::Unbounded)) {
        let (key, value) = entry.map_err(failed)?;
        if values.len() == limit || !key.starts_with(prefix) {
            break;
        }
        values.extend(read_value(tree, &key, value)?);
    }
    Ok(values)
}
