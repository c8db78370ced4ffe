//! What a stand-in writes down: requests that came, and webhooks that went.

use serde::Serialize;
use std::collections::BTreeMap;

/// A request to the vendor's paths and the status that it got.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// When, in milliseconds since 1970 by the stand-in's clock.
    pub at_ms: i64,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Headers, names in lower case, with the token: it opens nothing but the stand-in.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// The status of the answer.
    pub status: u16,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// When, in milliseconds since 1970 by the stand-in's clock.
    pub at_ms: i64,
    /// Where to.
    pub url: String,
    /// Headers that the vendor sets.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte.
    pub body: String,
    /// 0 at the first attempt.
    pub attempt: u32,
    /// The status of the answer; `None` if the receiver did not answer.
    pub status: Option<u16>,
    /// The answer's body.
    pub answer: String,
    /// Whether the vendor accepts the answer as a receipt.
    pub acknowledged: bool,
}
