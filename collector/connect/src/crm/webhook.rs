//! A vendor's webhook: judged by its adapter, and read only for the records that it names.

use super::record::RecordRef;

/// What is there of a webhook before its body is read.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    /// What follows the connection's name in the path; empty for most.
    pub secret_path: &'a str,
    /// A header by its name in small letters.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// A webhook as it came in.
#[derive(Clone, Copy)]
pub struct Webhook<'a> {
    /// What stands before the body.
    pub head: Head<'a>,
    /// The body's bytes.
    pub body: &'a [u8],
}

/// What a webhook comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The records to be read again.
    pub records: Vec<RecordRef>,
    /// The answer's content type and body.
    pub answer: (&'static str, String),
}

/// Why a webhook is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// No signature, a wrong one, or one of another time.
    #[error("the webhook is not signed as it should be: {0}")]
    Signature(String),
    /// The signature holds and the body is not what the vendor sends.
    #[error("the webhook cannot be read: {0}")]
    Malformed(String),
}
