//! Group commit: whatever arrives during a commit goes into the next one.
//!
//! Each lane is a task with its own share of the buckets. It takes what is waiting, commits it in
//! one transaction, and then answers all callers. If two collectors need the same visitor, the
//! second waits; both lock visitors in the same order.

use super::ingest;
use super::options::PostgresOptions;
use super::pool::{ConnectionPool, PostgresError};
use super::rows::visitor_bucket;
use crate::error::StoreError;
use crate::visitor::Arrivals;
use shared::outcome::Outcome;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The most batches in one transaction; this bounds how long the first waits for the last.
const COMMIT_BATCHES: usize = 500;
/// While one lane waits for the disk, the other works. More lanes would only split the same work
/// into smaller commits, which cost more processor time and do not shorten the wait
/// (`docs/performance.md`).
const MOST_LANES: usize = 2;

/// One visitor's events, and where to send the result.
struct Job {
    arrivals: Arrivals,
    answer: oneshot::Sender<Result<Vec<Outcome>, StoreError>>,
}

/// The sending side of all lanes.
pub(super) struct Lanes {
    /// `None` once the store is closed.
    senders: Mutex<Option<Vec<mpsc::UnboundedSender<Job>>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    queued: Arc<AtomicUsize>,
    room: usize,
}

impl Lanes {
    /// Starts the tasks on the current runtime.
    pub(super) fn start(connections: &ConnectionPool, options: &PostgresOptions) -> Self {
        let queued = Arc::new(AtomicUsize::new(0));
        // At least half of the connections are left for reads, conversions and deliveries.
        let lanes = (options.connections / 2).clamp(1, MOST_LANES);
        let start = |_| {
            let (sender, jobs) = mpsc::unbounded_channel();
            let lane = run(connections.clone(), jobs, Arc::clone(&queued));
            (sender, tokio::spawn(lane))
        };
        let (senders, tasks) = (0..lanes).map(start).unzip();
        let (senders, tasks) = (Mutex::new(Some(senders)), Mutex::new(tasks));
        Self { senders, tasks, queued: Arc::clone(&queued), room: options.queue }
    }

    /// The number of batches accepted and not yet answered.
    pub(super) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    pub(super) async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        let closed = || StoreError::Closed("it is closed".into());
        // Count first, so that concurrent callers cannot all find room.
        if self.queued.fetch_add(1, Ordering::Relaxed) >= self.room {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(StoreError::Busy);
        }
        let bucket = visitor_bucket(&arrivals.site, arrivals.visitor);
        let (answer, answered) = oneshot::channel();
        let lane = self.lane(bucket);
        if lane.is_none_or(|lane| lane.send(Job { arrivals, answer }).is_err()) {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(closed());
        }
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    fn lane(&self, bucket: i16) -> Option<mpsc::UnboundedSender<Job>> {
        let senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        senders.as_ref().map(|senders| senders[bucket as usize % senders.len()].clone())
    }

    /// Waits until everything accepted is answered.
    pub(super) async fn stop(&self) {
        drop(self.senders.lock().unwrap_or_else(PoisonError::into_inner).take());
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // If a lane panicked, that is in the log.
            let _ = task.await;
        }
    }
}

async fn run(
    connections: ConnectionPool,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    queued: Arc<AtomicUsize>,
) {
    let mut waiting = Vec::new();
    while jobs.recv_many(&mut waiting, COMMIT_BATCHES).await > 0 {
        let taken = waiting.len();
        let (arrivals, answers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|job| (job.arrivals, job.answer)).unzip();
        let connections = connections.clone();
        // A separate task, so that a panic (a bug) fails only this commit.
        let results = tokio::spawn(async move { commit(&connections, arrivals).await }).await;
        queued.fetch_sub(taken, Ordering::Relaxed);
        let results = results.unwrap_or_else(|error| {
            tracing::error!(%error, "a commit was interrupted");
            let cut_off = StoreError::Unavailable(error.to_string());
            answers.iter().map(|_| Err(cut_off.clone())).collect()
        });
        for (answer, result) in answers.into_iter().zip(results) {
            // The caller may be gone; its events are stored nevertheless.
            let _ = answer.send(result);
        }
    }
}

/// Commits batches together. If the database refuses their contents, or another transaction may
/// hold one of their visitors, commits each batch alone, so that one cannot block the others.
async fn commit(
    connections: &ConnectionPool,
    batches: Vec<Arrivals>,
) -> Vec<Result<Vec<Outcome>, StoreError>> {
    let failure = match ingest::ingest(connections, &batches).await {
        Ok(outcomes) => return outcomes.into_iter().map(Ok).collect(),
        Err(failure) => failure,
    };
    let one_may_be_at_fault = matches!(failure, PostgresError::Refused(_) | PostgresError::Slow(_));
    let error = StoreError::from(failure);
    if batches.len() > 1 && one_may_be_at_fault {
        tracing::warn!(%error, "a commit failed; trying its batches one by one");
        return commit_alone(connections, &batches, &error).await;
    }
    batches.iter().map(|_| Err(error.clone())).collect()
}

/// Commits each batch alone, within the time limit of one piece of work: if the database as a whole
/// is slow, nobody waits for hundreds of attempts. The remaining batches fail with the error of the
/// joint commit.
async fn commit_alone(
    connections: &ConnectionPool,
    batches: &[Arrivals],
    together: &StoreError,
) -> Vec<Result<Vec<Outcome>, StoreError>> {
    let deadline = Instant::now() + connections.patience();
    let mut held = HashSet::new();
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches.chunks(1) {
        let visitor = batch.first().map(|arrivals| (&arrivals.site, arrivals.visitor));
        if Instant::now() >= deadline || held.contains(&visitor) {
            results.push(Err(together.clone()));
            continue;
        }
        let alone = ingest::ingest(connections, batch).await;
        if let Err(PostgresError::Slow(_)) = alone {
            held.insert(visitor);
        }
        let first = alone.map(|outcomes| outcomes.into_iter().next().unwrap_or_default());
        results.push(first.map_err(StoreError::from));
    }
    results
}
