//! What a call to somebody else's server comes to, by what is to be done about it.

/// Why a call did not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CallError {
    /// The credentials are not valid, even after a renewal. The connection pauses.
    #[error("not allowed: {0}")]
    Auth(String),
    /// Too many calls; nothing before this time, Unix milliseconds.
    #[error("too many calls: {message}")]
    RateLimited {
        /// When the next call may be made.
        until_ms: i64,
        /// What the vendor said.
        message: String,
    },
    /// It may succeed later; not before this time where the server names one, Unix milliseconds.
    #[error("{message}")]
    Transient {
        /// When it may be tried again.
        until_ms: Option<i64>,
        /// What went wrong.
        message: String,
    },
    /// The vendor does not know these fields (by its names for them).
    #[error("unknown fields {}: {message}", names.join(", "))]
    UnknownField {
        /// The vendor's names.
        names: Vec<String>,
        /// What the vendor said.
        message: String,
    },
    /// It will be refused every time; with the vendor's message and the id that its support asks for.
    #[error("{0}")]
    Invalid(String),
}
