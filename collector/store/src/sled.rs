//! The embedded store: sled 0.34 behind one writer thread.
//!
//! Writes go through `writer`, reads straight to sled. One key space (`keys`), so that one batch
//! holds everything that belongs together.

mod folder;
mod upgrade;
mod keys;
mod transaction;
mod read;
mod snapshot;
mod writer;
mod rows;
mod trails;
mod journeys;
mod convert;
mod record;
mod dossier;
mod leads;
mod deliveries;
mod memos;
mod moves;
mod upkeep;

use crate::error::StoreError;
use folder::Folder;
use snapshot::Snapshots;
use std::fs::File;
use std::path::Path;
use writer::Writer;

/// A store in a folder of this machine.
pub struct SledStore {
    db: sled::Db,
    writer: Writer,
    snapshots: Snapshots,
    /// Let go last: whoever gets it finds the engine's own lock free.
    _lock: File,
}

/// How the folder is opened.
#[derive(Clone, Copy, Debug)]
pub struct SledOptions {
    /// Bytes of cache.
    pub cache_bytes: u64,
    /// Verbs that may wait; more are answered with [`StoreError::Busy`].
    pub queue: usize,
}

impl SledStore {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`StoreError::InUse`] or [`StoreError::Damaged`]; the folder is left as it was found.
    pub fn open(path: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let Folder { db, durability, lock } = folder::open(path, options.cache_bytes)?;
        let snapshots = Snapshots::default();
        let writer = Writer::start(db.clone(), durability, snapshots.clone(), options.queue)
            .map_err(|error| StoreError::Closed(error.to_string()))?;
        Ok(Self { db, writer, snapshots, _lock: lock })
    }
}
