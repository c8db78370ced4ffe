//! How many calls a CRM allows: a bucket of tokens, and a time before which nothing may be asked.

use clew_core::is_ahead;
use shared::limits::DAY_MS;
use std::sync::{Mutex, PoisonError};

/// The calls of one connection. Time is an argument, Unix milliseconds.
#[derive(Debug)]
pub struct Throttle {
    /// Calls that may be made at once.
    burst: f64,
    /// Calls a millisecond.
    rate: f64,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    tokens: f64,
    counted_at_ms: i64,
    held_until_ms: i64,
    rests_until_ms: i64,
}

impl Throttle {
    /// So many calls in so many milliseconds.
    pub fn new(calls: u32, per_ms: u32) -> Self {
        let burst = f64::from(calls.max(1));
        let rate = burst / f64::from(per_ms.max(1));
        let state = State {
            tokens: burst,
            counted_at_ms: i64::MIN,
            held_until_ms: i64::MIN,
            rests_until_ms: i64::MIN,
        };
        Self { burst, rate, state: Mutex::new(state) }
    }

    /// How many calls may be made now by work that has not begun.
    pub fn free(&self, now_ms: i64) -> u32 {
        let state = self.at(now_ms);
        let begins_ms = state.held_until_ms.max(state.rests_until_ms);
        if now_ms < begins_ms { 0 } else { state.tokens.max(0.0) as u32 }
    }

    /// Whether less than half of the calls is left.
    pub fn is_low(&self, now_ms: i64) -> bool {
        f64::from(self.free(now_ms)) < self.burst / 2.0
    }

    /// Takes one call.
    ///
    /// # Errors
    /// When the next one may be made.
    pub fn take(&self, now_ms: i64) -> Result<(), i64> {
        let state = self.at(now_ms);
        if now_ms < state.held_until_ms {
            return Err(state.held_until_ms);
        }
        if state.tokens < 1.0 {
            return Err(now_ms + ((1.0 - state.tokens) / self.rate).ceil() as i64);
        }
        self.lock().tokens -= 1.0;
        Ok(())
    }

    /// Allows nothing before a time; a later one that was said before stands.
    pub fn hold(&self, until_ms: i64) {
        let mut state = self.lock();
        state.held_until_ms = state.held_until_ms.max(until_ms);
    }

    /// Lets no work begin before a time, because calls run low. What has begun goes on: refused in the
    /// middle, it would be done again from its beginning, and cost more.
    pub fn rest(&self, until_ms: i64) {
        let mut state = self.lock();
        state.rests_until_ms = state.rests_until_ms.max(until_ms);
    }

    fn at(&self, now_ms: i64) -> State {
        let mut state = self.lock();
        // What a clock set that was ahead holds up nothing; a vendor's limit ends within a day.
        let sound = |until_ms| if is_ahead(until_ms, DAY_MS, now_ms) { until_ms } else { i64::MIN };
        state.held_until_ms = sound(state.held_until_ms);
        state.rests_until_ms = sound(state.rests_until_ms);
        let passed_ms = now_ms.saturating_sub(state.counted_at_ms).max(0);
        state.tokens = (state.tokens + passed_ms as f64 * self.rate).min(self.burst);
        state.counted_at_ms = now_ms;
        *state
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_calls_is_left() {
        let throttle = Throttle::new(10, 1_000);
        (0..6).for_each(|_| assert_eq!(throttle.take(0), Ok(())));
        assert_eq!((throttle.is_low(99), throttle.is_low(100)), (true, false));
    }

    #[test]
    fn calls_come_back_as_time_passes() {
        let throttle = Throttle::new(10, 1_000);
        assert_eq!(throttle.free(0), 10);
        for _ in 0..10 {
            assert_eq!(throttle.take(0), Ok(()));
        }
        assert_eq!(throttle.take(0), Err(100));
        assert_eq!((throttle.free(99), throttle.free(100), throttle.free(550)), (0, 1, 5));
        assert_eq!(throttle.free(60_000), 10);
        // A clock that was put back neither gives nor takes.
        assert_eq!(throttle.free(0), 10);
        throttle.hold(70_000);
        throttle.hold(65_000);
        assert_eq!((throttle.free(69_999), throttle.take(69_999)), (0, Err(70_000)));
        assert_eq!(throttle.take(70_000), Ok(()));
        throttle.rest(75_000);
        assert_eq!((throttle.free(74_999), throttle.take(74_999)), (0, Ok(())));
        assert_eq!(throttle.free(75_000), 9);
        throttle.hold(400 * DAY_MS);
        assert_eq!((throttle.free(398 * DAY_MS), throttle.free(399 * DAY_MS)), (10, 10));
    }
}
