//! The possible outcomes of a received event: a closed list, counted in `/metrics`.
//!
//! Every received event has exactly one outcome. The names are public: they are in the response to
//! the browser, in the metrics and in `docs/wire.md`.

use std::fmt;

/// The outcome of one event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// It was new and is now durable, or it raised its page view's totals.
    Stored,
    /// It was stored before, or it raised no totals.
    Duplicate,
    /// It was dropped.
    Dropped(DropReason),
}

/// Why an event was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum DropReason {
    /// The body is larger than `limits::BODY_BYTES` (413; counted once per body).
    TooLarge,
    /// The body is not a JSON object of the wire format, or not UTF-8 (400; counted once per body).
    Malformed,
    /// This version of the wire format is not supported (400).
    UnsupportedVersion,
    /// More than `limits::BATCH_EVENTS` events (422).
    TooManyEvents,
    /// The site is not in the configuration (404).
    UnknownSite,
    /// The page's origin or address is not one of the site's hosts (403 for a whole batch).
    ForeignOrigin,
    /// The visitor is not a UUID (422).
    InvalidVisitor,
    /// The event's id, its kind, or the type or range of a member is invalid.
    InvalidEvent,
    /// A text is longer than its limit.
    TooLong,
    /// Older than `limits::EVENT_AGE_MS` after clock correction.
    TooOld,
    /// More than `limits::EVENT_AHEAD_MS` ahead after clock correction.
    InFuture,
    /// The visitor denied consent or opted out, or sent a signal (GPC, DNT) that the site honours.
    NoConsent,
    /// The event's page view is older than those that are still kept one by one for the visitor
    /// (`limits::VISITOR_ROWS`).
    VisitorFull,
    /// The client, visitor or site exceeded its rate limit (429; the tracker sends it again later).
    RateLimited,
    /// The store's queue was full, or the store failed (503; the tracker sends it again).
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

    /// The public name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Dropped(reason) => reason.as_str(),
        }
    }
}

impl DropReason {
    /// The public name.
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
