//! When the next batch is sent: soon after an event, at once if it matters, and less and less often
//! while the collector cannot be reached.

/// A time that never comes.
pub(crate) const NEVER: i64 = i64::MAX;
/// How long an event waits for others to join its batch.
const GATHER_MS: i64 = 1_000;
/// The waits after the first failures, and after all later ones.
const RETRY_MS: [i64; 3] = [5_000, 30_000, 120_000];
const LATER_RETRY_MS: i64 = 300_000;
/// The longest `Retry-After` that is honoured, in seconds.
const MOST_RETRY_AFTER: u32 = 3_600;

/// What a response means for the batch's events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Stored, or already known to the collector.
    Accepted,
    /// Can never be stored; sending again would fail again.
    Refused,
    /// Not received, or refused for now.
    Failed,
}

impl Verdict {
    /// Classifies an HTTP status; 0 is a request without a response.
    pub(crate) fn of(status: u32) -> Self {
        match status {
            200..=299 => Self::Accepted,
            400 | 403 | 404 | 413 | 422 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// The sending times.
#[derive(Debug)]
pub(crate) struct Schedule {
    wanted_at: i64,
    hold_until: i64,
    /// Until when the collector asked the tracker to wait; `hold_until` is never earlier.
    retry_at: i64,
    failures: usize,
    batches: u32,
}

impl Schedule {
    /// Starts with nothing to send.
    pub(crate) fn new() -> Self {
        Self { wanted_at: NEVER, hold_until: 0, retry_at: 0, failures: 0, batches: 0 }
    }

    /// Schedules a batch that may wait for more events.
    pub(crate) fn soon(&mut self, now: i64) {
        self.wanted_at = self.wanted_at.min(now + GATHER_MS);
    }

    /// Schedules a batch for now.
    pub(crate) fn at_once(&mut self, now: i64) {
        self.wanted_at = self.wanted_at.min(now);
    }

    /// When the next batch is due.
    pub(crate) fn due_at(&self) -> i64 {
        if self.wanted_at == NEVER { NEVER } else { self.wanted_at.max(self.hold_until) }
    }

    /// The number of the batch that is sent now.
    pub(crate) fn next_batch(&mut self) -> u32 {
        self.wanted_at = NEVER;
        self.batches += 1;
        self.batches
    }

    /// Records the result of a batch. `retry_after` is the wait that the collector asked for, in
    /// seconds.
    pub(crate) fn answered(&mut self, now: i64, verdict: Verdict, retry_after: u32) {
        self.retry_at = 0;
        if verdict == Verdict::Failed {
            let wait = RETRY_MS.get(self.failures).copied().unwrap_or(LATER_RETRY_MS);
            self.failures += 1;
            self.retry_at = now + i64::from(retry_after.min(MOST_RETRY_AFTER)) * 1_000;
            self.hold_until = self.retry_at.max(now + wait);
        } else {
            self.reachable();
        }
    }

    /// The collector can be reached, or is worth another try.
    pub(crate) fn reachable(&mut self) {
        self.failures = 0;
        self.hold_until = self.retry_at;
    }

    /// Whether the collector asked to wait longer, even if the page goes away.
    pub(crate) fn must_wait(&self, now: i64) -> bool {
        now < self.retry_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let check = |statuses: &[u32], expected: Verdict| {
            statuses
                .iter()
                .for_each(|status| assert_eq!(Verdict::of(*status), expected, "{status}"));
        };
        check(&[200, 202, 204], Verdict::Accepted);
        check(&[400, 403, 404, 413, 422], Verdict::Refused);
        check(&[0, 302, 401, 408, 429, 500, 502, 503], Verdict::Failed);
    }

    #[test]
    fn retries_come_later_and_later() {
        let mut schedule = Schedule::new();
        let mut waits = std::vec::Vec::new();
        for _ in 0..6 {
            schedule.next_batch();
            schedule.answered(1_000, Verdict::Failed, 0);
            schedule.at_once(1_000);
            waits.push((schedule.due_at() - 1_000) / 1_000);
        }
        assert_eq!(waits, [5, 30, 120, 300, 300, 300]);
        schedule.answered(1_000, Verdict::Refused, 0);
        assert_eq!(schedule.due_at(), 1_000, "an answer of any kind shows that it can be reached");
    }

    #[test]
    fn retries_wait_as_long_as_the_collector_asks() {
        // The results, the last one's Retry-After, the seconds to the next try, and the same if the
        // network comes back before.
        let check = |verdicts: &[Verdict], retry_after: u32, expected: [i64; 2]| {
            let mut schedule = Schedule::new();
            for verdict in verdicts {
                schedule.answered(1_000, *verdict, retry_after);
            }
            schedule.at_once(1_000);
            let waits = |schedule: &Schedule| (schedule.due_at() - 1_000) / 1_000;
            let before = waits(&schedule);
            schedule.reachable();
            let seen = (verdicts, retry_after);
            assert_eq!([before, waits(&schedule)], expected, "{seen:?}");
            let retry_at = 1_000 * (1 + expected[1]);
            assert!(schedule.must_wait(retry_at - 1) || expected[1] == 0, "{seen:?}");
            assert!(!schedule.must_wait(retry_at), "{seen:?}");
        };
        use Verdict::{Accepted, Failed};
        check(&[Failed], 0, [5, 0]);
        check(&[Failed], 1, [5, 1]);
        check(&[Failed], 60, [60, 60]);
        check(&[Failed, Failed], 10, [30, 10]);
        check(&[Failed], 3_600, [3_600, 3_600]);
        check(&[Failed], 86_400, [3_600, 3_600]);
        check(&[Failed], u32::MAX, [3_600, 3_600]);
        check(&[Failed, Accepted], 60, [0, 0]);
    }

    #[test]
    fn events_gather() {
        let mut schedule = Schedule::new();
        assert_eq!(schedule.due_at(), NEVER);
        schedule.soon(10);
        schedule.soon(500);
        assert_eq!(schedule.due_at(), 1_010);
        schedule.at_once(600);
        assert_eq!(schedule.due_at(), 600);
        assert_eq!((schedule.next_batch(), schedule.next_batch()), (1, 2));
        assert_eq!(schedule.due_at(), NEVER);
    }
}
