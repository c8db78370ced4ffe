//! Recovery after a write that failed because the disk is full. The engine is shut and, once there
//! is space, opened again in the same way as at a start.
//!
//! Only a full disk is handled in this way. It makes a write fail before any of it counts, so the
//! next opening reads exactly what is on the disk. After any other failure that is not certain, so
//! the store stays shut until an operator intervenes.

use super::folder::{self, Durability, Place};
use super::writer::{Message, Writing};
use crate::error::StoreError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often to try to reopen the engine. Each attempt reads the whole store.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// Waits for space and opens the engine again. `None` if the store is closed in the meantime.
///
/// # Errors
/// If the folder cannot be opened for any reason other than a full disk.
pub(super) fn wait_for_room(
    writing: &Writing,
    place: &Place,
    jobs: &Receiver<Message>,
) -> Result<Option<Durability>, StoreError> {
    // End running exports and reads: the engine releases its files only after the last of them.
    writing.engine.replace(None);
    writing.snapshots.give_up();
    loop {
        if !refuse_for(TRY_EVERY, writing, jobs) {
            return Ok(None);
        }
        if !writing.disk_space.is_enough_to_open() || !folder::is_released(place) {
            continue;
        }
        match folder::open_tree(place) {
            Ok((db, durability)) => {
                writing.engine.replace(Some(db));
                return Ok(Some(durability));
            }
            Err(error @ StoreError::Shut { .. }) => {
                tracing::warn!(%error, "the store could not be reopened yet");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Refuses incoming verbs for this long; `false` if the store is to be closed.
fn refuse_for(time: Duration, writing: &Writing, jobs: &Receiver<Message>) -> bool {
    let end = Instant::now() + time;
    loop {
        match jobs.recv_timeout(end.saturating_duration_since(Instant::now())) {
            // The caller sees the response channel closed, and looks up the reason.
            Ok(Message::Run(job)) => {
                drop(job);
                writing.queued.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}
