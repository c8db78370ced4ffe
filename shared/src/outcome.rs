//! What can become of a received event: a closed list, counted in `/metrics`, documented once.
//!
//! Every received event ends in exactly one of these. The words are public: they stand in the
//! answer to the browser, in the metrics and in `docs/wire.md`.

use std::fmt;

/// What became of one event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// It was new and is durable, or it raised its page view's totals.
    Stored,
    /// It was stored before, or raised nothing.
    Duplicate,
    /// It was refused.
    Dropped(DropReason),
}

/// Why an event was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The body exceeds `limits::BODY_BYTES` (413; counted once a body).
    TooLarge,
    /// The body is no JSON object of the wire's shape, or not UTF-8 (400; counted once a body).
    Malformed,
    /// The wire version is not spoken here (400).
    UnsupportedVersion,
    /// More than `limits::BATCH_EVENTS` events (422).
    TooManyEvents,
    /// The site is not in the configuration (404).
    UnknownSite,
    /// The page's origin or address is not one of the site's hosts (403 for a whole batch).
    ForeignOrigin,
    /// The visitor is not a UUID (422).
    InvalidVisitor,
    /// The event's id, kind, a type or a range is wrong.
    InvalidEvent,
    /// A text exceeds its limit.
    TooLong,
    /// Older than `limits::EVENT_AGE_MS` after clock correction.
    TooOld,
    /// More than `limits::EVENT_AHEAD_MS` ahead after clock correction.
    InFuture,
    /// The visitor denied consent, or a signal the site honours forbids it.
    NoConsent,
    /// The visitor has `limits::VISITOR_ROWS` rows already.
    VisitorFull,
    /// Its client, visitor or site sent more than it may (429; the tracker sends again, later).
    RateLimited,
    /// The queue to the store was full, or the store failed (503; the tracker sends again).
    Overloaded,
}

impl Outcome {
    /// Every outcome, for the metrics and the documentation.
    pub const ALL: [Self; 17] = [
        Self::Stored,
        Self::Duplicate,
        Self::Dropped(DropReason::TooLarge),
        Self::Dropped(DropReason::Malformed),
        Self::Dropped(DropReason::UnsupportedVersion),
        Self::Dropped(DropReason::TooManyEvents),
        Self::Dropped(DropReason::UnknownSite),
        Self::Dropped(DropReason::ForeignOrigin),
        Self::Dropped(DropReason::InvalidVisitor),
        Self::Dropped(DropReason::InvalidEvent),
        Self::Dropped(DropReason::TooLong),
        Self::Dropped(DropReason::TooOld),
        Self::Dropped(DropReason::InFuture),
        Self::Dropped(DropReason::NoConsent),
        Self::Dropped(DropReason::VisitorFull),
        Self::Dropped(DropReason::RateLimited),
        Self::Dropped(DropReason::Overloaded),
    ];

    /// The public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Dropped(reason) => reason.as_str(),
        }
    }
}

impl DropReason {
    /// The public word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::UnsupportedVersion => "unsupported_version",
            Self::TooManyEvents => "too_many_events",
            Self::UnknownSite => "unknown_site",
            Self::ForeignOrigin => "foreign_origin",
            Self::InvalidVisitor => "invalid_visitor",
            Self::InvalidEvent => "invalid_event",
            Self::TooLong => "too_long",
            Self::TooOld => "too_old",
            Self::InFuture => "in_future",
            Self::NoConsent => "no_consent",
            Self::VisitorFull => "visitor_full",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
