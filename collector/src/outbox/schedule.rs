//! When a delivery is tried again.

use super::client::Attempt;
use crate::store::Settlement;
use shared::limits;

/// What an attempt means for the delivery. `attempts` counts this one; `jitter` is 0 to 1 and adds
/// up to a tenth to the wait, so that deliveries that failed together do not return together.
pub(super) fn settlement(
    attempt: &Attempt,
    attempts: u32,
    retry_seconds: &[u32],
    now_ms: i64,
    jitter: f64,
) -> Settlement {
    let (error, not_before_ms) = match attempt {
        Attempt::Accepted => return Settlement::Sent { at_ms: now_ms },
        Attempt::Hopeless(error) => {
            return Settlement::Dead { at_ms: now_ms, error: error.clone() };
        }
        Attempt::PutOff { until_ms, reason } => {
            let at_ms = (*until_ms).clamp(now_ms, now_ms + limits::DAY_MS);
            return Settlement::Wait { at_ms, reason: reason.clone() };
        }
        Attempt::Failed { error, not_before_ms } => (
            error.clone(),
            not_before_ms.map_or(now_ms, |at_ms| at_ms.min(now_ms + limits::DAY_MS)),
        ),
    };
    let Some(wait) = retry_seconds.get(attempts.saturating_sub(1) as usize) else {
        return Settlement::Dead { at_ms: now_ms, error };
    };
    let wait_ms = i64::from(*wait) * 1000;
    let jitter_ms = (wait_ms as f64 * 0.1 * jitter) as i64;
    Settlement::Retry { at_ms: (now_ms + wait_ms + jitter_ms).max(not_before_ms), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attempt: &Attempt, attempts: u32, jitter: f64, expected: &str) {
        let settled = match settlement(attempt, attempts, &[5, 300], 1_000, jitter) {
            Settlement::Sent { at_ms } => format!("sent {at_ms}"),
            Settlement::Retry { at_ms, .. } => format!("retry {at_ms}"),
            Settlement::Wait { at_ms, reason } => format!("wait {at_ms} {reason}"),
            Settlement::Dead { at_ms, error } => format!("dead {at_ms} {error}"),
        };
        assert_eq!(settled, expected);
    }

    #[test]
    fn the_schedule() {
        let failed = |not_before_ms| Attempt::Failed { error: "500".into(), not_before_ms };
        let put_off = |until_ms| Attempt::PutOff { until_ms, reason: "429".into() };
        check(&Attempt::Accepted, 1, 0.0, "sent 1000");
        check(&failed(None), 1, 0.0, "retry 6000");
        check(&failed(None), 1, 1.0, "retry 6500");
        check(&failed(None), 2, 0.0, "retry 301000");
        check(&failed(None), 3, 0.0, "dead 1000 500");
        check(&failed(Some(61_000)), 1, 1.0, "retry 61000");
        check(&failed(Some(i64::MAX)), 1, 0.0, "retry 86401000");
        check(&failed(Some(2_000)), 2, 0.0, "retry 301000");
        check(&put_off(61_000), 9, 1.0, "wait 61000 429");
        check(&put_off(i64::MAX), 1, 0.0, "wait 86401000 429");
        check(&put_off(0), 1, 0.0, "wait 1000 429");
        check(&Attempt::Hopeless("gone".into()), 1, 0.0, "dead 1000 gone");
    }
}
