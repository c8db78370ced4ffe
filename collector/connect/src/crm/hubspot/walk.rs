//! Walks through the changes of one millisecond, and can resume after a rate limit.

use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// The results of an interrupted walk. Few searches are allowed per second, so a walk that always
/// started over would never finish.
#[derive(Default)]
pub(super) struct Interrupted(Mutex<Option<Walk>>);

pub(super) struct Walk {
    pub(super) kind: &'static str,
    pub(super) at_ms: i64,
    /// The highest id found so far.
    pub(super) after: u64,
    pub(super) found: Vec<Value>,
}

impl Interrupted {
    /// Resumes the interrupted walk through that millisecond, or starts a new one.
    pub(super) fn resume(&self, kind: &'static str, at_ms: i64) -> Walk {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let same = held.filter(|walk| walk.kind == kind && walk.at_ms == at_ms);
        same.unwrap_or(Walk { kind, at_ms, after: 0, found: Vec::new() })
    }

    pub(super) fn keep(&self, walk: Walk) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(walk);
    }
}
