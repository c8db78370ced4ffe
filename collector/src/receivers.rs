//! How the receivers of webhooks behave: which one is to be left alone for a moment, which accepts
//! nothing any more, and which has accepted nothing for so long that it is not tried again.
//!
//! The moment concerns this collector alone. Since when a receiver only fails is remembered in the
//! store, so that no restart makes it younger, and another collector's success ends it.

use clew_core::{Core, is_ahead};
use clew_store::{DestinationId, MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use shared::limits::DAY_MS;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A receiver that accepted nothing for so long is not tried any more.
const GIVE_UP_MS: i64 = 5 * DAY_MS;
/// How often a working receiver is checked for a failure that another collector remembers.
const LOOK_MS: i64 = 3_600_000;
/// The first wait for a receiver that is too busy and does not say for how long; each further one is
/// twice as long,
const SLOW_MS: i64 = 5_000;
/// up to so much.
const SLOWEST_MS: i64 = 300_000;

/// What is known of the receivers, by destination.
pub struct Receivers {
    core: Arc<Core>,
    known: Known,
}

/// What this collector knows.
#[derive(Default)]
struct Known(Mutex<HashMap<DestinationId, Receiver>>);

#[derive(Clone, Copy, Default)]
struct Receiver {
    /// How often it was too busy, since it last accepted anything.
    slow: u32,
    /// Until when it is left alone, Unix milliseconds.
    hold_until_ms: i64,
    standing: Standing,
}

#[derive(Clone, Copy, Default)]
enum Standing {
    /// Nothing was tried since the collector started.
    #[default]
    Unknown,
    /// It accepted something, and nobody remembers a failure, as was seen at this time.
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
    /// Knowing nothing yet.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, known: Known::default() }
    }

    /// Whether one is to be left alone now.
    pub fn is_held(&self, destination: &DestinationId) -> bool {
        self.known.is_held(destination, self.core.now_ms())
    }

    /// Leaves one alone until the time that it names, or for a while; until when, Unix milliseconds.
    pub fn slow_down(&self, destination: &DestinationId, until_ms: Option<i64>) -> i64 {
        self.known.slow_down(destination, self.core.now_ms(), until_ms)
    }

    /// Notes that one accepted a webhook.
    ///
    /// # Errors
    /// The store's.
    pub async fn succeeded(&self, destination: &DestinationId) -> Result<(), StoreError> {
        let now_ms = self.core.now_ms();
        self.known.change(destination, |receiver| receiver.slow = 0);
        if let Standing::Works { seen_at_ms } = self.known.get(destination).standing
            && is_ahead(seen_at_ms + LOOK_MS, LOOK_MS, now_ms)
        {
            return Ok(());
        }
        self.remember(destination, None).await?;
        let works = Standing::Works { seen_at_ms: now_ms };
        self.known.change(destination, |receiver| receiver.standing = works);
        Ok(())
    }

    /// Notes that one accepted nothing; whether that has been so for too long.
    ///
    /// # Errors
    /// The store's.
    pub async fn failed(&self, destination: &DestinationId) -> Result<bool, StoreError> {
        let now_ms = self.core.now_ms();
        if let Standing::FailsSince(since_ms) = self.known.get(destination).standing
            && now_ms - since_ms < GIVE_UP_MS
        {
            return Ok(false);
        }
        // Another collector may have known of it before, or have been luckier since.
        let name = destination.to_string();
        let remembered = self.core.recall::<Failing>(MemoKind::Failing, &name).await?.value;
        let since_ms = match remembered {
            Some(Failing { since_ms }) => since_ms,
            None => {
                self.remember(destination, Some(&Failing { since_ms: now_ms })).await?;
                now_ms
            }
        };
        let fails = Standing::FailsSince(since_ms);
        self.known.change(destination, |receiver| receiver.standing = fails);
        Ok(now_ms - since_ms >= GIVE_UP_MS)
    }

    /// Forgets a receiver that nothing is delivered to any more.
    ///
    /// # Errors
    /// The store's.
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
        // Where another collector changed it meanwhile, the next attempt corrects it.
        self.core.remember(MemoKind::Failing, &name, was, failing).await.map(drop)
    }
}

impl Receiver {
    fn is_held(&self, now_ms: i64) -> bool {
        is_ahead(self.hold_until_ms, DAY_MS, now_ms)
    }
}

impl Known {
    fn is_held(&self, destination: &DestinationId, now_ms: i64) -> bool {
        self.lock().get(destination).is_some_and(|receiver| receiver.is_held(now_ms))
    }

    fn slow_down(&self, destination: &DestinationId, now_ms: i64, until_ms: Option<i64>) -> i64 {
        self.change(destination, |receiver| {
            let mut wait_ms = 0;
            // Attempts that are under way at the same time get the same answer, and count once.
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
        let receivers = Known::default();
        let (a, b, c) = ("a".into(), "b".into(), "c".into());
        let mut now_ms = 1_000;
        let mut check = |asked_ms: Option<i64>, expected: i64| {
            let asked = asked_ms.map(|asked_ms| now_ms + asked_ms);
            assert_eq!(receivers.slow_down(&a, now_ms, asked) - now_ms, expected);
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
        // A clock that was years ahead and is put right keeps nobody waiting.
        let year_ms = 365 * DAY_MS;
        assert_eq!(receivers.slow_down(&c, year_ms, None), year_ms + 10_000);
        assert!(receivers.is_held(&c, year_ms) && !receivers.is_held(&c, 0));
        assert_eq!(receivers.slow_down(&c, 0, None), 20_000);
    }
}
