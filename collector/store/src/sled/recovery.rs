//! What follows a write that a full disk refused: the engine is shut and, when there is room, opened
//! again as a start would open it.
//!
//! Only a full disk is waited out. It refuses a write before anything of it counts, so what a new
//! opening reads is what is on the disk. After any other failure that is not known, and the store stays
//! shut until somebody has looked.

use super::folder::{self, Durability, Place};
use super::writer::{Message, Writing};
use crate::error::StoreError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often an opening is tried. Each reads the whole store.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// Waits for room and opens the engine again. `None` where the store was closed meanwhile.
///
/// # Errors
/// Where the folder cannot be opened for another reason than a full disk.
pub(super) fn wait_for_room(
    writing: &Writing,
    place: &Place,
    jobs: &Receiver<Message>,
) -> Result<Option<Durability>, StoreError> {
    // Exports and readings that are under way end now: the engine lets go of its files after the last.
    writing.engine.replace(None);
    writing.snapshots.give_up();
    loop {
        if !refuse_for(TRY_EVERY, writing, jobs) {
            return Ok(None);
        }
        if !writing.room.is_enough_to_open() || !folder::is_let_go(place) {
            continue;
        }
        match folder::open_tree(place) {
            Ok((db, durability)) => {
                writing.engine.replace(Some(db));
                return Ok(Some(durability));
            }
            Err(error @ StoreError::Shut { .. }) => {
                tracing::warn!(%error, "the store is not open again yet");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Refuses what arrives for so long; `false` where the store is to close.
fn refuse_for(time: Duration, writing: &Writing, jobs: &Receiver<Message>) -> bool {
    let end = Instant::now() + time;
    loop {
        match jobs.recv_timeout(end.saturating_duration_since(Instant::now())) {
            // Its caller sees the answer's channel closed, and asks why.
            Ok(Message::Run(job)) => {
                drop(job);
                writing.queued.fetch_sub(1, Ordering::Relaxed);
            }
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
        }
    }
}
