//! Rate limits of a token: in ten seconds, in a second (searches), in a day.

use crate::exchange::Answer;
use crate::fault::Limit;
use crate::world::World;
use serde_json::json;
use std::collections::VecDeque;

const DAY_MS: i64 = 86_400_000;

/// The requests that count towards the limits.
#[derive(Default)]
pub(super) struct Limits {
    /// Their times, oldest first.
    requests: VecDeque<i64>,
    searches: VecDeque<i64>,
    day: i64,
    in_day: u64,
    /// How many of the next requests are refused because a test asked for it, and by which policy.
    forced: u32,
    policy: Policy,
}

#[derive(Clone, Copy, Default)]
enum Policy {
    #[default]
    TenSeconds,
    Second,
    Day,
}

impl Policy {
    fn named(name: &str) -> Option<Self> {
        match name {
            "TEN_SECONDLY_ROLLING" => Some(Self::TenSeconds),
            "SECONDLY" => Some(Self::Second),
            "DAILY" => Some(Self::Day),
            _ => None,
        }
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::TenSeconds => ("TEN_SECONDLY_ROLLING", "ten_secondly_rolling"),
            Self::Second => ("SECONDLY", "secondly"),
            Self::Day => ("DAILY", "daily"),
        }
    }
}

impl Limits {
    /// Counts a request, or refuses it. Refused requests do not count.
    pub(super) fn count(&mut self, world: &mut World, is_search: bool) -> Result<(), Answer> {
        self.forget(world.now_ms());
        let settings = &world.settings;
        let policy = if self.forced > 0 {
            self.forced -= 1;
            Some(self.policy)
        } else if self.in_day >= settings.daily {
            Some(Policy::Day)
        } else if is_search && self.searches.len() >= settings.searches_per_second {
            Some(Policy::Second)
        } else if !is_search && self.requests.len() >= settings.burst {
            Some(Policy::TenSeconds)
        } else {
            None
        };
        if let Some(policy) = policy {
            let answer = refuse(world, policy);
            return Err(if is_search { answer } else { self.add_headers(world, answer, true) });
        }
        self.in_day += 1;
        let counted = if is_search { &mut self.searches } else { &mut self.requests };
        counted.push_back(world.now_ms());
        Ok(())
    }

    fn forget(&mut self, now_ms: i64) {
        self.requests.retain(|at_ms| *at_ms > now_ms - 10_000);
        self.searches.retain(|at_ms| *at_ms > now_ms - 1000);
        if now_ms.div_euclid(DAY_MS) != self.day {
            self.day = now_ms.div_euclid(DAY_MS);
            self.in_day = 0;
        }
    }

    /// Adds the headers that say what is left. OAuth applications do not get those of the day.
    pub(super) fn add_headers(&self, world: &World, answer: Answer, with_day: bool) -> Answer {
        let settings = &world.settings;
        let left = settings.burst.saturating_sub(self.requests.len());
        let answer = answer
            .with("X-HubSpot-RateLimit-Max", settings.burst.to_string())
            .with("X-HubSpot-RateLimit-Remaining", left.to_string())
            .with("X-HubSpot-RateLimit-Interval-Milliseconds", "10000");
        if !with_day {
            return answer;
        }
        answer.with("X-HubSpot-RateLimit-Daily", settings.daily.to_string()).with(
            "X-HubSpot-RateLimit-Daily-Remaining",
            settings.daily.saturating_sub(self.in_day).to_string(),
        )
    }

    /// Refuses the next requests, or sets how many are left. The default policy is
    /// `TEN_SECONDLY_ROLLING`.
    pub(super) fn apply_limit(&mut self, world: &World, limit: &Limit) -> Result<(), String> {
        let name = limit.policy.as_deref().unwrap_or("TEN_SECONDLY_ROLLING");
        let policy = Policy::named(name)
            .ok_or_else(|| format!("no policy {name}: TEN_SECONDLY_ROLLING, SECONDLY or DAILY"))?;
        (self.forced, self.policy) = (limit.next, policy);
        let Some(remaining) = limit.remaining else {
            return Ok(());
        };
        let now_ms = world.now_ms();
        self.forget(now_ms);
        let left = usize::try_from(remaining).unwrap_or(usize::MAX);
        let settings = &world.settings;
        let used = |most: usize| VecDeque::from(vec![now_ms; most.saturating_sub(left)]);
        match policy {
            Policy::TenSeconds => self.requests = used(settings.burst),
            Policy::Second => self.searches = used(settings.searches_per_second),
            Policy::Day => self.in_day = settings.daily.saturating_sub(remaining),
        }
        Ok(())
    }
}

fn refuse(world: &mut World, policy: Policy) -> Answer {
    let (name, word) = policy.names();
    let (correlation_id, request_id) = (world.uuid(), world.uuid());
    Answer::json(
        429,
        json!({
            "status": "error", "message": format!("You have reached your {word} limit."),
            "errorType": "RATE_LIMIT", "correlationId": correlation_id, "policyName": name,
            "requestId": request_id
        }),
    )
}
