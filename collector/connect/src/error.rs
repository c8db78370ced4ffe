//! Errors of calls to other people's servers, classified by what the caller should do.

/// Why a call failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The credentials are invalid, even after a renewal. The connection is paused.
    #[error("not allowed: {0}")]
    Auth(String),
    /// Too many calls: make none before this time.
    #[error("too many calls: {message}")]
    RateLimited {
        /// When the next call may be made, Unix milliseconds.
        until_ms: i64,
        /// The vendor's message.
        message: String,
    },
    /// The call may succeed later.
    #[error("{message}")]
    Transient {
        /// When to try again, if the server says so, Unix milliseconds.
        until_ms: Option<i64>,
        /// What went wrong.
        message: String,
    },
    /// The vendor does not know these fields.
    #[error("unknown fields {}: {message}", names.join(", "))]
    UnknownField {
        /// The vendor's names of the fields.
        names: Vec<String>,
        /// The vendor's message.
        message: String,
    },
    /// The call will always be refused. Contains the vendor's message and the request id for its
    /// support.
    #[error("{0}")]
    Invalid(String),
}
