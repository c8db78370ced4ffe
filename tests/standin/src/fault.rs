//! What tests ask a stand-in to do wrong.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Answers that are not the vendor's own: `POST /__test/fail`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// A part of the paths that are meant; empty means all.
    #[serde(rename = "match")]
    pub path: String,
    /// The status to answer with.
    pub status: u16,
    /// How many requests it hits.
    pub times: u32,
    /// Of a hundred requests that match, how many it hits; the seed decides which.
    pub percent: u8,
    /// The body: a string goes out as text, else JSON.
    pub body: Option<Value>,
    /// Headers of the answer.
    pub headers: BTreeMap<String, String>,
    /// How long the answer waits.
    pub delay_ms: u64,
    /// Whether the vendor has done the work before.
    pub when: When,
}

/// Whether the vendor does what is asked before the fault shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The request changes nothing.
    #[default]
    Before,
    /// The request is carried out, and its answer is lost.
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
    /// The next so many requests are refused.
    pub next: u32,
    /// What is left of the policy's budget.
    pub remaining: Option<u64>,
    /// The limit, by the vendor's own name; if absent, the vendor's default.
    #[serde(alias = "policyName")]
    pub policy: Option<String>,
}

/// Takes the fault that hits a path, where one does.
pub(crate) fn take(
    faults: &mut Vec<Fault>,
    path: &str,
    mut dice: impl FnMut() -> u64,
) -> Option<Fault> {
    let hit = faults.iter_mut().find(|fault| {
        fault.times > 0 && path.contains(&fault.path) && dice() % 100 < u64::from(fault.percent)
    })?;
    hit.times -= 1;
    let hit = hit.clone();
    faults.retain(|fault| fault.times > 0);
    Some(hit)
}
