//! The one thread that writes: takes what waits in the queue, commits it as one batch, makes it
//! durable, then answers all of it (group commit).
//!
//! Durable means: sled's flush, and then `fdatasync` on its log file, because that flush alone
//! leaves the disk's own cache unwritten. After a failed commit nothing more is taken: what the
//! disk holds is no longer known.

use super::folder::Durability;
use super::keys;
use super::snapshot::Snapshots;
use super::transaction::Transaction;
use crate::error::StoreError;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Verbs in one commit; bounds the time that the first of them waits for the last.
const COMMIT_VERBS: usize = 1_000;

/// Places in the queue that page views cannot take: a flood of them must not keep a lead from being
/// stored, or a delivery that was accepted from being settled.
const RESERVED: usize = 1_024;

/// Run with the transaction of its commit; gives back what answers the caller once the commit is
/// known to be durable, or not.
type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Message {
    Run(Job),
    Stop,
}

/// The sending side.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    room: usize,
    queued: Arc<AtomicUsize>,
    thread: std::sync::Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl Writer {
    /// Starts the thread, with room for so many waiting verbs.
    pub(super) fn start(
        tree: sled::Db,
        durability: Durability,
        snapshots: Snapshots,
        room: usize,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(room + RESERVED);
        let queued = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&queued);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&tree, durability, &snapshots, &jobs, &counter))?;
        Ok(Self { queue, queued, room, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Verbs taken and not yet answered.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// The same as [`Self::write`] for what browsers send, which has to come again where too much of
    /// it waits.
    pub(super) async fn write_if_room<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.queued() >= self.room {
            return Err(StoreError::Busy);
        }
        self.write(verb).await
    }

    /// Runs a verb in the next commit and waits until it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let result = transaction.run(verb);
            Box::new(move |commit| {
                // The caller may have gone away; what it asked for is stored all the same.
                let _ = sender.send(commit.and(result));
            })
        });
        self.queued.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.queue.try_send(Message::Run(job)) {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => closed(),
            });
        }
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits for everything taken to be durable and ends the thread. Blocks.
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
    StoreError::Closed("the writer has stopped; see the log".into())
}

fn run(
    tree: &sled::Db,
    mut durability: Durability,
    snapshots: &Snapshots,
    jobs: &Receiver<Message>,
    queued: &AtomicUsize,
) -> Result<(), StoreError> {
    let mut transaction = Transaction::new(tree);
    let mut stopping = false;
    while !stopping {
        let mut answers: Vec<Answer> = Vec::new();
        let mut taken = 0;
        // Wait for the first, then take whatever waits already.
        let mut next = jobs.recv().ok();
        loop {
            match next {
                Some(Message::Run(job)) => {
                    taken += 1;
                    answers.extend(attempt(job, &mut transaction));
                }
                Some(Message::Stop) | None => stopping = true,
            }
            if stopping || taken == COMMIT_VERBS {
                break;
            }
            match jobs.try_recv() {
                Ok(message) => next = Some(message),
                Err(_) => break,
            }
        }
        let commit = commit(tree, &mut durability, snapshots, &mut transaction);
        queued.fetch_sub(taken, Ordering::Relaxed);
        let failure = commit.as_ref().err().map(|error| match error {
            StoreError::Closed(reason) => reason.clone(),
            other => other.to_string(),
        });
        for answer in answers {
            answer(failure.clone().map_or(Ok(()), |reason| Err(StoreError::Closed(reason))));
        }
        if let Err(error) = commit {
            tracing::error!(%error, "the store could not commit and takes no more writes");
            return Err(error);
        }
    }
    Ok(())
}

/// Runs a verb. One that panics is a defect and fails alone: its writes are dropped, and its caller
/// sees the answer's channel closed.
fn attempt(job: Job, transaction: &mut Transaction<'_>) -> Option<Answer> {
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| job(transaction)));
    if answer.is_err() {
        tracing::error!("a verb of the store panicked; its writes were dropped");
        transaction.abandon();
    }
    answer.ok()
}

fn commit(
    tree: &sled::Db,
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
