//! Measures one page view: how long it was read, and how far.
//!
//! A millisecond counts while the page is focused and the last input is less than 30 seconds old.
//! Totals only grow and are always reported whole, so a lost or repeated report does no harm.

use shared::limits;

/// Attention ends after this long without input.
const IDLE_MS: i64 = 30_000;
const MINUTE_MS: i64 = 60_000;

/// The running totals of one page view.
#[derive(Debug)]
pub(crate) struct Ledger {
    engaged_ms: i64,
    seen_pct: u8,
    attentive: bool,
    counted_to: i64,
    engaged_until: i64,
    last_input: i64,
    reported_ms: i64,
    reported_pct: u8,
}

impl Ledger {
    /// Starts with a page that was just opened; opening it counts as input.
    pub(crate) fn new(now: i64, attentive: bool) -> Self {
        Self {
            engaged_ms: 0,
            seen_pct: 0,
            attentive,
            counted_to: now,
            engaged_until: now,
            last_input: now,
            reported_ms: 0,
            reported_pct: 0,
        }
    }

    /// Counts time up to `now`. A clock set back, or a computer that slept, adds nothing.
    pub(crate) fn advance(&mut self, now: i64) {
        self.last_input = self.last_input.min(now);
        if self.attentive {
            let end = now.min(self.last_input + IDLE_MS);
            if end > self.counted_to {
                self.engaged_ms += end - self.counted_to;
                self.engaged_until = end;
            }
            self.engaged_ms = self.engaged_ms.min(limits::ENGAGED_MS);
        }
        self.counted_to = now;
    }

    /// Records input. Call [`Self::advance`] first.
    pub(crate) fn input(&mut self, now: i64) {
        self.last_input = now;
    }

    /// Records that the page gained or lost attention; gaining it counts as input.
    pub(crate) fn attend(&mut self, now: i64, attentive: bool) {
        if attentive && !self.attentive {
            self.input(now);
        }
        self.attentive = attentive;
    }

    /// Records how much of the page was seen, in percent.
    pub(crate) fn see(&mut self, pct: u8) {
        self.seen_pct = self.seen_pct.max(pct.min(100));
    }

    /// The last time that counted. A tab may be closed hours after it was last read; the totals,
    /// and the end of the visit, are as of this time.
    pub(crate) fn engaged_until(&self) -> i64 {
        self.engaged_until.min(self.counted_to)
    }

    /// Whether the totals are due to be reported.
    pub(crate) fn is_due(&self) -> bool {
        self.engaged_ms >= self.next_mark()
    }

    /// When the next report will be due if nothing changes; `None` if attention ends before.
    pub(crate) fn due_at(&self, now: i64) -> Option<i64> {
        let at = now + self.next_mark() - self.engaged_ms;
        (self.attentive && at <= self.last_input + IDLE_MS).then_some(at)
    }

    /// The totals, if they have grown since the last report.
    pub(crate) fn report(&mut self) -> Option<(u32, u8)> {
        if self.reported_ms == self.engaged_ms && self.reported_pct == self.seen_pct {
            return None;
        }
        self.reported_ms = self.engaged_ms;
        self.reported_pct = self.seen_pct;
        Some((self.engaged_ms as u32, self.seen_pct))
    }

    /// The engaged time of the next report: early reports soon, later ones once a minute.
    fn next_mark(&self) -> i64 {
        match self.reported_ms {
            ..5_000 => 5_000,
            5_000..15_000 => 15_000,
            15_000..30_000 => 30_000,
            reported => (reported / MINUTE_MS + 1) * MINUTE_MS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events on a page opened at 0, and the expected totals.
    enum Step {
        At(i64),
        Input(i64),
        Attend(i64, bool),
        See(u8),
    }
    use Step::{At, Attend, Input, See};

    fn check(steps: &[Step], expected: Option<(u32, u8)>) {
        let mut ledger = Ledger::new(0, true);
        for step in steps {
            match *step {
                At(now) => ledger.advance(now),
                Input(now) => {
                    ledger.advance(now);
                    ledger.input(now);
                }
                Attend(now, attentive) => {
                    ledger.advance(now);
                    ledger.attend(now, attentive);
                }
                See(pct) => ledger.see(pct),
            }
        }
        assert_eq!(ledger.report(), expected);
        assert_eq!(ledger.report(), None, "the same totals are not reported twice");
    }

    #[test]
    fn totals() {
        check(&[], None);
        check(&[At(4_000)], Some((4_000, 0)));
        check(&[At(29_999)], Some((29_999, 0)));
        check(&[At(90_000)], Some((30_000, 0)));
        check(&[Input(20_000), At(90_000)], Some((50_000, 0)));
        check(&[Input(40_000), At(50_000)], Some((40_000, 0)));
        check(&[Attend(5_000, false), At(20_000)], Some((5_000, 0)));
        check(&[Attend(5_000, false), Attend(60_000, true), At(70_000)], Some((15_000, 0)));
        check(&[Input(1_000), At(-50_000), At(-40_000)], Some((11_000, 0)));
        check(&[At(1_000), At(9_000_000), At(9_100_000)], Some((30_000, 0)));
        check(&[See(30), See(20), See(101)], Some((0, 100)));
    }

    #[test]
    fn a_day_is_the_most() {
        let mut ledger = Ledger::new(0, true);
        for minute in 0..3_000 {
            ledger.advance(minute * 20_000);
            ledger.input(minute * 20_000);
        }
        assert_eq!(ledger.report(), Some((59_980_000, 0)));
        for minute in 3_000..9_000 {
            ledger.advance(minute * 20_000);
            ledger.input(minute * 20_000);
        }
        assert_eq!(ledger.report(), Some((86_400_000, 0)));
    }

    #[test]
    fn a_tab_left_open_was_read_until_it_was_left() {
        let mut ledger = Ledger::new(0, true);
        ledger.advance(5_000);
        ledger.input(5_000);
        assert_eq!(ledger.engaged_until(), 5_000);
        ledger.advance(8 * 60 * MINUTE_MS);
        assert_eq!((ledger.engaged_until(), ledger.report()), (35_000, Some((35_000, 0))));
        ledger.advance(1_000);
        assert_eq!(ledger.engaged_until(), 1_000, "the clock was set back");
    }

    #[test]
    fn marks() {
        let mut ledger = Ledger::new(0, true);
        let mut marks = std::vec::Vec::new();
        for second in 0..200 {
            ledger.advance(second * 1_000);
            ledger.input(second * 1_000);
            if ledger.is_due() {
                marks.push(ledger.report().expect("a mark is a change").0 / 1_000);
            }
        }
        assert_eq!(marks, [5, 15, 30, 60, 120, 180]);
    }

    #[test]
    fn no_timer_runs_while_nobody_reads() {
        let check = |attentive: bool, at: i64, expected: Option<i64>| {
            let mut ledger = Ledger::new(0, attentive);
            ledger.advance(at);
            ledger.report();
            assert_eq!(ledger.due_at(at), expected, "{attentive} {at}");
        };
        check(true, 0, Some(5_000));
        check(true, 2_000, Some(5_000));
        check(false, 0, None);
        check(true, 16_000, Some(30_000));
        check(true, 20_000, Some(30_000));
        check(true, 31_000, None);
    }
}
