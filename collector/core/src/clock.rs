//! The clock and the random number generator that services use. Tests can move time instead of
//! waiting, and a demo with the same seed always produces the same data.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that returns Unix milliseconds. Clones share its state.
#[derive(Clone, Debug)]
pub struct Clock {
    /// If set, `ms` is an offset to the system time; otherwise `ms` is the time itself.
    runs: bool,
    ms: Arc<AtomicI64>,
}

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self { runs: true, ms: Arc::default() }
    }

    /// A clock that stands still until it is moved.
    pub fn fixed(at_ms: i64) -> Self {
        Self { runs: false, ms: Arc::new(AtomicI64::new(at_ms)) }
    }

    /// Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let ms = self.ms.load(Ordering::SeqCst);
        if !self.runs {
            return ms;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that reads the system clock"
        )]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(ms)
    }

    /// Moves this clock and all its clones.
    pub fn advance_ms(&self, by_ms: i64) {
        self.ms.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// Sets a fixed clock.
    pub fn set_ms(&self, at_ms: i64) {
        self.advance_ms(at_ms - self.now_ms());
    }
}

/// The largest difference expected between the clocks of two machines, in milliseconds.
pub const CLOCKS_DIFFER_MS: i64 = 300_000;

/// Whether a time that was set at most `longest_ms` in advance is still in the future.
///
/// A time further ahead was set by a clock that has since been corrected. Waiting for it could take
/// years, so it counts as past.
pub fn is_ahead(at_ms: i64, longest_ms: i64, now_ms: i64) -> bool {
    at_ms > now_ms && at_ms.saturating_sub(now_ms) <= longest_ms.saturating_add(CLOCKS_DIFFER_MS)
}

/// A source of random bytes for ids.
#[derive(Debug, Default)]
pub struct Random(Option<Mutex<ChaCha8Rng>>);

impl Random {
    /// Uses the operating system's random numbers.
    pub fn system() -> Self {
        Self(None)
    }

    /// Returns the same bytes for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    /// Returns `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        use rand::Rng;
        let mut bytes = [0; N];
        match &self.0 {
            None => rand::rng().fill_bytes(&mut bytes),
            Some(seeded) => {
                seeded.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_nothing_sets_is_past() {
        let check = |at_ms, now_ms, expected| {
            assert_eq!(is_ahead(at_ms, 1_000, now_ms), expected, "{at_ms} {now_ms}");
        };
        check(10_000, 9_999, true);
        check(10_000, 10_000, false);
        check(10_000, 9_000 - CLOCKS_DIFFER_MS, true);
        check(10_000, 8_999 - CLOCKS_DIFFER_MS, false);
        check(i64::MAX, i64::MIN, false);
    }
}
