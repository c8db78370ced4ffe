//! The wire format, version 1: what a browser sends to `POST /c/e`, and the response.
//!
//! A batch is one JSON object sent as `text/plain`, which needs no preflight. Unknown fields are
//! ignored, so an older collector understands a newer tracker. [`encode`] is the browser's side and
//! needs no std; `decode` is the collector's. `docs/wire.md` is the reference.

#[cfg(feature = "rules")]
pub mod decode;
pub mod encode;

/// The version of the wire format.
pub const VERSION: u32 = 1;

/// What an event reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(
    feature = "rules",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Kind {
    /// A page was shown. Carries `url`, `referrer` and `title`.
    PageView,
    /// The running totals of a page view (`page`), never deltas: `engaged_ms`, `scroll_pct`.
    Engagement,
    /// A form on the page was focused (`name` is `focus`) or submitted (`name` is `submit`).
    Form,
    /// The page was left for another host. Carries `host`.
    Departure,
    /// A custom event: `clew('event', name, props)`.
    Custom,
    /// The page identified the person: `clew('identify', {email, …})`. Carries `contact`.
    Identify,
}

impl Kind {
    /// The name in the wire format.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PageView => "page_view",
            Self::Engagement => "engagement",
            Self::Form => "form",
            Self::Departure => "departure",
            Self::Custom => "custom",
            Self::Identify => "identify",
        }
    }
}
