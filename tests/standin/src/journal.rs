//! What a stand-in records: the requests it received and the webhooks it sent.

use serde::Serialize;
use std::collections::BTreeMap;

/// A request to one of the vendor's paths, and the status of its response.
#[derive(Clone, Debug, Serialize)]
pub struct Logged {
    /// When, in milliseconds since 1970 by the stand-in's clock.
    pub at_ms: i64,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, with names in lower case, including the token: it is valid only for the
    /// stand-in.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// The response's status.
    pub status: u16,
}

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// When, in milliseconds since 1970 by the stand-in's clock.
    pub at_ms: i64,
    /// The URL that it was sent to.
    pub url: String,
    /// The headers that the vendor sets.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte.
    pub body: String,
    /// The attempt's number: 0 for the first.
    pub attempt: u32,
    /// The response's status; `None` if the receiver did not respond.
    pub status: Option<u16>,
    /// The response's body.
    pub answer: String,
    /// Whether the vendor accepts the response as a receipt.
    pub acknowledged: bool,
}
