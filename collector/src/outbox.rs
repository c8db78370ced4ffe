//! The outbox: claims deliveries that are due, attempts them and records the result.
//!
//! [`Outbox::run`] delivers in loops until it is stopped. [`Outbox::step`] attempts everything that
//! is due now; tests call it after moving the clock. A delivery is settled only by the result of an
//! attempt. If a collector dies in between, its lease expires and the delivery is claimed again.

pub mod target;
mod schedule;
pub mod webhook;
pub mod crm;
pub mod targets;
mod repeat;

use crate::recipients::everyone;
use crate::settings::{CurrentSettings, Settings};
use crate::subscriptions::Subscriptions;
use clew_core::Core;
use clew_core::metrics::DeliveryOutcome;
use clew_store::{Claim, Delivery, DestinationId, MOST_UNMATCHED, Settlement, StoreError};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use repeat::{until_stopped, wait};
use schedule::{latest, settlement};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use target::{Attempt, Target};
use targets::Targets;
use tokio::sync::watch;
use tracing::Instrument;

/// By how much a claim outlasts the longest attempt.
const LEASE_MARGIN_MS: i64 = 30_000;
/// How often a destination's loop checks for due deliveries.
const PAUSE: Duration = Duration::from_millis(500);
/// How often new subscriptions are looked for.
const SUBSCRIPTIONS_PAUSE: Duration = Duration::from_secs(2);
/// How often expired idempotency keys are deleted; they are kept for a day, so a minute is precise
/// enough.
const EXPIRE_PAUSE: Duration = Duration::from_secs(60);

/// How often stranded deliveries are looked for.
const RECALL_MS: i64 = 3_600_000;

/// The background service that makes deliveries.
pub struct Outbox {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    subscriptions: Arc<Subscriptions>,
    targets: Arc<Targets>,
    /// When stranded deliveries were last looked for, Unix milliseconds.
    recalled_ms: AtomicI64,
}

impl Outbox {
    /// Creates the service.
    pub fn new(
        core: Arc<Core>,
        settings: Arc<CurrentSettings>,
        subscriptions: Arc<Subscriptions>,
        targets: Arc<Targets>,
    ) -> Self {
        let recalled_ms = AtomicI64::new(i64::MIN);
        Self { core, settings, subscriptions, targets, recalled_ms }
    }

    /// Delivers until `stop` is set; attempts in progress are finished first.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let expire =
            until_stopped(stop.clone(), EXPIRE_PAUSE, async || self.expire().await.map(Some));
        tokio::join!(self.deliver_to_all(stop.clone()), expire);
    }

    /// Attempts every delivery that is due; returns how many attempts were made.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn step(&self) -> Result<usize, StoreError> {
        self.expire().await?;
        let (_go_on, stop) = watch::channel(false);
        let mut attempts = 0;
        for destination in self.everyone().await? {
            attempts += self.work(&destination, &stop).await?.unwrap_or_default();
        }
        Ok(attempts)
    }

    /// Runs one loop per destination, so that one that hangs does not hold up the others. New
    /// destinations in changed settings get a loop; the loop of a removed destination ends.
    async fn deliver_to_all(&self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.settings.watch();
        let (mut loops, mut running) = (FuturesUnordered::new(), HashSet::new());
        while !*stop.borrow() {
            changes.mark_unchanged();
            // If the store fails here, the running loops log its error.
            for destination in self.everyone().await.unwrap_or_default() {
                if running.insert(destination.clone()) {
                    loops.push(self.deliver_to(destination, stop.clone()));
                }
            }
            tokio::select! {
                Some(ended) = loops.next() => { running.remove(&ended); }
                _ = changes.changed() => {}
                () = wait(SUBSCRIPTIONS_PAUSE) => {}
                _ = stop.changed() => {}
            }
        }
        while loops.next().await.is_some() {}
    }

    /// Delivers to one destination until `stop` is set or the destination is removed; its remaining
    /// deliveries stay in the store. Returns its id.
    async fn deliver_to(
        &self,
        destination: DestinationId,
        stop: watch::Receiver<bool>,
    ) -> DestinationId {
        let work = async || {
            let worked = self.work(&destination, &stop).await?;
            if worked.is_none() {
                let destination = destination.to_string();
                tracing::info!(destination, "a destination was removed; deliveries to it stop");
            }
            Ok(worked)
        };
        until_stopped(stop.clone(), PAUSE, work).await;
        destination
    }

    async fn everyone(&self) -> Result<Vec<DestinationId>, StoreError> {
        everyone(&self.settings.get(), &self.subscriptions).await
    }

    async fn expire(&self) -> Result<usize, StoreError> {
        self.recall().await?;
        let forgotten = self.core.store.forget_unmatched().await?;
        if forgotten > 0 {
            self.core.metrics.forgot_unmatched(forgotten);
            tracing::warn!(
                forgotten,
                "a site had more than {MOST_UNMATCHED} unmatched records; the oldest were deleted"
            );
        }
        self.core.store.expire(self.core.now_ms()).await
    }

    /// Makes deliveries due that a clock that was ahead has scheduled further in the future than
    /// possible. Runs at the start, once an hour, and whenever this machine's clock was set back.
    async fn recall(&self) -> Result<(), StoreError> {
        let now_ms = self.core.now_ms();
        let recalled_ms = self.recalled_ms.load(Ordering::Relaxed);
        if (0..RECALL_MS).contains(&now_ms.saturating_sub(recalled_ms)) {
            return Ok(());
        }
        let settings = self.settings.get();
        let lease_ms = crm::longest_attempt(&settings).as_millis() as i64 + LEASE_MARGIN_MS;
        let latest = latest(&settings.config.delivery, lease_ms, now_ms);
        let recalled = self.core.store.recall_deliveries(now_ms, latest).await?;
        if recalled > 0 {
            tracing::warn!(recalled, "deliveries were scheduled too far ahead; they are due now");
        }
        self.recalled_ms.store(now_ms, Ordering::Relaxed);
        Ok(())
    }

    /// Attempts a destination's due deliveries, as many concurrently as the target allows, until
    /// none is left. Returns how many attempts were made; `None` if the destination does not exist.
    async fn work(
        &self,
        destination: &DestinationId,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<usize>, StoreError> {
        let (mut attempts, mut failed) = (0, None);
        let mut in_flight = FuturesUnordered::new();
        loop {
            if failed.is_none() && !*stop.borrow() {
                // Read every time, so that a changed URL or secret applies at once.
                let settings = self.settings.get();
                match self.claim(&settings, destination, in_flight.len()).await {
                    Ok(Some((target, claimed))) => {
                        attempts += claimed.len();
                        in_flight.extend(claimed.into_iter().map(|delivery| {
                            self.deliver(Arc::clone(&target), Arc::clone(&settings), delivery)
                        }));
                    }
                    Ok(None) => break,
                    Err(error) => failed = Some(error),
                }
            }
            tokio::select! {
                // Attempts in progress are finished, even after an error.
                ended = in_flight.next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(error)) => failed = Some(error),
                    None => return failed.map_or(Ok(Some(attempts)), Err),
                },
                // Deliveries that fall due in the meantime do not wait for them.
                () = wait(PAUSE) => {}
            }
        }
        while in_flight.next().await.is_some() {}
        Ok(None)
    }

    /// Claims as many of a destination's due deliveries as the target has room for; `None` if the
    /// destination does not exist.
    async fn claim(
        &self,
        settings: &Arc<Settings>,
        destination: &DestinationId,
        in_flight: usize,
    ) -> Result<Option<(Arc<dyn Target>, Vec<Delivery>)>, StoreError> {
        let target = self.targets.get(settings, destination).await?;
        let Some(target) = target.map(Arc::from) else { return Ok(None) };
        let target: Arc<dyn Target> = target;
        let limit = target.capacity(in_flight).await?;
        if limit == 0 {
            return Ok(Some((target, Vec::new())));
        }
        let now_ms = self.core.now_ms();
        let longest_attempt_ms = target.longest_attempt().as_millis() as i64;
        let claim = Claim {
            destination: destination.clone(),
            now_ms,
            lease_until_ms: now_ms + longest_attempt_ms + LEASE_MARGIN_MS,
            limit,
        };
        let claimed = self.core.store.claim_deliveries(claim).await?;
        Ok(Some((target, claimed)))
    }

    /// Makes one attempt and settles it. Its span names the delivery and the attempt.
    async fn deliver(
        &self,
        target: Arc<dyn Target>,
        settings: Arc<Settings>,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        // An error span, so that even a log of errors alone names the delivery.
        let span = tracing::error_span!(
            "attempt",
            delivery = %delivery.id.to_text(),
            claim = delivery.claims,
            destination = %delivery.destination,
        );
        self.attempt(&*target, &settings, delivery).instrument(span).await
    }

    async fn attempt(
        &self,
        target: &dyn Target,
        settings: &Settings,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        let attempt: Attempt = target.deliver(&delivery).await?;
        let until_ms = target.after_attempt(&attempt).await?;
        let now_ms = self.core.now_ms();
        let jitter = f64::from(rand::random::<u16>()) / f64::from(u16::MAX);
        let schedule = &settings.config.delivery.retry_seconds;
        let settled = settlement(attempt, until_ms, delivery.attempts, schedule, now_ms, jitter);
        let outcome = match &settled {
            Settlement::Sent { .. } => DeliveryOutcome::Sent,
            Settlement::Retry { .. } => DeliveryOutcome::Retry,
            Settlement::Wait { .. } => DeliveryOutcome::PutOff,
            Settlement::Dead { .. } => DeliveryOutcome::Dead,
        };
        self.core.metrics.delivery(outcome);
        if let Settlement::Retry { error, .. } | Settlement::Dead { error, .. } = &settled {
            tracing::warn!(attempts = delivery.attempts, error, "a delivery failed");
        }
        self.core.store.settle_delivery(delivery.id, delivery.claims, settled).await
    }
}
