//! The organization's requests in 24 hours. Every response says how many are left.

use super::error;
use crate::exchange::Answer;
use crate::fault::Limit;
use crate::world::World;
use serde_json::json;
use std::collections::VecDeque;

const DAY_MS: i64 = 86_400_000;

/// The requests that count towards the limit.
#[derive(Default)]
pub(super) struct Usage {
    /// Their times, oldest first.
    requests: VecDeque<i64>,
    /// How many of the next requests are refused because a test asked for it, and by which policy.
    forced: u32,
    is_concurrency: bool,
}

impl Usage {
    /// Counts a request, or refuses it.
    pub(super) fn count(&mut self, world: &World) -> Result<(), Answer> {
        let now_ms = world.now_ms();
        self.requests.retain(|at_ms| *at_ms > now_ms - DAY_MS);
        let policy = if self.forced > 0 {
            self.forced -= 1;
            Some(self.is_concurrency)
        } else {
            (self.used() >= world.settings.daily).then_some(false)
        };
        let Some(is_concurrency) = policy else {
            self.requests.push_back(now_ms);
            return Ok(());
        };
        let name = if is_concurrency { "ConcurrentPerOrgLongTxn" } else { "TotalRequests" };
        Err(error::error(403, "REQUEST_LIMIT_EXCEEDED", &format!("{name} Limit exceeded.")))
    }

    fn used(&self) -> u64 {
        self.requests.len().try_into().unwrap_or(u64::MAX)
    }

    pub(super) fn add_headers(&self, world: &World, answer: Answer) -> Answer {
        let usage = format!("api-usage={}/{}", self.used(), world.settings.daily);
        answer.with("Sforce-Limit-Info", usage)
    }

    /// `GET /limits`.
    pub(super) fn show(&self, world: &World) -> Answer {
        let most = world.settings.daily;
        let remaining = most.saturating_sub(self.used());
        Answer::json(200, json!({ "DailyApiRequests": { "Max": most, "Remaining": remaining } }))
    }

    /// Refuses the next requests, or sets how many are left. The default policy is `TotalRequests`.
    pub(super) fn apply_limit(&mut self, world: &World, limit: &Limit) -> Result<(), String> {
        self.is_concurrency = match limit.policy.as_deref().unwrap_or("TotalRequests") {
            "TotalRequests" => false,
            "ConcurrentPerOrgLongTxn" => true,
            name => {
                return Err(format!("no policy {name}: TotalRequests, ConcurrentPerOrgLongTxn"));
            }
        };
        self.forced = limit.next;
        if let Some(remaining) = limit.remaining {
            let used = world.settings.daily.saturating_sub(remaining);
            let used = usize::try_from(used).unwrap_or(usize::MAX);
            self.requests = VecDeque::from(vec![world.now_ms(); used]);
        }
        Ok(())
    }
}
