//! The reads and writes of one verb: sled's data overlaid with the writes of the current commit.
//!
//! A verb that fails is rolled back. A commit applies all remaining writes as one batch. A value is
//! postcard behind a one-byte header. Long values are split into chunks, because sled 0.34 writes
//! large values to files that its flush does not sync.

use super::keys;
use crate::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::limits;
use std::collections::BTreeMap;
use std::io;
use xxhash_rust::xxh3::xxh3_64;

/// A value's header. A chunked value has ten more header bytes: the number of further chunks and a
/// hash of the whole. A concurrent reader may see the head of one commit and a chunk of another;
/// the hash shows it, and the reader tries again.
const WHOLE: u8 = 1;
const CHUNKED: u8 = 2;
const CHUNKED_HEAD: usize = 1 + 2 + 8;

/// Values by key; `None` removes the key.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Reads see earlier writes. Nothing reaches sled before [`Transaction::take_writes`].
pub(super) struct Transaction<'a> {
    tree: &'a sled::Tree,
    /// The writes of verbs in this commit that succeeded.
    kept: Writes,
    /// Writes of the running verb.
    running: Writes,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(tree: &'a sled::Tree) -> Self {
        Self { tree, kept: Writes::new(), running: Writes::new() }
    }

    /// Runs one verb. Its writes are kept only if it succeeds.
    pub(super) fn run<T>(
        &mut self,
        verb: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result = verb(self);
        let running = std::mem::take(&mut self.running);
        if result.is_ok() {
            self.kept.extend(running);
        }
        result
    }

    /// Drops the writes of a verb that did not finish.
    pub(super) fn abandon(&mut self) {
        self.running.clear();
    }

    /// All writes since the last call.
    pub(super) fn take_writes(&mut self) -> Writes {
        std::mem::take(&mut self.kept)
    }

    fn bytes(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        if let Some(write) = self.running.get(key).or_else(|| self.kept.get(key)) {
            return Ok(write.as_deref().map(sled::IVec::from));
        }
        self.tree.get(key).map_err(failed)
    }

    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.bytes(key)?.is_some())
    }

    pub(super) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.bytes(key)?.map(|value| self.decode(key, &value)).transpose()
    }

    /// Reads a row that must exist because another row refers to it.
    pub(super) fn expect<T: DeserializeOwned>(&self, key: &[u8]) -> Result<T, StoreError> {
        self.get(key)?.ok_or_else(|| corrupt(key, "the row is missing"))
    }

    pub(super) fn put<T: Serialize>(&mut self, key: &[u8], value: &T) -> Result<(), StoreError> {
        let old_chunks = self.bytes(key)?.map_or(0, |old| chunk_count(&old));
        let chunks = self.put_new(key.to_vec(), value)?;
        for stale in chunks + 1..=old_chunks {
            self.running.insert(keys::chunk(key, stale), None);
        }
        Ok(())
    }

    /// Writes a value under a key that is not in use, which saves reading the old value. Returns
    /// the number of further chunks.
    pub(super) fn put_new<T: Serialize>(
        &mut self,
        key: Vec<u8>,
        value: &T,
    ) -> Result<u16, StoreError> {
        let mut whole = postcard::to_extend(value, vec![WHOLE])
            .map_err(|error| corrupt(&key, &error.to_string()))?;
        let mut chunks = 0;
        if whole.len() > limits::VALUE_BYTES {
            let hash = xxh3_64(&whole[1..]);
            let rest = whole.split_off(limits::VALUE_BYTES);
            for (number, piece) in rest.chunks(limits::VALUE_BYTES).enumerate() {
                chunks = u16::try_from(number + 1)
                    .map_err(|_| corrupt(&key, "the value is larger than a gigabyte"))?;
                self.running.insert(keys::chunk(&key, chunks), Some(piece.to_vec()));
            }
            let head = [CHUNKED].into_iter().chain(chunks.to_be_bytes()).chain(hash.to_be_bytes());
            let head: Vec<u8> = head.collect();
            whole.splice(0..1, head);
        }
        self.running.insert(key, Some(whole));
        Ok(chunks)
    }

    /// Writes a key with an empty value.
    pub(super) fn mark(&mut self, key: Vec<u8>) {
        self.running.insert(key, Some(Vec::new()));
    }

    /// Removes a key whose value was never chunked.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.running.insert(key, None);
    }

    /// Removes a key and the further chunks of its value.
    pub(super) fn remove_value(&mut self, key: Vec<u8>) -> Result<(), StoreError> {
        let chunks = self.bytes(&key)?.map_or(0, |value| chunk_count(&value));
        for number in 1..=chunks {
            self.running.insert(keys::chunk(&key, number), None);
        }
        self.remove(key);
        Ok(())
    }

    /// Keys and values under a prefix, in order, including this commit's writes.
    pub(super) fn scan<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let mut found: BTreeMap<Vec<u8>, sled::IVec> = BTreeMap::new();
        for entry in self.tree.scan_prefix(prefix) {
            let (key, value) = entry.map_err(failed)?;
            found.insert(key.to_vec(), value);
        }
        for writes in [&self.kept, &self.running] {
            let under =
                writes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
            for (key, write) in under {
                match write {
                    Some(value) => found.insert(key.clone(), value.as_slice().into()),
                    None => found.remove(key),
                };
            }
        }
        let read = |(key, value): (Vec<u8>, sled::IVec)| {
            let value = self.decode(&key, &value)?;
            Ok((key, value))
        };
        found.into_iter().map(read).collect()
    }

    /// The marked keys under a prefix that sort before `end`, in order, at most `limit`.
    pub(super) fn marks(
        &self,
        prefix: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut found = std::collections::BTreeSet::new();
        let removed = |key: &[u8]| {
            let write = self.running.get(key).or_else(|| self.kept.get(key));
            matches!(write, Some(None))
        };
        for entry in self.tree.range(prefix..end).keys() {
            let key = entry.map_err(failed)?.to_vec();
            if !removed(&key) {
                found.insert(key);
            }
            if found.len() == limit {
                break;
            }
        }
        for writes in [&self.kept, &self.running] {
            let range = writes.range(prefix.to_vec()..end.to_vec());
            found.extend(range.filter(|(_, write)| write.is_some()).map(|(key, _)| key.clone()));
        }
        found.retain(|key| !removed(key));
        Ok(found.into_iter().take(limit).collect())
    }

    fn decode<T: DeserializeOwned>(&self, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
        let chunk = |number| {
            let piece = self.bytes(&keys::chunk(key, number))?;
            piece.ok_or_else(|| corrupt(key, "a chunk is missing"))
        };
        decode(key, value, chunk)
    }
}

pub(super) fn chunk_count(value: &[u8]) -> u16 {
    match value {
        [CHUNKED, high, low, ..] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    }
}

/// Decodes a value; `chunk` reads its further chunks by number.
pub(super) fn decode<T: DeserializeOwned>(
    key: &[u8],
    value: &[u8],
    chunk: impl Fn(u16) -> Result<sled::IVec, StoreError>,
) -> Result<T, StoreError> {
    let parsed = match value {
        [WHOLE, rest @ ..] => postcard::from_bytes(rest),
        [CHUNKED, ..] if value.len() >= CHUNKED_HEAD => {
            let (head, rest) = value.split_at(CHUNKED_HEAD);
            let mut whole = rest.to_vec();
            for number in 1..=chunk_count(value) {
                whole.extend_from_slice(&chunk(number)?);
            }
            if head[3..] != xxh3_64(&whole).to_be_bytes() {
                return Err(corrupt(key, "its chunks do not match"));
            }
            postcard::from_bytes(&whole)
        }
        _ => return Err(corrupt(key, "its header is unknown")),
    };
    parsed.map_err(|error| corrupt(key, &error.to_string()))
}

pub(super) fn failed(error: sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => StoreError::Corrupt(error.to_string()),
        sled::Error::Io(error) if is_full(&error) => StoreError::Full(format!(
            "the store's disk is full ({}): nothing is stored until there is space",
            error.kind()
        )),
        other => StoreError::Closed(other.to_string()),
    }
}

/// Whether the disk, or the user's quota, is full.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

pub(super) fn corrupt(key: &[u8], why: &str) -> StoreError {
    StoreError::Corrupt(format!("{}: {why}", key.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;

    fn tree() -> sled::Db {
        sled::Config::new().temporary(true).open().unwrap()
    }

    fn commit(
        tree: &sled::Tree,
        verb: impl FnOnce(&mut Transaction<'_>) -> Result<(), StoreError>,
    ) {
        let mut transaction = Transaction::new(tree);
        transaction.run(verb).unwrap();
        apply(tree, &mut transaction);
    }

    fn apply(tree: &sled::Tree, transaction: &mut Transaction<'_>) {
        for (key, value) in transaction.take_writes() {
            match value {
                Some(value) => tree.insert(key, value).unwrap(),
                None => tree.remove(key).unwrap(),
            };
        }
    }

    fn values(transaction: &Transaction<'_>) -> Result<Vec<u8>, StoreError> {
        Ok(transaction.scan(b"v")?.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn long_values_are_chunked_and_shrink_without_leftovers() {
        let tree = tree();
        for length in [10, 100_000, limits::VALUE_BYTES, 40_000, 0] {
            let text = "x".repeat(length);
            commit(&tree, |transaction| transaction.put(b"vkey", &text));
            assert_eq!(read::<String>(&tree, b"vkey").unwrap(), Some(text));
            let longest = tree.iter().map(|entry| entry.unwrap().1.len()).max();
            assert!(longest <= Some(limits::VALUE_BYTES + CHUNKED_HEAD));
        }
        assert_eq!(tree.len(), 1);
        commit(&tree, |transaction| transaction.put(b"vkey", &"x".repeat(100_000)));
        commit(&tree, |transaction| transaction.remove_value(b"vkey".to_vec()));
        assert_eq!(tree.len(), 0);
    }

    #[test]
    fn a_failed_verb_leaves_nothing_and_reads_see_writes() {
        let tree = tree();
        let mut transaction = Transaction::new(&tree);
        transaction.run(|transaction| transaction.put(b"va", &1u8)).unwrap();
        let failed = transaction.run(|transaction| {
            transaction.put(b"va", &2u8)?;
            transaction.put(b"vb", &3u8)?;
            assert_eq!(values(transaction)?, [2, 3]);
            Err::<(), _>(StoreError::Busy)
        });
        assert!(failed.is_err());
        assert_eq!(values(&transaction).unwrap(), [1]);
        apply(&tree, &mut transaction);
        assert_eq!(tree.len(), 1);
    }

    #[test]
    fn marks_are_bounded_and_honour_this_commits_writes() {
        let tree = tree();
        commit(&tree, |transaction| {
            [b"qa", b"qb", b"qc"].iter().for_each(|key| transaction.mark(key.to_vec()));
            Ok(())
        });
        let mut transaction = Transaction::new(&tree);
        transaction.remove(b"qa".to_vec());
        transaction.mark(b"qab".to_vec());
        let marks = |limit| transaction.marks(b"q", b"qc", limit).unwrap();
        assert_eq!(marks(9), [b"qab".to_vec(), b"qb".to_vec()]);
        assert_eq!(marks(1), [b"qab".to_vec()]);
    }

    #[test]
    fn an_unreadable_row_is_an_error() {
        let tree = tree();
        for bytes in [&[][..], &[9, 9], &[WHOLE], &[CHUNKED, 0, 1, 5]] {
            tree.insert(b"vkey", bytes).unwrap();
            assert!(
                matches!(read::<String>(&tree, b"vkey"), Err(StoreError::Corrupt(_))),
                "{bytes:?}"
            );
        }
    }
}
