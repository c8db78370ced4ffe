//! The engine that reads go to. The writer shuts one that failed and puts another in its place.

use std::sync::{Arc, PoisonError, RwLock};

/// Shared by the writer and all readers. A reader keeps what [`Engine::get`] gave it for one reading
/// and no longer, because only then does the engine let go of its files.
#[derive(Clone)]
pub(super) struct Engine(Arc<RwLock<Option<sled::Db>>>);

impl Engine {
    pub(super) fn new(db: sled::Db) -> Self {
        Self(Arc::new(RwLock::new(Some(db))))
    }

    /// Its one tree; `None` where it is shut.
    pub(super) fn get(&self) -> Option<sled::Tree> {
        let engine = self.0.read().unwrap_or_else(PoisonError::into_inner);
        engine.as_deref().cloned()
    }

    /// Puts another in its place; `None` shuts it.
    pub(super) fn replace(&self, db: Option<sled::Db>) {
        let before = {
            let mut engine = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *engine, db)
        };
        // Ends the engine's threads, which may take a moment.
        drop(before);
    }
}
