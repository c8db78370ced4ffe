//! How the receivers of webhooks do: which one is to be left alone for a moment, which takes nothing any
//! more, and which has taken nothing for so long that it is not tried again.
//!
//! The moment is a matter of this collector alone. Since when somebody only fails is remembered in the
//! store, so that no restart makes it younger, and another collector's success ends it.

use crate::app::App;
use crate::crm::pause::Pause;
use crate::store::{MemoChange, MemoKind, StoreError};
use crate::subscription;
use serde::{Deserialize, Serialize};
use shared::limits::DAY_MS;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Who took nothing for so long is not tried any more.
const GIVE_UP_MS: i64 = 5 * DAY_MS;
/// How often it is looked whether another collector remembers a failure of one that takes all.
const LOOK_MS: i64 = 3_600_000;
/// The first wait for one that is too busy and does not say for how long; each further one is twice as
/// long,
const SLOW_MS: i64 = 5_000;
/// up to so much.
const SLOWEST_MS: i64 = 300_000;

/// What is known of the receivers, by the destinations' names.
#[derive(Default)]
pub struct Receivers(Mutex<HashMap<String, Receiver>>);

#[derive(Clone, Copy, Default)]
struct Receiver {
    /// How often it was too busy, since it last took anything.
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
    /// It took something, and nobody remembers a failure: as was seen at this time.
    Takes {
        seen_at_ms: i64,
    },
    FailsSince(i64),
}

#[derive(Deserialize, Serialize)]
struct Failing {
    since_ms: i64,
}

impl Receivers {
    /// Whether one is to be left alone now.
    pub(super) fn is_held(&self, name: &str, now_ms: i64) -> bool {
        self.lock().get(name).is_some_and(|receiver| receiver.hold_until_ms > now_ms)
    }

    /// Leaves one alone until it says, or for a while; until when, Unix milliseconds.
    pub(super) fn slow_down(&self, name: &str, now_ms: i64, until_ms: Option<i64>) -> i64 {
        self.change(name, |receiver| {
            let mut wait_ms = 0;
            // What is under way at the same time is told the same, and is one time.
            if receiver.hold_until_ms <= now_ms {
                wait_ms = SLOW_MS.saturating_mul(1 << receiver.slow.min(16)).min(SLOWEST_MS);
                receiver.slow = receiver.slow.saturating_add(1);
            }
            let until_ms = until_ms.unwrap_or(now_ms + wait_ms).min(now_ms + DAY_MS);
            receiver.hold_until_ms = receiver.hold_until_ms.max(until_ms);
            receiver.hold_until_ms
        })
    }

    /// Notes that one took a webhook.
    pub(super) async fn took(&self, app: &App, name: &str) -> Result<(), StoreError> {
        let now_ms = app.clock.now_ms();
        self.change(name, |receiver| receiver.slow = 0);
        let known = self.lock().get(name).copied().unwrap_or_default();
        if let Standing::Takes { seen_at_ms } = known.standing
            && now_ms - seen_at_ms < LOOK_MS
        {
            return Ok(());
        }
        remember(app, name, None).await?;
        self.change(name, |receiver| receiver.standing = Standing::Takes { seen_at_ms: now_ms });
        Ok(())
    }

    /// Notes that one took none; whether that has been so for too long.
    pub(super) async fn failed(&self, app: &App, name: &str) -> Result<bool, StoreError> {
        let now_ms = app.clock.now_ms();
        let known = self.lock().get(name).copied().unwrap_or_default();
        if let Standing::FailsSince(since_ms) = known.standing
            && now_ms - since_ms < GIVE_UP_MS
        {
            return Ok(false);
        }
        // Another collector may have known of it before, or have been luckier since.
        let memo = app.store.memo(MemoKind::Failing, name).await?;
        let remembered = memo.and_then(|memo| serde_json::from_str::<Failing>(&memo.value).ok());
        let since_ms = match remembered {
            Some(Failing { since_ms }) => since_ms,
            None => {
                remember(app, name, Some(&Failing { since_ms: now_ms })).await?;
                now_ms
            }
        };
        self.change(name, |receiver| receiver.standing = Standing::FailsSince(since_ms));
        Ok(now_ms - since_ms >= GIVE_UP_MS)
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Receiver) -> T) -> T {
        change(self.lock().entry(name.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries a destination or subscription no more, until a test of it succeeds; what waits for it waits.
pub(super) async fn stop(app: &App, name: &str, reason: &str) -> Result<(), StoreError> {
    if !subscription::is_id(name) {
        return Pause::begin(app, name, reason.to_owned(), false).await;
    }
    let all = subscription::all(app).await?;
    match all.iter().find(|subscription| subscription.id == name) {
        Some(subscription) => subscription::disable(app, subscription, reason).await,
        None => Ok(()),
    }
}

/// Ends what [`stop`] did.
pub(super) async fn resume(app: &App, name: &str) -> Result<(), StoreError> {
    if !subscription::is_id(name) {
        return match Pause::of(app, name).await? {
            Some(_) => Pause::end(app, name).await,
            None => Ok(()),
        };
    }
    let all = subscription::all(app).await?;
    match all.iter().find(|subscription| subscription.id == name) {
        Some(subscription) => subscription::enable(app, subscription).await,
        None => Ok(()),
    }
}

/// Forgets what was remembered of a subscription that is no more.
///
/// # Errors
/// The store's.
pub async fn forget(app: &App, name: &str) -> Result<(), StoreError> {
    app.receivers.lock().remove(name);
    remember(app, name, None).await
}

async fn remember(app: &App, name: &str, failing: Option<&Failing>) -> Result<(), StoreError> {
    let was = app.store.memo(MemoKind::Failing, name).await?.map(|memo| memo.stamp);
    if was.is_none() && failing.is_none() {
        return Ok(());
    }
    let stamps = (was, u64::from_be_bytes(app.dice.roll()));
    let change = MemoChange::new(MemoKind::Failing, name, stamps, failing)?;
    // Where another collector changed it meanwhile, the next attempt sees to it.
    app.store.change_memo(change).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_what_is_told_counts() {
        let receivers = Receivers::default();
        let mut now_ms = 1_000;
        let mut check = |told_ms: Option<i64>, expected: i64| {
            let told = told_ms.map(|told_ms| now_ms + told_ms);
            assert_eq!(receivers.slow_down("a", now_ms, told) - now_ms, expected);
            assert!(receivers.is_held("a", now_ms) && !receivers.is_held("b", now_ms));
            now_ms += expected;
            assert!(!receivers.is_held("a", now_ms));
        };
        check(None, 5_000);
        check(None, 10_000);
        check(Some(90_000), 90_000);
        check(None, 40_000);
        check(Some(i64::MAX / 2), DAY_MS);
        for _ in 0..9 {
            let until_ms = receivers.slow_down("c", 0, None);
            assert_eq!(until_ms, receivers.slow_down("c", 0, None), "at the same time");
        }
        (0..30).for_each(|_| check(Some(1), 1));
        check(None, SLOWEST_MS);
    }
}
