//! The engine that serves reads. After a failure, the writer shuts it and opens a new one.

use std::sync::{Arc, PoisonError, RwLock};

/// Shared by the writer and all readers. A reader must keep the result of [`Engine::get`] for one
/// read only, because the engine does not release its files before that.
#[derive(Clone)]
pub(super) struct Engine(Arc<RwLock<Option<sled::Db>>>);

impl Engine {
    pub(super) fn new(db: sled::Db) -> Self {
        Self(Arc::new(RwLock::new(Some(db))))
    }

    /// The engine's tree; `None` while the engine is shut.
    pub(super) fn get(&self) -> Option<sled::Tree> {
        let engine = self.0.read().unwrap_or_else(PoisonError::into_inner);
        engine.as_deref().cloned()
    }

    /// Replaces the engine; `None` shuts it.
    pub(super) fn replace(&self, db: Option<sled::Db>) {
        let before = {
            let mut engine = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *engine, db)
        };
        // This ends the engine's threads, which may take a moment.
        drop(before);
    }
}
