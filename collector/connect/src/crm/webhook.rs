//! Webhooks from a vendor. The adapter checks them, and reads only which records they name.

use super::record::RecordRef;

/// What is known of a webhook before its body is read.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// The path after the connection's name; empty for most vendors.
    pub secret_path: &'a str,
    /// Looks up a header by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The current time, Unix milliseconds.
    pub now_ms: i64,
}

/// A received webhook.
#[derive(Clone, Copy)]
pub struct Webhook<'a> {
    /// What precedes the body.
    pub head: Head<'a>,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// The result of a valid webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The records to read again.
    pub records: Vec<RecordRef>,
    /// The response's content type and body.
    pub answer: (&'static str, String),
}

/// Why a webhook is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// It has no signature, a wrong one, or an outdated one.
    #[error("the webhook's signature is not valid: {0}")]
    Signature(String),
    /// The signature is valid, but the body is not what the vendor sends.
    #[error("the webhook cannot be read: {0}")]
    Malformed(String),
}
