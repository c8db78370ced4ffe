//! What strangers can cause as often as they like is counted, and logged at most once a minute.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How long a kind stays out of the log after a line.
const SILENCE_MS: i64 = 60_000;

/// One kind of trouble: the first is logged at once, further ones with their number once a minute.
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
    /// Notes one more. Where it is time for a line of the log, returns how many there were since the
    /// last line.
    pub fn note(&self, now_ms: i64) -> Option<u64> {
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        let logged_ms = self.logged_ms.load(Ordering::Relaxed);
        // A clock that was set back does not keep it silent.
        if (0..SILENCE_MS).contains(&now_ms.saturating_sub(logged_ms)) {
            return None;
        }
        // Of several at once, one logs.
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
