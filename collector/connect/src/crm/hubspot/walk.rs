//! A walk through the changes of one millisecond, which goes on where a limit interrupted it.

use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// What was found so far of the changes of one millisecond, where a limit came in between: searches
/// are few a second, and to begin anew each time would never come to an end.
#[derive(Default)]
pub(super) struct Interrupted(Mutex<Option<Walk>>);

pub(super) struct Walk {
    pub(super) kind: &'static str,
    pub(super) at_ms: i64,
    /// The highest id that was seen.
    pub(super) after: u64,
    pub(super) found: Vec<Value>,
}

impl Interrupted {
    /// The walk through that millisecond, from where it was interrupted or from the beginning.
    pub(super) fn resume(&self, kind: &'static str, at_ms: i64) -> Walk {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let same = held.filter(|walk| walk.kind == kind && walk.at_ms == at_ms);
        same.unwrap_or(Walk { kind, at_ms, after: 0, found: Vec::new() })
    }

    pub(super) fn keep(&self, walk: Walk) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(walk);
    }
}
