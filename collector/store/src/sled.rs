//! The embedded store: sled 0.34 behind one writer thread.
//!
//! Writes go through `writer`, reads straight to sled. One key space (`keys`), so that one batch
//! holds everything that belongs together.

mod engine;
mod room;
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
mod record;
mod unmatched;
mod dossier;
mod leads;
mod deliveries;
mod memos;
mod moves;
mod upkeep;

use crate::error::StoreError;
use engine::Engine;
use folder::{Folder, Place};
use room::Room;
use snapshot::Snapshots;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use writer::{Writer, Writing};

pub use room::{Disk, Reserve};

/// A store in a folder of this machine.
pub struct SledStore {
    engine: Engine,
    writer: Writer,
    snapshots: Snapshots,
    /// Let go last: whoever gets it finds the engine's own lock free.
    _lock: File,
}

/// How the folder is opened.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// Bytes of cache.
    pub cache_bytes: u64,
    /// Verbs that may wait; more are answered with [`StoreError::Busy`].
    pub queue: usize,
    /// How much of the disk stays free.
    pub reserve: Reserve,
    /// The disk.
    pub disk: Disk,
}

impl SledStore {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Shut`] or [`StoreError::Damaged`]; the folder is left as it
    /// was found.
    pub fn open(path: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let SledOptions { cache_bytes, queue, reserve, disk } = options;
        let place = Place { path: path.to_owned(), cache_bytes };
        let Folder { db, durability, lock } = folder::open(&place)?;
        let engine = Engine::new(db);
        let snapshots = Snapshots::default();
        let writing = Writing {
            engine: engine.clone(),
            snapshots: snapshots.clone(),
            room: Arc::new(Room::new(disk, path.to_owned(), reserve)),
            queued: Arc::default(),
        };
        let writer = Writer::start(writing, place, durability, queue)
            .map_err(|error| StoreError::Closed(error.to_string()))?;
        Ok(Self { engine, writer, snapshots, _lock: lock })
    }

    /// What reads go to, for one reading.
    ///
    /// # Errors
    /// Why the engine is shut.
    fn tree(&self) -> Result<sled::Tree, StoreError> {
        self.engine.get().ok_or_else(|| self.writer.why_unanswered())
    }
}
