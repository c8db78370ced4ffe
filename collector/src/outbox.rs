//! The outbox: takes deliveries that are due, hands them off, records how it went.
//!
//! One [`Outbox::step`] is everything that is due now; tests call it after moving the clock, the
//! collector calls it in a loop. A delivery is settled only by an answer or by its schedule's end:
//! a collector that dies in between leaves a lease that runs out.

pub mod sign;
mod body;
mod client;

use crate::app::App;
use crate::metrics::DeliveryOutcome;
use crate::outgoing::Outgoing;
use crate::settings::{Destination, Settings};
use crate::store::{Claim, Delivery, Settlement, StoreError};
use anyhow::Result;
use client::{Attempt, Client};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use shared::limits;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A claim outlives the longest attempt by this much.
const LEASE_MARGIN_MS: i64 = 30_000;
/// How often a destination's loop looks for what fell due.
const PAUSE: Duration = Duration::from_millis(500);
/// How often rows that nobody needs any more are looked for: they have waited a day.
const EXPIRE_PAUSE: Duration = Duration::from_secs(60);

/// Delivers for one application.
pub struct Outbox {
    app: Arc<App>,
    client: Client,
}

impl Outbox {
    /// An outbox with its HTTP client.
    ///
    /// # Errors
    /// Where the client cannot be made.
    pub fn new(app: Arc<App>) -> Result<Self> {
        let client = Client::new(Outgoing::new()?);
        Ok(Self { app, client })
    }

    /// Delivers until told to stop; what is under way is finished first.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let expire =
            until_stopped(stop.clone(), EXPIRE_PAUSE, async || self.expire().await.map(Some));
        tokio::join!(self.deliver_to_all(stop.clone()), expire);
    }

    /// Each destination has a loop of its own, so that one that hangs holds up no other. Changed
    /// settings begin loops for new destinations; that of one which is gone ends by itself.
    async fn deliver_to_all(&self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.app.watch_settings();
        let (mut loops, mut running) = (FuturesUnordered::new(), HashSet::new());
        while !*stop.borrow() {
            let settings = Arc::clone(&changes.borrow_and_update());
            for destination in settings.every_destination() {
                if running.insert(destination.name().to_owned()) {
                    loops.push(self.deliver_to(destination.name().to_owned(), stop.clone()));
                }
            }
            tokio::select! {
                Some(ended) = loops.next() => { running.remove(&ended); }
                _ = changes.changed() => {}
                _ = stop.changed() => {}
            }
        }
        while loops.next().await.is_some() {}
    }

    /// Delivers to one destination until told to stop, or until the settings have it no more; what
    /// is due for it then stays in the store. Gives back its name.
    async fn deliver_to(&self, name: String, stop: watch::Receiver<bool>) -> String {
        let work = async || {
            // Asked each time, so that a change of address or secret holds from here on.
            let settings = self.app.settings();
            match settings.destination(&name) {
                Some(destination) => self.work(destination, &settings).await.map(Some),
                None => {
                    tracing::info!(
                        destination = name,
                        "a destination that was removed gets no more"
                    );
                    Ok(None)
                }
            }
        };
        until_stopped(stop, PAUSE, work).await;
        name
    }

    /// Attempts everything that is due; how many attempts were made.
    ///
    /// # Errors
    /// The store's.
    pub async fn step(&self) -> Result<usize, StoreError> {
        self.expire().await?;
        let settings = self.app.settings();
        let mut attempts = 0;
        for destination in settings.every_destination() {
            loop {
                match self.work(destination, &settings).await? {
                    0 => break,
                    more => attempts += more,
                }
            }
        }
        Ok(attempts)
    }

    async fn expire(&self) -> Result<usize, StoreError> {
        self.app.store.expire(self.app.clock.now_ms()).await
    }

    /// One claim of what is due for a destination: as many as may be under way at the same time.
    async fn work(&self, to: &Destination, settings: &Settings) -> Result<usize, StoreError> {
        let how = &settings.config.delivery;
        let now_ms = self.app.clock.now_ms();
        let timeout_ms = i64::from(how.timeout_seconds) * 1000;
        let claim = Claim {
            destination: to.name().to_owned(),
            now_ms,
            lease_until_ms: now_ms + timeout_ms + LEASE_MARGIN_MS,
            limit: how.concurrency,
        };
        let claimed = self.app.store.claim_deliveries(claim).await?;
        let attempts = claimed.len();
        let deliver = claimed.into_iter().map(|delivery| self.deliver(to, settings, delivery));
        for settled in join_all(deliver).await {
            settled?;
        }
        Ok(attempts)
    }

    async fn deliver(
        &self,
        to: &Destination,
        settings: &Settings,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        let how = &settings.config.delivery;
        let attempt = self.attempt(to, settings, &delivery).await?;
        let now_ms = self.app.clock.now_ms();
        let jitter = f64::from(rand::random::<u16>()) / f64::from(u16::MAX);
        let settlement =
            settlement(&attempt, delivery.attempts, &how.retry_seconds, now_ms, jitter);
        let outcome = match &settlement {
            Settlement::Sent { .. } => DeliveryOutcome::Sent,
            Settlement::Retry { .. } | Settlement::Wait { .. } => DeliveryOutcome::Retry,
            Settlement::Dead { .. } => DeliveryOutcome::Dead,
        };
        self.app.metrics.delivery(outcome);
        if let Settlement::Retry { error, .. } | Settlement::Dead { error, .. } = &settlement {
            let (id, destination) = (delivery.id.to_text(), &delivery.destination);
            tracing::warn!(
                delivery = id,
                destination,
                attempts = delivery.attempts,
                error,
                "a delivery failed"
            );
        }
        self.app.store.settle_delivery(delivery.id, delivery.claims, settlement).await
    }

    async fn attempt(
        &self,
        to: &Destination,
        settings: &Settings,
        delivery: &Delivery,
    ) -> Result<Attempt, StoreError> {
        let body = match self.app.store.delivery_body(delivery.id).await? {
            Some(frozen) => frozen,
            None => match body::build(&self.app, settings, delivery).await? {
                Some(body) => self.app.store.freeze_delivery(delivery.id, body).await?,
                None => return Ok(Attempt::Hopeless("the lead is gone".into())),
            },
        };
        let id = delivery.id.to_text();
        let timeout = Duration::from_secs(settings.config.delivery.timeout_seconds.into());
        Ok(self.client.post(to, &id, body, self.app.clock.now_ms(), timeout).await)
    }
}

/// Works again and again, and pauses where there was nothing to do, until it is told to stop or the
/// work says (`None`) that there will be no more.
async fn until_stopped(
    mut stop: watch::Receiver<bool>,
    pause: Duration,
    work: impl AsyncFn() -> Result<Option<usize>, StoreError>,
) {
    // Told when it begins, when it becomes another, and when it is over: not at every look.
    let mut told = None;
    while !*stop.borrow() {
        let worked = match work().await {
            Ok(worked) => {
                if told.take().is_some() {
                    tracing::info!("the outbox works again");
                }
                worked
            }
            Err(error) => {
                let error = error.to_string();
                if told.as_ref() != Some(&error) {
                    tracing::error!(error, "the outbox could not work");
                }
                told = Some(error);
                Some(0)
            }
        };
        match worked {
            None => return,
            Some(0) => {}
            Some(_) => continue,
        }
        #[expect(clippy::disallowed_methods, reason = "the one loop that waits for time to pass")]
        let pause = tokio::time::sleep(pause);
        tokio::select! {
            () = pause => {}
            _ = stop.changed() => {}
        }
    }
}

/// What an attempt means for the delivery. `attempts` counts this one; `jitter` is 0 to 1 and adds
/// up to a tenth to the wait, so that deliveries that failed together do not return together.
fn settlement(
    attempt: &Attempt,
    attempts: u32,
    retry_seconds: &[u32],
    now_ms: i64,
    jitter: f64,
) -> Settlement {
    let (error, asked_ms) = match attempt {
        Attempt::Accepted => return Settlement::Sent { at_ms: now_ms },
        Attempt::Hopeless(error) => {
            return Settlement::Dead { at_ms: now_ms, error: error.clone() };
        }
        Attempt::Failed { error, retry_after_seconds } => {
            let asked_ms = retry_after_seconds.map_or(0, |seconds| i64::from(seconds) * 1000);
            (error.clone(), asked_ms.min(limits::DAY_MS))
        }
    };
    let Some(wait) = retry_seconds.get(attempts.saturating_sub(1) as usize) else {
        return Settlement::Dead { at_ms: now_ms, error };
    };
    let wait_ms = i64::from(*wait) * 1000;
    let jitter_ms = (wait_ms as f64 * 0.1 * jitter) as i64;
    Settlement::Retry { at_ms: now_ms + (wait_ms + jitter_ms).max(asked_ms), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attempt: &Attempt, attempts: u32, jitter: f64, expected: &str) {
        let settled = match settlement(attempt, attempts, &[5, 300], 1_000, jitter) {
            Settlement::Sent { at_ms } => format!("sent {at_ms}"),
            Settlement::Retry { at_ms, .. } => format!("retry {at_ms}"),
            Settlement::Wait { at_ms, .. } => format!("wait {at_ms}"),
            Settlement::Dead { at_ms, error } => format!("dead {at_ms} {error}"),
        };
        assert_eq!(settled, expected);
    }

    #[test]
    fn the_schedule() {
        let failed =
            |retry_after_seconds| Attempt::Failed { error: "500".into(), retry_after_seconds };
        check(&Attempt::Accepted, 1, 0.0, "sent 1000");
        check(&failed(None), 1, 0.0, "retry 6000");
        check(&failed(None), 1, 1.0, "retry 6500");
        check(&failed(None), 2, 0.0, "retry 301000");
        check(&failed(None), 3, 0.0, "dead 1000 500");
        check(&failed(Some(60)), 1, 1.0, "retry 61000");
        check(&failed(Some(u32::MAX)), 1, 0.0, "retry 86401000");
        check(&failed(Some(1)), 2, 0.0, "retry 301000");
        check(&Attempt::Hopeless("gone".into()), 1, 0.0, "dead 1000 gone");
    }
}
