//! Rate-limits log lines that strangers can cause: everything is counted, and at most one line a
//! minute is logged.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How long no further line is logged after one.
const SILENCE_MS: i64 = 60_000;

/// One kind of event: the first is logged at once, later ones once a minute with their number.
#[derive(Debug)]
pub struct Quiet {
    logged_ms: AtomicI64,
    unlogged: AtomicU64,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { logged_ms: AtomicI64::new(i64::MIN), unlogged: AtomicU64::new(0) }
    }
}

impl Quiet {
    /// Counts one more. If a log line is due, returns the number since the last line.
    pub fn note(&self, now_ms: i64) -> Option<u64> {
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        let logged_ms = self.logged_ms.load(Ordering::Relaxed);
        // If the clock was set back, logging continues.
        if (0..SILENCE_MS).contains(&now_ms.saturating_sub(logged_ms)) {
            return None;
        }
        // Of several concurrent callers, one logs.
        let (order, relaxed) = (Ordering::Relaxed, Ordering::Relaxed);
        self.logged_ms.compare_exchange(logged_ms, now_ms, order, relaxed).ok()?;
        Some(self.unlogged.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_with_the_number_since_the_last() {
        let quiet = Quiet::default();
        for (now_ms, expected) in [
            (1_000, Some(1)),
            (1_000, None),
            (60_999, None),
            (61_000, Some(3)),
            (61_001, None),
            (500_000, Some(2)),
            // The clock was set back.
            (3_000, Some(1)),
            (62_999, None),
            (63_000, Some(2)),
        ] {
            assert_eq!(quiet.note(now_ms), expected, "{now_ms}");
        }
    }

    #[test]
    fn many_threads_cause_one_line() {
        let (quiet, lines) = (Quiet::default(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let noted = (0..1_000).filter(|_| quiet.note(5).is_some()).count();
                    lines.fetch_add(noted as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(lines.into_inner(), 1);
        let rest = quiet.note(5 + SILENCE_MS).unwrap();
        assert!(rest <= 4_000, "{rest}");
    }
}
