//! A CRM's rate limit: a token bucket, and times before which no calls or no new work may start.

use clew_core::is_ahead;
use shared::limits::DAY_MS;
use std::sync::{Mutex, PoisonError};

/// The rate limit of one connection. Times are arguments, in Unix milliseconds.
#[derive(Debug)]
pub struct Throttle {
    /// The number of calls that may be made at once.
    burst: f64,
    /// Calls per millisecond.
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
    /// Allows `calls` calls in `per_ms` milliseconds.
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

    /// How many calls new work may make now.
    pub fn free(&self, now_ms: i64) -> u32 {
        let state = self.at(now_ms);
        let begins_ms = state.held_until_ms.max(state.rests_until_ms);
        if now_ms < begins_ms { 0 } else { state.tokens.max(0.0) as u32 }
    }

    /// Whether fewer than half of the calls are left.
    pub fn is_low(&self, now_ms: i64) -> bool {
        f64::from(self.free(now_ms)) < self.burst / 2.0
    }

    /// Takes one call from the bucket.
    ///
    /// # Errors
    /// The time of the next allowed call.
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

    /// Allows no calls before a time. An earlier call with a later time stays in force.
    pub fn hold(&self, until_ms: i64) {
        let mut state = self.lock();
        state.held_until_ms = state.held_until_ms.max(until_ms);
    }

    /// Lets no new work begin before a time, because calls are running low. Work that has begun
    /// continues: if it were interrupted, it would start over and cost more calls.
    pub fn rest(&self, until_ms: i64) {
        let mut state = self.lock();
        state.rests_until_ms = state.rests_until_ms.max(until_ms);
    }

    fn at(&self, now_ms: i64) -> State {
        let mut state = self.lock();
        // A time that a wrong clock set too far ahead is ignored. A vendor's limit ends within a
        // day.
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
        // A clock that is set back neither adds nor removes calls.
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
