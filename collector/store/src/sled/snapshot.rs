//! A snapshot of the store that is read piece by piece while the writer continues.
//!
//! sled has no snapshots. So, while one is being read, the writer saves the old value of a key
//! before it first changes it, and the reader looks at the saved values before it looks at the
//! tree. Both hold the same lock; the reader holds it for a few pieces at a time. Saved values that
//! the reader has passed are dropped.

use super::engine::Engine;
use super::keys;
use super::transaction::{Writes, corrupt, decode, failed};
use crate::error::StoreError;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The old values of keys that have changed since the snapshot began; `None` if the key did not
/// exist.
type Before = BTreeMap<Vec<u8>, Option<sled::IVec>>;

/// How far the reader has come. It reads one group of prefixes after the other, and each group in
/// the order of its keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
struct Progress {
    order: u8,
    key: Vec<u8>,
}

/// Some of the values under a prefix.
pub(super) struct ValueBatch<T> {
    /// Keys and values.
    pub(super) values: Vec<(Vec<u8>, T)>,
    /// The last key that was read; `None` if there were no more.
    pub(super) last: Option<Vec<u8>>,
}

/// How many bytes of old values the writer saves for a slow reader. Beyond that, the snapshot is
/// abandoned.
const BEFORE_BYTES: usize = 256 << 20;

#[derive(Default)]
struct State {
    before: Before,
    /// The size of the keys and values in `before`.
    bytes: usize,
    progress: Progress,
    given_up: bool,
}

/// Shared by the writer and the reader. Contains a state while a snapshot is being read.
#[derive(Clone, Default)]
pub(super) struct Snapshots(Arc<Locks>);

#[derive(Default)]
struct Locks {
    state: Mutex<Option<State>>,
    /// Held while waiting for `state`. The reader wants `state` again as soon as it has released
    /// it; this lock makes sure that a waiting writer gets it next.
    turn: Mutex<()>,
}

/// A snapshot that is being read. It ends when it is dropped.
pub(super) struct Snapshot {
    engine: Engine,
    snapshots: Snapshots,
}

/// Holds the lock while some pieces are read.
pub(super) struct View<'a> {
    tree: sled::Tree,
    state: MutexGuard<'a, Option<State>>,
}

/// While this is held, nothing is committed.
#[must_use]
pub(super) struct CommitGuard<'a> {
    _state: MutexGuard<'a, Option<State>>,
}

/// The last of the groups in which other rows belong to the row that is read.
const OWNERS: u8 = 2;

/// The key prefixes of each group.
const PREFIXES: [&[u8]; 5] = [b"ve", b"lcdbh", b"i", b"k", b"u"];

/// The group of a key, and what it is ordered by within the group; `None` for keys whose old values
/// are not saved: entries of lists, which can be rebuilt, and memos.
fn place(key: &[u8]) -> Option<(u8, &[u8])> {
    let key = key.strip_prefix(&[keys::CHUNK]).unwrap_or(key);
    let (prefix, rest) = key.split_first()?;
    let order = PREFIXES.iter().position(|prefixes| prefixes.contains(prefix))?;
    Some((order as u8 + 1, rest))
}

impl Progress {
    fn holds(&self, key: &[u8]) -> bool {
        let Some((order, rest)) = place(key) else { return true };
        match order.cmp(&self.order) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => {
                // The rows of a visitor or lead begin with the id of their owner. In the other
                // groups a key may begin with another key without belonging to it.
                let owns = self.order <= OWNERS;
                rest <= self.key.as_slice() || (owns && rest.starts_with(&self.key))
            }
            std::cmp::Ordering::Greater => false,
        }
    }
}

impl Snapshots {
    /// Starts a snapshot of the current state.
    pub(super) fn begin(&self, engine: &Engine) -> Result<Snapshot, StoreError> {
        let mut state = self.lock();
        if state.is_some() {
            return Err(StoreError::Exporting);
        }
        *state = Some(State::default());
        drop(state);
        Ok(Snapshot { engine: engine.clone(), snapshots: self.clone() })
    }

    /// Ends the current snapshot, and with it the reader's hold on the engine.
    pub(super) fn give_up(&self) {
        if let Some(state) = &mut *self.lock() {
            tracing::warn!(
                "an export was abandoned: the store was closed because its disk is full"
            );
            *state = State::given_up();
        }
    }

    /// Applies a commit's writes. Saves the old values that a snapshot has not read yet.
    pub(super) fn apply(&self, tree: &sled::Tree, writes: Writes) -> Result<(), StoreError> {
        let mut state = self.lock();
        if let Some(state) = state.as_mut().filter(|state| !state.given_up) {
            state.keep(tree, &writes)?;
        }
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let applied = tree.apply_batch(batch).map_err(failed);
        drop(state);
        applied
    }

    /// Prevents the writer from committing while the result is held.
    pub(super) fn hold(&self) -> CommitGuard<'_> {
        CommitGuard { _state: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Saves the values of keys that are about to change.
    fn keep(&mut self, tree: &sled::Tree, writes: &Writes) -> Result<(), StoreError> {
        for key in writes.keys() {
            if !self.progress.holds(key) && !self.before.contains_key(key) {
                let value = tree.get(key).map_err(failed)?;
                self.bytes += key.len() + value.as_ref().map_or(0, |value| value.len());
                self.before.insert(key.clone(), value);
            }
        }
        if self.bytes > BEFORE_BYTES {
            tracing::warn!(
                "an export was abandoned: too much was written before its reader caught up"
            );
            *self = Self::given_up();
        }
        Ok(())
    }

    fn given_up() -> Self {
        Self { given_up: true, ..Self::default() }
    }

    /// Drops what the reader has passed: the first keys under each prefix of its group, and
    /// everything of earlier groups.
    fn forget(&mut self) {
        let read = PREFIXES.iter().take(self.progress.order.into()).flat_map(|order| order.iter());
        for prefix in read {
            for head in [&[*prefix][..], &[keys::CHUNK, *prefix]] {
                let behind = self.before.range(head.to_vec()..).map(|(key, _)| key);
                let behind =
                    behind.take_while(|key| key.starts_with(head) && self.progress.holds(key));
                let behind: Vec<Vec<u8>> = behind.cloned().collect();
                for key in behind {
                    let value = self.before.remove(&key).flatten();
                    self.bytes -= key.len() + value.map_or(0, |value| value.len());
                }
            }
        }
    }
}

impl Snapshot {
    /// Locks out the writer while pieces are read.
    ///
    /// # Errors
    /// If the snapshot was abandoned.
    pub(super) fn view(&self) -> Result<View<'_>, StoreError> {
        let state = self.snapshots.lock();
        let given_up = state.as_ref().is_none_or(|state| state.given_up);
        match self.engine.get().filter(|_| !given_up) {
            Some(tree) => Ok(View { tree, state }),
            None => {
                let reason = "the export was abandoned; see the log for the reason";
                Err(StoreError::Unavailable(reason.into()))
            }
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        *self.snapshots.lock() = None;
    }
}

impl View<'_> {
    fn before(&self) -> Option<&Before> {
        self.state.as_ref().map(|state| &state.before)
    }

    fn bytes(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        match self.before().and_then(|before| before.get(key)) {
            Some(before) => Ok(before.clone()),
            None => self.tree.get(key).map_err(failed),
        }
    }

    /// A value as of the snapshot.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.bytes(key)?.map(|value| self.decode(key, &value)).transpose()
    }

    /// Up to `limit` keys and values under a prefix, in order, starting after a key.
    pub(super) fn next<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<ValueBatch<T>, StoreError> {
        let start = after.map_or_else(|| prefix.to_vec(), |after| [after, &[0]].concat());
        let mut found: BTreeMap<Vec<u8>, Option<sled::IVec>> = BTreeMap::new();
        for entry in self.tree.range(start.clone()..).take(limit) {
            let (key, value) = entry.map_err(failed)?;
            found.insert(key.to_vec(), Some(value));
        }
        if let Some(before) = self.before() {
            let changed = before.range(start..).take(limit);
            found.extend(changed.map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut last = None;
        let mut values = Vec::new();
        for (key, value) in found.into_iter().take(limit) {
            if !key.starts_with(prefix) {
                break;
            }
            if let Some(value) = value {
                values.push((key.clone(), self.decode(&key, &value)?));
            }
            last = Some(key);
        }
        Ok(ValueBatch { values, last })
    }

    /// All keys and values under a prefix.
    pub(super) fn all<T: DeserializeOwned>(
        &self,
        prefix: &[u8],
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        const AT_ONCE: usize = 100;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let ValueBatch { values, last } = self.next(prefix, after.as_deref(), AT_ONCE)?;
            all.extend(values);
            match last {
                Some(_) => after = last,
                None => return Ok(all),
            }
        }
    }

    /// Marks everything up to this key, and everything that belongs to it, as read.
    pub(super) fn pass(&mut self, key: &[u8]) {
        let Some(state) = &mut *self.state else { return };
        if let Some((order, rest)) = place(key) {
            state.progress = Progress { order, key: rest.to_vec() };
            state.forget();
        }
    }

    fn decode<T: DeserializeOwned>(&self, key: &[u8], value: &[u8]) -> Result<T, StoreError> {
        let chunk = |number| {
            let piece = self.bytes(&keys::chunk(key, number))?;
            piece.ok_or_else(|| corrupt(key, "a chunk is missing"))
        };
        decode(key, value, chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&[u8]; 9] = [b"va", b"ea1", b"vb", b"eb1", b"eb2", b"la", b"ia", b"iaa", b"iab"];

    /// Reads a whole snapshot, one piece per step, with writes between the steps.
    fn read(tree: &sled::Db, writes: &[Vec<(usize, Option<u8>)>]) -> Vec<(Vec<u8>, u8)> {
        let (engine, snapshots) = (Engine::new(tree.clone()), Snapshots::default());
        let snapshot = snapshots.begin(&engine).unwrap();
        assert!(matches!(snapshots.begin(&engine), Err(StoreError::Exporting)));
        let mut writes = writes.iter();
        let mut found = Vec::new();
        for prefix in [b"v", b"l", b"i"] {
            let mut after: Option<Vec<u8>> = None;
            loop {
                if let Some(changes) = writes.next() {
                    let value = |value: Option<u8>| value.map(|value| vec![1, value]);
                    let change = |(key, new): &(usize, _)| (KEYS[*key].to_vec(), value(*new));
                    snapshots.apply(tree, changes.iter().map(change).collect()).unwrap();
                }
                let mut view = snapshot.view().unwrap();
                let ValueBatch { values, last } =
                    view.next::<u8>(prefix, after.as_deref(), 1).unwrap();
                for (key, value) in values {
                    if prefix == b"v" {
                        found.extend(view.all::<u8>(&[b"e", &key[1..]].concat()).unwrap());
                    }
                    found.push((key, value));
                }
                let Some(last) = last else { break };
                view.pass(&last);
                let state = view.state.as_ref().unwrap();
                assert!(state.before.keys().all(|key| !state.progress.holds(key)));
                let bytes = |(key, value): (&Vec<u8>, &Option<sled::IVec>)| {
                    key.len() + value.as_ref().map_or(0, |value| value.len())
                };
                assert_eq!(state.bytes, state.before.iter().map(bytes).sum::<usize>());
                drop(view);
                after = Some(last);
            }
        }
        found
    }

    proptest! {
        /// Whatever is written in the meantime, a snapshot reads what was stored when it began.
        #[test]
        fn a_snapshot_does_not_move(
            first in proptest::collection::vec(proptest::option::of(0..9u8), 9),
            writes in proptest::collection::vec(
                proptest::collection::vec((0..9usize, proptest::option::of(0..9u8)), 0..4), 0..12),
        ) {
            let tree = sled::Config::new().temporary(true).open().unwrap();
            for (key, value) in KEYS.iter().zip(&first) {
                if let Some(value) = value {
                    tree.insert(*key, &[1, *value]).unwrap();
                }
            }
            let still = read(&tree, &[]);
            prop_assert_eq!(read(&tree, &writes), still);
        }
    }
}
