//! The writer thread (group commit). It takes what waits in the queue, commits it as one batch,
//! makes the batch durable, and then answers all callers.
//!
//! Durable means sled's flush and then `fdatasync` on its log file, because the flush alone does
//! not empty the disk's own cache. After a commit that failed because the disk is full, nothing is
//! accepted until there is space (`recovery`). After any other failed commit, nothing is accepted
//! any more, because it is unknown what is on the disk.

use super::disk_space::DiskSpace;
use super::engine::Engine;
use super::folder::{Durability, Place};
use super::keys;
use super::recovery::wait_for_room;
use super::snapshot::Snapshots;
use super::transaction::Transaction;
use crate::error::StoreError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most verbs in one commit, and for how long verbs are collected before it. Both bound how
/// long the first verb waits for the last. A verb takes a few milliseconds at most; the longest one
/// sums up a visitor's rows.
const COMMIT_VERBS: usize = 1_000;
const COMMIT_SLICE: Duration = Duration::from_millis(25);

/// Places in the queue that page views cannot use: a flood of page views must not prevent a lead
/// from being stored, or an accepted delivery from being settled.
const RESERVED: usize = 1_024;

/// Runs with the transaction of its commit. Returns a function that answers the caller once it is
/// known whether the commit is durable.
pub(super) type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A message to the thread.
pub(super) enum Message {
    Run(Job),
    Stop,
}

/// What the thread shares with the rest of the store.
#[derive(Clone)]
pub(super) struct Writing {
    pub(super) engine: Engine,
    pub(super) snapshots: Snapshots,
    pub(super) disk_space: Arc<DiskSpace>,
    /// Verbs accepted and not yet answered.
    pub(super) queued: Arc<AtomicUsize>,
}

/// The sending side of the queue.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    places: usize,
    writing: Writing,
    thread: std::sync::Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Writer {
    /// Starts the thread with a queue of this many places.
    pub(super) fn start(
        writing: Writing,
        place: Place,
        durability: Durability,
        places: usize,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(places + RESERVED);
        let shared = writing.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&shared, &place, durability, &jobs))?;
        Ok(Self { queue, places, writing, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// The number of verbs accepted and not yet answered.
    pub(super) fn queued(&self) -> usize {
        self.writing.queued.load(Ordering::Relaxed)
    }

    /// The state of the disk.
    pub(super) fn disk_space(&self) -> &DiskSpace {
        &self.writing.disk_space
    }

    /// Like [`Self::write`], for page views. Browsers must send them again if the queue is full or
    /// the disk is low on space.
    pub(super) async fn write_page_views<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.disk_space().for_page_views()?;
        if self.queued() >= self.places {
            return Err(StoreError::Busy);
        }
        self.write(verb).await
    }

    /// Runs a verb in the next commit and waits until it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.disk_space().for_others()?;
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result = transaction.run(verb);
            Box::new(move |commit| {
                // The caller may be gone; its verb is stored nevertheless.
                let _ = sender.send(commit.and(result));
            })
        });
        let queued = &self.writing.queued;
        queued.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.queue.try_send(Message::Run(job)) {
            queued.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => closed(),
            });
        }
        receiver.await.unwrap_or_else(|_| Err(self.why_unanswered()))
    }

    /// Why nothing can be stored or read.
    pub(super) fn why_unanswered(&self) -> StoreError {
        self.disk_space().for_others().err().unwrap_or_else(closed)
    }

    /// Waits until everything accepted is durable, and ends the thread. Blocks.
    pub(super) fn stop(&self) -> Result<(), StoreError> {
        let _ = self.queue.send(Message::Stop);
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StoreError::Closed("the writer thread panicked".into())),
        }
    }
}

fn closed() -> StoreError {
    StoreError::Closed("the writer has stopped; see the log for the reason".into())
}

fn run(
    writing: &Writing,
    place: &Place,
    mut durability: Durability,
    jobs: &Receiver<Message>,
) -> Result<(), StoreError> {
    loop {
        let Some(tree) = writing.engine.get() else { return Err(closed()) };
        let Err(failure) = commit_all(&tree, durability, writing, jobs) else { return Ok(()) };
        drop(tree);
        if !matches!(failure, StoreError::Full(_)) {
            tracing::error!(error = %failure, "the store could not commit; it accepts no more writes; restart the collector");
            return Err(failure);
        }
        tracing::error!(error = %failure, "the store is closed until its disk has free space");
        match wait_for_room(writing, place, jobs) {
            Ok(Some(opened)) => durability = opened,
            Ok(None) => return Err(failure),
            Err(error) => {
                writing.disk_space.shut(closed());
                tracing::error!(%error, "the store cannot be reopened and accepts no writes; restart the collector");
                return Err(error);
            }
        }
        writing.disk_space.reopened();
        tracing::info!("the store is open again and accepts writes");
    }
}

/// Commits what is sent, until the store is closed.
fn commit_all(
    tree: &sled::Tree,
    mut durability: Durability,
    writing: &Writing,
    jobs: &Receiver<Message>,
) -> Result<(), StoreError> {
    let mut transaction = Transaction::new(tree);
    let mut stopping = false;
    while !stopping {
        let mut answers: Vec<Answer> = Vec::new();
        let mut taken = 0;
        // Wait for the first message, then take those that are already waiting.
        let mut next = jobs.recv().ok();
        let began = Instant::now();
        loop {
            match next {
                Some(Message::Run(job)) => {
                    taken += 1;
                    answers.extend(attempt(job, &mut transaction));
                }
                Some(Message::Stop) | None => stopping = true,
            }
            if stopping || taken == COMMIT_VERBS || began.elapsed() >= COMMIT_SLICE {
                break;
            }
            match jobs.try_recv() {
                Ok(message) => next = Some(message),
                Err(_) => break,
            }
        }
        let commit = commit(tree, &mut durability, &writing.snapshots, &mut transaction);
        if let Err(failure @ StoreError::Full(_)) = &commit {
            // Set before any caller is answered, so that later requests are refused for the same
            // reason.
            writing.disk_space.shut(failure.clone());
        }
        writing.queued.fetch_sub(taken, Ordering::Relaxed);
        let failure = commit.as_ref().err().map(|error| match error {
            StoreError::Closed(_) | StoreError::Full(_) => error.clone(),
            other => StoreError::Closed(other.to_string()),
        });
        for answer in answers {
            answer(failure.clone().map_or(Ok(()), Err));
        }
        commit?;
    }
    Ok(())
}

/// Runs a verb. A panic is a bug, but only that verb fails: its writes are dropped, and its caller
/// sees the response channel closed.
fn attempt(job: Job, transaction: &mut Transaction<'_>) -> Option<Answer> {
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| job(transaction)));
    if answer.is_err() {
        tracing::error!("a store operation panicked; its writes were dropped");
        transaction.abandon();
    }
    answer.ok()
}

fn commit(
    tree: &sled::Tree,
    durability: &mut Durability,
    snapshots: &Snapshots,
    transaction: &mut Transaction<'_>,
) -> Result<(), StoreError> {
    let mut writes = transaction.take_writes();
    if writes.is_empty() {
        return Ok(());
    }
    writes.insert(keys::COMMITS.to_vec(), Some(durability.next_commit().to_be_bytes().to_vec()));
    snapshots.apply(tree, writes)?;
    tree.flush().map_err(super::transaction::failed)?;
    durability.commit().map_err(|error| StoreError::Closed(format!("fdatasync failed: {error}")))
}
