//! The wire, version 1: what a browser says to `POST /c/e`, and what it is answered.
//!
//! A batch is one JSON object sent as `text/plain` (no preflight). Unknown fields are ignored, so
//! that an older collector understands a newer tracker. [`encode`] is the browser's side and needs
//! no std; `decode` is the collector's. `docs/wire.md` describes the same to a reader.

#[cfg(feature = "rules")]
pub mod decode;
pub mod encode;

/// The version that both sides speak.
pub const VERSION: u32 = 1;

/// What an event reports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(
    feature = "rules",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Kind {
    /// A page was shown: carries `url`, `referrer`, `title`.
    PageView,
    /// Running totals of a page view (`page`): `engaged_ms`, `scroll_pct`; never deltas.
    Engagement,
    /// A form of the page was focused (`name` is `focus`) or submitted (`name` is `submit`).
    Form,
    /// The page was left for another host: carries `host`.
    Departure,
    /// The page named an event: `clew('event', name, props)`.
    Custom,
    /// The page named the person: `clew('identify', {email, …})`; carries `contact`.
    Identify,
}

impl Kind {
    /// The word on the wire.
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
