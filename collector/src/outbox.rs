//! The outbox: takes deliveries that are due, hands them off, records how it went.
//!
//! One [`Outbox::step`] is everything that is due now; tests call it after moving the clock, the
//! collector calls it in a loop. A delivery is settled only by an answer or by its schedule's end:
//! a collector that dies in between leaves a lease that runs out.

pub mod sign;
pub mod destinations;
pub mod receivers;
pub mod sample;
pub mod webhook;
mod news;
mod body;
mod client;
mod hand_off;
mod schedule;

use crate::app::App;
use crate::crm::CrmError;
use crate::crm::connection::Connection;
use crate::crm::lease;
use crate::crm::pause::{LOOK_AGAIN_MS, Pause};
use crate::metrics::DeliveryOutcome;
use crate::settings::Settings;
use crate::store::{Claim, Delivery, Settlement, StoreError};
use crate::subscription;
use client::Attempt;
use destinations::Destination;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hand_off::Failure;
use schedule::settlement;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A claim outlives the longest attempt by this much.
const LEASE_MARGIN_MS: i64 = 30_000;
/// The calls that a hand-off to a CRM takes, at most in the usual case.
const CALLS_OF_A_HAND_OFF: usize = 4;
/// How often a destination's loop looks for what fell due.
const PAUSE: Duration = Duration::from_millis(500);
/// How often subscriptions that are new are looked for.
const SUBSCRIPTIONS_PAUSE: Duration = Duration::from_secs(2);
/// How often rows that nobody needs any more are looked for: they have waited a day.
const EXPIRE_PAUSE: Duration = Duration::from_secs(60);

/// Delivers for one application.
pub struct Outbox {
    app: Arc<App>,
}

impl Outbox {
    /// An outbox that calls with the application's clients.
    pub fn new(app: Arc<App>) -> Self {
        Self { app }
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
            changes.mark_unchanged();
            // Where the store does not answer, the loops that there are say so.
            for name in self.names().await.unwrap_or_default() {
                if running.insert(name.clone()) {
                    loops.push(self.deliver_to(name, stop.clone()));
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

    /// Delivers to one destination until told to stop, or until the settings have it no more; what
    /// is due for it then stays in the store. Gives back its name.
    async fn deliver_to(&self, name: String, stop: watch::Receiver<bool>) -> String {
        let work = async || {
            let worked = self.work(&name, &stop).await?;
            if worked.is_none() {
                tracing::info!(destination = name, "a destination that was removed gets no more");
            }
            Ok(worked)
        };
        until_stopped(stop.clone(), PAUSE, work).await;
        name
    }

    /// Attempts everything that is due; how many attempts were made.
    ///
    /// # Errors
    /// The store's.
    pub async fn step(&self) -> Result<usize, StoreError> {
        self.expire().await?;
        let (_go_on, stop) = watch::channel(false);
        let mut attempts = 0;
        for name in self.names().await? {
            attempts += self.work(&name, &stop).await?.unwrap_or_default();
        }
        Ok(attempts)
    }

    /// Everyone to whom anything is delivered.
    async fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = self.app.settings().every_destination();
        let subscriptions = subscription::all(&self.app).await?;
        let working = subscriptions.iter().filter(|one| one.disabled.is_none());
        names.extend(working.map(|one| one.id.clone()));
        Ok(names)
    }

    async fn expire(&self) -> Result<usize, StoreError> {
        self.app.store.expire(self.app.clock.now_ms()).await
    }

    /// Attempts what is due for a destination, so many at a time as are allowed, until nothing is; how
    /// many attempts were made. `None` where the settings have no such destination.
    async fn work(
        &self,
        name: &str,
        stop: &watch::Receiver<bool>,
    ) -> Result<Option<usize>, StoreError> {
        let (mut attempts, mut failed) = (0, None);
        let mut under_way = FuturesUnordered::new();
        loop {
            if failed.is_none() && !*stop.borrow() {
                // Asked each time, so that a change of address or secret holds from here on.
                let settings = self.app.settings();
                match self.claim(&settings, name, under_way.len()).await {
                    Ok(Some((to, claimed))) => {
                        attempts += claimed.len();
                        under_way.extend(claimed.into_iter().map(|delivery| {
                            self.deliver(to.clone(), Arc::clone(&settings), delivery)
                        }));
                    }
                    Ok(None) => break,
                    Err(error) => failed = Some(error),
                }
            }
            tokio::select! {
                // What is under way is finished, whatever became of the rest.
                ended = under_way.next() => match ended {
                    Some(Ok(())) => {}
                    Some(Err(error)) => failed = Some(error),
                    None => return failed.map_or(Ok(Some(attempts)), Err),
                },
                // What falls due meanwhile does not wait for it.
                () = wait(PAUSE) => {}
            }
        }
        while under_way.next().await.is_some() {}
        Ok(None)
    }

    async fn destination(&self, settings: &Settings, name: &str) -> Result<Option<To>, StoreError> {
        if subscription::is_id(name) {
            let all = subscription::all(&self.app).await?;
            let found = all.iter().find(|one| one.id == name && one.disabled.is_none());
            let Some(subscription) = found else { return Ok(None) };
            return match subscription.destination(settings, self.app.clock.now_ms()) {
                Ok(destination) => Ok(Some(To::Webhook(Arc::new(destination)))),
                Err(error) => {
                    subscription::disable(&self.app, subscription, &error).await?;
                    Ok(None)
                }
            };
        }
        if let Some(destination) = settings.destination(name) {
            return Ok(Some(To::Webhook(Arc::clone(destination))));
        }
        // The connections of the settings were made when these were put in force.
        let connection = self.app.connections.get(settings, name);
        let connection = connection.map_err(|error| StoreError::Closed(format!("{error:#}")))?;
        Ok(connection.map(To::Crm))
    }

    /// Takes what is due for a destination, as much as there is room for; `None` where the settings
    /// have no such destination.
    async fn claim(
        &self,
        settings: &Settings,
        name: &str,
        under_way: usize,
    ) -> Result<Option<(To, Vec<Delivery>)>, StoreError> {
        let Some(to) = self.destination(settings, name).await? else { return Ok(None) };
        let mut limit = settings.config.delivery.concurrency.saturating_sub(under_way);
        match &to {
            To::Crm(connection) => limit = limit.min(self.room(connection, under_way).await?),
            To::Webhook(_) if self.is_left_alone(name).await? => limit = 0,
            To::Webhook(_) => {}
        }
        if limit == 0 {
            return Ok(Some((to, Vec::new())));
        }
        let now_ms = self.app.clock.now_ms();
        let longest_ms = to.longest(settings).as_millis() as i64;
        let claim = Claim {
            destination: name.to_owned(),
            now_ms,
            lease_until_ms: now_ms + longest_ms + LEASE_MARGIN_MS,
            limit,
        };
        let claimed = self.app.store.claim_deliveries(claim).await?;
        Ok(Some((to, claimed)))
    }

    /// Whether a webhook gets nothing now: its receiver asked for that, or it is paused.
    async fn is_left_alone(&self, name: &str) -> Result<bool, StoreError> {
        if self.app.receivers.is_held(name, self.app.clock.now_ms()) {
            return Ok(true);
        }
        // A subscription that is paused is none that anything is delivered to.
        Ok(!subscription::is_id(name) && Pause::of(&self.app, name).await?.is_some())
    }

    /// How many hand-offs a CRM may get now: none where another collector has the connection or it is
    /// paused, else as many as its calls allow.
    async fn room(&self, connection: &Connection, under_way: usize) -> Result<usize, StoreError> {
        let (app, name) = (&*self.app, connection.name());
        if !lease::hold(app, name).await? {
            return Ok(0);
        }
        let now_ms = app.clock.now_ms();
        match Pause::of(app, name).await? {
            Some(pause) if pause.look_at_ms.is_some_and(|at_ms| at_ms <= now_ms) => {
                match connection.crm.probe().await {
                    Ok(()) => Pause::end(app, name).await?,
                    // It was not asked, so nothing is known that was not before.
                    Err(CrmError::RateLimited { .. }) => return Ok(0),
                    Err(error) => {
                        Pause::begin(app, name, error.to_string(), true).await?;
                        return Ok(0);
                    }
                }
            }
            Some(_) => return Ok(0),
            None => {}
        }
        let free = connection.crm.caller().throttle.free(now_ms) as usize;
        let wanted = CALLS_OF_A_HAND_OFF * under_way;
        Ok(free.saturating_sub(wanted) / CALLS_OF_A_HAND_OFF)
    }

    async fn deliver(
        &self,
        to: To,
        settings: Arc<Settings>,
        delivery: Delivery,
    ) -> Result<(), StoreError> {
        let attempt = match &to {
            To::Webhook(to) => webhook::post(&self.app, &settings, to, &delivery).await?,
            To::Crm(connection) => self.hand_off(connection, &settings, &delivery).await?,
        };
        let now_ms = self.app.clock.now_ms();
        let jitter = f64::from(rand::random::<u16>()) / f64::from(u16::MAX);
        let schedule = &settings.config.delivery.retry_seconds;
        let settlement = settlement(&attempt, delivery.attempts, schedule, now_ms, jitter);
        let outcome = match &settlement {
            Settlement::Sent { .. } => DeliveryOutcome::Sent,
            Settlement::Retry { .. } => DeliveryOutcome::Retry,
            Settlement::Wait { .. } => DeliveryOutcome::PutOff,
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

    async fn hand_off(
        &self,
        connection: &Arc<Connection>,
        settings: &Settings,
        delivery: &Delivery,
    ) -> Result<Attempt, StoreError> {
        let app = &*self.app;
        // Every call of it is bounded, and it is never cut off: a token that was rotated there and not
        // heard of here would be lost.
        let error = match hand_off::hand_off(app, settings, connection, delivery).await {
            Ok(()) => return Ok(Attempt::Accepted),
            Err(Failure::Store(error)) => return Err(error),
            Err(Failure::Crm(error)) => error,
        };
        let told = error.to_string();
        Ok(match error {
            // A field that is missing and cannot be done without is missing for every lead.
            CrmError::Auth(_) | CrmError::UnknownField { .. } => {
                Pause::begin(app, connection.name(), told.clone(), true).await?;
                Attempt::PutOff { until_ms: app.clock.now_ms() + LOOK_AGAIN_MS, reason: told }
            }
            CrmError::RateLimited { until_ms, .. } => Attempt::PutOff { until_ms, reason: told },
            CrmError::Transient { until_ms, message } => {
                Attempt::Failed { error: message, not_before_ms: until_ms }
            }
            CrmError::Invalid(_) => Attempt::Hopeless(told),
        })
    }
}

/// What is delivered to.
#[derive(Clone)]
enum To {
    /// A webhook.
    Webhook(Arc<Destination>),
    /// A CRM.
    Crm(Arc<Connection>),
}

impl To {
    /// The longest that an attempt takes.
    fn longest(&self, settings: &Settings) -> Duration {
        let call = Duration::from_secs(settings.config.delivery.timeout_seconds.into());
        match self {
            Self::Webhook(_) => call,
            // As many for the note as for the record, should each take as long as it may.
            Self::Crm(_) => call * (2 * CALLS_OF_A_HAND_OFF as u32),
        }
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
        tokio::select! {
            () = wait(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn wait(pause: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the loops wait for time to pass")]
    tokio::time::sleep(pause).await;
}
