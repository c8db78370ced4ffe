//! The embedded store: sled 0.34 behind one writer thread.
//!
//! Writes go through `writer`; reads go straight to sled. All rows share one key space (`keys`), so
//! that one batch can hold everything that belongs together.

mod engine;
mod disk_space;
mod folder;
mod owner;
mod upgrade;
mod keys;
mod transaction;
mod read;
mod snapshot;
mod writer;
mod recovery;
mod rows;
mod trails;
mod erase;
mod journeys;
mod convert;
mod merging;
mod record;
mod unmatched;
mod dossier;
mod leads;
mod deliveries;
mod memos;
mod transfer;
mod maintenance;

use crate::error::StoreError;
use disk_space::DiskSpace;
use engine::Engine;
use folder::{Folder, Place};
use snapshot::Snapshots;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use writer::{Writer, Writing};

pub use disk_space::{Disk, Reserve};

/// A store in a local folder.
pub struct SledStore {
    engine: Engine,
    writer: Writer,
    snapshots: Snapshots,
    /// Dropped last: a process that gets this lock then finds the engine's own lock free.
    _lock: File,
}

/// Options for opening the folder.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// Cache size in bytes.
    pub cache_bytes: u64,
    /// The most verbs that may wait; further ones fail with [`StoreError::Busy`].
    pub queue: usize,
    /// How much of the disk must stay free.
    pub reserve: Reserve,
    /// The disk.
    pub disk: Disk,
}

impl SledStore {
    /// Opens the folder, or creates it.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Shut`] or [`StoreError::Damaged`]. The folder is left
    /// as it was.
    pub fn open(path: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let SledOptions { cache_bytes, queue, reserve, disk } = options;
        let place = Place { path: path.to_owned(), cache_bytes };
        let Folder { db, durability, lock } = folder::open(&place)?;
        let engine = Engine::new(db);
        let snapshots = Snapshots::default();
        let writing = Writing {
            engine: engine.clone(),
            snapshots: snapshots.clone(),
            disk_space: Arc::new(DiskSpace::new(disk, path.to_owned(), reserve)),
            queued: Arc::default(),
        };
        let writer = Writer::start(writing, place, durability, queue)
            .map_err(|error| StoreError::Closed(error.to_string()))?;
        Ok(Self { engine, writer, snapshots, _lock: lock })
    }

    /// The tree to use for one read.
    ///
    /// # Errors
    /// The reason why the engine is shut.
    fn tree(&self) -> Result<sled::Tree, StoreError> {
        self.engine.get().ok_or_else(|| self.writer.why_unanswered())
    }
}
