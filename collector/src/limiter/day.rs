//! What a site has sent in a day.

use crate::config::RatesConfig;
use shared::limits::DAY_MS;

/// The sums of one day (UTC).
#[derive(Default)]
pub(super) struct Day {
    number: i64,
    events: u64,
    bytes: u64,
    is_warned: bool,
}

impl Day {
    /// Whether the day's limits allow this much more.
    pub(super) fn has_room(
        &self,
        limits: &RatesConfig,
        now_ms: i64,
        events: u64,
        bytes: u64,
    ) -> bool {
        let is_today = self.number == now_ms.div_euclid(DAY_MS);
        let (of_events, of_bytes) = if is_today { (self.events, self.bytes) } else { (0, 0) };
        let within = |sum: u64, limit: u64| limit == 0 || sum <= limit;
        within(of_events + events, limits.site_events_per_day)
            && within(of_bytes + bytes, limits.site_mib_per_day << 20)
    }

    /// Adds to the sums; returns whether to warn, once a day.
    pub(super) fn spend(
        &mut self,
        limits: &RatesConfig,
        now_ms: i64,
        events: u64,
        bytes: u64,
    ) -> bool {
        let number = now_ms.div_euclid(DAY_MS);
        if self.number != number {
            *self = Self { number, ..Self::default() };
        }
        self.events += events;
        self.bytes += bytes;
        let is_much = |sum: u64, limit: u64| limit > 0 && sum > limit / 5 * 4;
        let is_near = is_much(self.events, limits.site_events_per_day)
            || is_much(self.bytes, limits.site_mib_per_day << 20);
        let warns = is_near && !self.is_warned;
        self.is_warned |= is_near;
        warns
    }
}
