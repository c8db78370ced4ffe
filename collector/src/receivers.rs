//! The health of webhook receivers: which one has to be left alone for a while, since when one has
//! been failing, and when to give up on it.
//!
//! How long to leave a receiver alone is local to this collector. Since when a receiver has been
//! failing is kept in the store, so that it survives restarts and ends with any collector's
//! success.

use clew_core::{Core, is_ahead};
use clew_store::{DestinationId, MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use shared::limits::DAY_MS;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a receiver may accept nothing before deliveries to it stop.
const GIVE_UP_MS: i64 = 5 * DAY_MS;
/// How often a success clears a failure that another collector may have stored.
const LOOK_MS: i64 = 3_600_000;
/// The first wait for an overloaded receiver that names no time; each further wait is twice as
/// long.
const SLOW_MS: i64 = 5_000;
/// The longest of these waits.
const SLOWEST_MS: i64 = 300_000;

/// The health of all receivers, by destination.
pub struct Receivers {
    core: Arc<Core>,
    known: ReceiverStates,
}

/// What this collector knows about the receivers.
#[derive(Default)]
struct ReceiverStates(Mutex<HashMap<DestinationId, Receiver>>);

#[derive(Clone, Copy, Default)]
struct Receiver {
    /// How many times it was overloaded since it last accepted anything.
    slow: u32,
    /// Until when it is left alone, Unix milliseconds.
    hold_until_ms: i64,
    health: Health,
}

#[derive(Clone, Copy, Default)]
enum Health {
    /// No attempt since the collector started.
    #[default]
    Unknown,
    /// It accepted something, and at this time the store had no failure of it.
    Works {
        seen_at_ms: i64,
    },
    FailsSince(i64),
}

#[derive(Deserialize, Serialize)]
struct Failing {
    since_ms: i64,
}

impl Receivers {
    /// Creates the service.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, known: ReceiverStates::default() }
    }

    /// Whether a receiver has to be left alone now.
    pub fn is_held(&self, destination: &DestinationId) -> bool {
        self.known.is_held(destination, self.core.now_ms())
    }

    /// Leaves a receiver alone until the time that it names, or for a growing wait. Returns until
    /// when, Unix milliseconds.
    pub fn slow_down(&self, destination: &DestinationId, until_ms: Option<i64>) -> i64 {
        self.known.slow_down(destination, self.core.now_ms(), until_ms)
    }

    /// Notes that a receiver accepted a webhook.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn succeeded(&self, destination: &DestinationId) -> Result<(), StoreError> {
        let now_ms = self.core.now_ms();
        self.known.change(destination, |receiver| receiver.slow = 0);
        if let Health::Works { seen_at_ms } = self.known.get(destination).health
            && is_ahead(seen_at_ms + LOOK_MS, LOOK_MS, now_ms)
        {
            return Ok(());
        }
        self.remember(destination, None).await?;
        let works = Health::Works { seen_at_ms: now_ms };
        self.known.change(destination, |receiver| receiver.health = works);
        Ok(())
    }

    /// Notes that an attempt at a receiver failed; returns whether it is time to give up on the
    /// receiver.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn failed(&self, destination: &DestinationId) -> Result<bool, StoreError> {
        let now_ms = self.core.now_ms();
        if let Health::FailsSince(since_ms) = self.known.get(destination).health
            && now_ms - since_ms < GIVE_UP_MS
        {
            return Ok(false);
        }
        // Another collector may have stored an earlier failure, or cleared it after a success.
        let name = destination.to_string();
        let remembered = self.core.recall::<Failing>(MemoKind::Failing, &name).await?.value;
        let since_ms = match remembered {
            Some(Failing { since_ms }) => since_ms,
            None => {
                self.remember(destination, Some(&Failing { since_ms: now_ms })).await?;
                now_ms
            }
        };
        let fails = Health::FailsSince(since_ms);
        self.known.change(destination, |receiver| receiver.health = fails);
        Ok(now_ms - since_ms >= GIVE_UP_MS)
    }

    /// Forgets a receiver, after its destination was removed.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn forget(&self, destination: &DestinationId) -> Result<(), StoreError> {
        self.known.lock().remove(destination);
        self.remember(destination, None).await
    }

    async fn remember(
        &self,
        destination: &DestinationId,
        failing: Option<&Failing>,
    ) -> Result<(), StoreError> {
        let name = destination.to_string();
        let was = self.core.recall::<Failing>(MemoKind::Failing, &name).await?.stamp;
        if was.is_none() && failing.is_none() {
            return Ok(());
        }
        // If another collector changed it in the meantime, the next attempt corrects it.
        self.core.remember(MemoKind::Failing, &name, was, failing).await.map(drop)
    }
}

impl Receiver {
    fn is_held(&self, now_ms: i64) -> bool {
        is_ahead(self.hold_until_ms, DAY_MS, now_ms)
    }
}

impl ReceiverStates {
    fn is_held(&self, destination: &DestinationId, now_ms: i64) -> bool {
        self.lock().get(destination).is_some_and(|receiver| receiver.is_held(now_ms))
    }

    fn slow_down(&self, destination: &DestinationId, now_ms: i64, until_ms: Option<i64>) -> i64 {
        self.change(destination, |receiver| {
            let mut wait_ms = 0;
            // Concurrent attempts get the same response and count only once.
            if !receiver.is_held(now_ms) {
                receiver.hold_until_ms = now_ms;
                wait_ms = SLOW_MS.saturating_mul(1 << receiver.slow.min(16)).min(SLOWEST_MS);
                receiver.slow = receiver.slow.saturating_add(1);
            }
            let until_ms = until_ms.unwrap_or(now_ms + wait_ms).min(now_ms + DAY_MS);
            receiver.hold_until_ms = receiver.hold_until_ms.max(until_ms);
            receiver.hold_until_ms
        })
    }

    fn get(&self, destination: &DestinationId) -> Receiver {
        self.lock().get(destination).copied().unwrap_or_default()
    }

    fn change<T>(&self, to: &DestinationId, change: impl FnOnce(&mut Receiver) -> T) -> T {
        change(self.lock().entry(to.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DestinationId, Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_what_is_asked_counts() {
        let receivers = ReceiverStates::default();
        let (a, b, c) = ("a".into(), "b".into(), "c".into());
        let mut now_ms = 1_000;
        let mut check = |after_ms: Option<i64>, expected: i64| {
            let until_ms = after_ms.map(|after_ms| now_ms + after_ms);
            assert_eq!(receivers.slow_down(&a, now_ms, until_ms) - now_ms, expected);
            assert!(receivers.is_held(&a, now_ms) && !receivers.is_held(&b, now_ms));
            now_ms += expected;
            assert!(!receivers.is_held(&a, now_ms));
        };
        check(None, 5_000);
        check(None, 10_000);
        check(Some(90_000), 90_000);
        check(None, 40_000);
        check(Some(i64::MAX / 2), DAY_MS);
        for _ in 0..9 {
            let until_ms = receivers.slow_down(&c, 0, None);
            assert_eq!(until_ms, receivers.slow_down(&c, 0, None), "at the same time");
        }
        (0..30).for_each(|_| check(Some(1), 1));
        check(None, SLOWEST_MS);
        // Once a clock that was years ahead is corrected, nobody waits.
        let year_ms = 365 * DAY_MS;
        assert_eq!(receivers.slow_down(&c, year_ms, None), year_ms + 10_000);
        assert!(receivers.is_held(&c, year_ms) && !receivers.is_held(&c, 0));
        assert_eq!(receivers.slow_down(&c, 0, None), 20_000);
    }
}
