//! A rate limit per key: GCRA on this program's clock.

use clew_core::Clock;
use governor::clock::{Clock as _, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// From this many keys on, those with a full allowance are forgotten, at most once a second.
const SWEPT_KEYS: usize = 10_000;
const SWEPT_MS: i64 = 1_000;
/// From this many keys on, it is an attack.
const MANY_KEYS: usize = 200_000;

/// The program's clock, adapted to the crate `governor`.
#[derive(Clone)]
pub(super) struct Steady(Clock);

impl Steady {
    pub(super) fn of(clock: &Clock) -> Self {
        Self(clock.clone())
    }
}

impl governor::clock::Clock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or_default()).into()
    }
}

type Keys = HashMapStateStore<u64>;

/// A rate limit per key: a number of units per period, and a burst.
pub(super) struct Rate {
    limiter: RateLimiter<u64, Keys, Steady, NoOpMiddleware<Nanos>>,
    burst: NonZeroU32,
    clock: Steady,
    swept_ms: AtomicI64,
}

impl Rate {
    /// Creates a rate of `count` per period; `None` if `count` or `burst` is 0, which means no
    /// limit.
    pub(super) fn new(count: u32, period_s: u32, burst: u32, clock: Steady) -> Option<Self> {
        let (count, burst) = (NonZeroU32::new(count)?, NonZeroU32::new(burst)?);
        let quota = Quota::with_period(Duration::from_secs(period_s.into()) / count.get())?;
        let quota = quota.allow_burst(burst);
        let limiter = RateLimiter::new(quota, Keys::default(), clock.clone());
        Some(Self { limiter, burst, clock, swept_ms: AtomicI64::new(i64::MIN) })
    }

    /// Takes `count` units of a key's allowance, or none.
    ///
    /// # Errors
    /// If the allowance is too small: the seconds until it suffices.
    pub(super) fn take(&self, key: u64, count: u32) -> Result<(), u64> {
        self.sweep();
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN).min(self.burst);
        match self.limiter.check_key_n(&key, count) {
            Ok(Ok(())) | Err(_) => Ok(()),
            Ok(Err(until)) => {
                let wait: Duration =
                    until.earliest_possible().duration_since(self.clock.now()).into();
                Err(wait.as_secs() + 1)
            }
        }
    }

    /// Whether there is room for more keys.
    pub(super) fn is_small(&self) -> bool {
        self.keys() < MANY_KEYS
    }

    /// The number of keys in memory.
    pub(super) fn keys(&self) -> usize {
        self.limiter.len()
    }

    fn sweep(&self) {
        if self.keys() < SWEPT_KEYS {
            return;
        }
        let now_ms = self.clock.0.now_ms();
        let swept_ms = self.swept_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(swept_ms) >= SWEPT_MS {
            self.swept_ms.store(now_ms, Ordering::Relaxed);
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}
