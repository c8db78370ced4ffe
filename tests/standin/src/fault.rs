//! Faults and limits that a test can inject into a stand-in.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A response that replaces the vendor's own: `POST /__test/fail`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// Text that a path must contain to be hit; empty matches every path.
    #[serde(rename = "match")]
    pub path: String,
    /// The response's status.
    pub status: u16,
    /// How many requests it hits in all.
    pub times: u32,
    /// The percentage of matching requests that it hits; the seed decides which.
    pub percent: u8,
    /// The response's body: a string is sent as text, anything else as JSON.
    pub body: Option<Value>,
    /// The response's headers.
    pub headers: BTreeMap<String, String>,
    /// How long the response is delayed.
    pub delay_ms: u64,
    /// Whether the vendor carries out the request first.
    pub when: When,
}

/// Whether the vendor carries out the request before the fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// It does not: the request changes nothing.
    #[default]
    Before,
    /// It does, and the response is lost.
    After,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            path: String::new(),
            status: 502,
            times: 1,
            percent: 100,
            body: None,
            headers: BTreeMap::new(),
            delay_ms: 0,
            when: When::Before,
        }
    }
}

/// Uses up one of the vendor's limits, or refuses the next requests: `POST /__test/limit`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// How many of the next requests are refused.
    pub next: u32,
    /// How many requests are left in the policy's budget.
    pub remaining: Option<u64>,
    /// The limit's policy, by the vendor's own name; if absent, the vendor's default.
    #[serde(alias = "policyName")]
    pub policy: Option<String>,
}

/// Takes the fault that hits a path, if one does.
pub(crate) fn take(
    faults: &mut Vec<Fault>,
    path: &str,
    mut random: impl FnMut() -> u64,
) -> Option<Fault> {
    let hit = faults.iter_mut().find(|fault| {
        fault.times > 0 && path.contains(&fault.path) && random() % 100 < u64::from(fault.percent)
    })?;
    hit.times -= 1;
    let hit = hit.clone();
    faults.retain(|fault| fault.times > 0);
    Some(hit)
}
