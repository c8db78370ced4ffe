//! The schedule: when a delivery is attempted again.

use super::target::Attempt;
use crate::config::DeliveryConfig;
use clew_core::clock::CLOCKS_DIFFER_MS;
use clew_store::{Latest, Settlement};
use shared::limits;

/// The settlement that follows from an attempt. `attempts` includes this one; `until_ms` is what
/// [`Target::after_attempt`](super::target::Target::after_attempt) returned; `jitter` is between 0
/// and 1 and adds up to 10 % to the wait, so that deliveries that failed together are not retried
/// together.
pub(super) fn settlement(
    attempt: Attempt,
    until_ms: Option<i64>,
    attempts: u32,
    retry_seconds: &[u32],
    now_ms: i64,
    jitter: f64,
) -> Settlement {
    let at_ms = until_ms.unwrap_or(now_ms).clamp(now_ms, now_ms + limits::DAY_MS);
    let error = match attempt {
        Attempt::Accepted => return Settlement::Sent { at_ms: now_ms },
        Attempt::Hopeless(error) => return Settlement::Dead { at_ms: now_ms, error },
        Attempt::Busy { reason, .. } | Attempt::Refused(reason) => {
            return Settlement::Wait { at_ms, reason };
        }
        Attempt::Failed { error, .. } => error,
    };
    let Some(wait) = retry_seconds.get(attempts.saturating_sub(1) as usize) else {
        return Settlement::Dead { at_ms: now_ms, error };
    };
    let wait_ms = i64::from(*wait) * 1000;
    let jitter_ms = (wait_ms as f64 * 0.1 * jitter) as i64;
    Settlement::Retry { at_ms: (now_ms + wait_ms + jitter_ms).max(at_ms), error }
}

/// The latest times at which a delivery can be due, and until which it can be leased, as of now.
pub(super) fn latest(delivery: &DeliveryConfig, longest_lease_ms: i64, now_ms: i64) -> Latest {
    let waits = delivery.retry_seconds.iter().chain([&delivery.settle_seconds]);
    let longest_ms = waits.map(|seconds| i64::from(*seconds) * 1000).max().unwrap_or_default();
    // Including jitter; a target can ask for a wait of at most a day.
    let longest_ms = (longest_ms + longest_ms / 10).max(limits::DAY_MS);
    let in_all = |wait_ms: i64| now_ms.saturating_add(wait_ms).saturating_add(CLOCKS_DIFFER_MS);
    Latest { due_ms: in_all(longest_ms), lease_ms: in_all(longest_lease_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attempt: &Attempt, until_ms: Option<i64>, attempts: u32, jitter: f64, expected: &str) {
        let settled = settlement(attempt.clone(), until_ms, attempts, &[5, 300], 1_000, jitter);
        let settled = match settled {
            Settlement::Sent { at_ms } => format!("sent {at_ms}"),
            Settlement::Retry { at_ms, .. } => format!("retry {at_ms}"),
            Settlement::Wait { at_ms, reason } => format!("wait {at_ms} {reason}"),
            Settlement::Dead { at_ms, error } => format!("dead {at_ms} {error}"),
        };
        assert_eq!(settled, expected);
    }

    #[test]
    fn nothing_is_due_later_than_the_schedule_says() {
        let check = |retry_seconds: &[u32], settle_seconds, due_ms| {
            let retry_seconds = retry_seconds.to_vec();
            let (timeout_seconds, concurrency) = (15, 24);
            let delivery =
                DeliveryConfig { settle_seconds, retry_seconds, timeout_seconds, concurrency };
            let latest = latest(&delivery, 45_000, 1_000);
            let expected = Latest { due_ms: 301_000 + due_ms, lease_ms: 301_000 + 45_000 };
            assert_eq!(latest, expected);
        };
        check(&[], 10, limits::DAY_MS);
        check(&[5, 100_000], 10, 110_000_000);
        check(&[5], 200_000, 220_000_000);
    }

    #[test]
    fn the_schedule() {
        let error = "500".to_owned();
        let failed = Attempt::Failed { error, not_before_ms: None, overloaded: false };
        let busy = Attempt::Busy { until_ms: None, reason: "429".into() };
        check(&Attempt::Accepted, None, 1, 0.0, "sent 1000");
        check(&failed, None, 1, 0.0, "retry 6000");
        check(&failed, None, 1, 1.0, "retry 6500");
        check(&failed, None, 2, 0.0, "retry 301000");
        check(&failed, None, 3, 0.0, "dead 1000 500");
        check(&failed, Some(61_000), 1, 1.0, "retry 61000");
        check(&failed, Some(i64::MAX), 1, 0.0, "retry 86401000");
        check(&failed, Some(2_000), 2, 0.0, "retry 301000");
        check(&busy, Some(61_000), 9, 1.0, "wait 61000 429");
        check(&busy, Some(i64::MAX), 1, 0.0, "wait 86401000 429");
        check(&busy, Some(0), 1, 0.0, "wait 1000 429");
        check(&Attempt::Refused("401".into()), Some(301_000), 1, 0.0, "wait 301000 401");
        check(&Attempt::Hopeless("gone".into()), None, 1, 0.0, "dead 1000 gone");
    }
}
