//! The judged origin of a page view.

use crate::channel::Channel;
use crate::click_id::ClickId;
use serde::{Deserialize, Serialize};

/// The source of a visit without an origin.
pub const DIRECT_SOURCE: &str = "(direct)";
/// The medium of a visit without an origin.
pub const NO_MEDIUM: &str = "(none)";
/// The source of a visit whose tags give no source.
pub const NO_SOURCE: &str = "(not set)";

/// The kind of origin that a page view shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Tags, a click id or a foreign referrer: a marketing touch.
    Marketing,
    /// Only the site's own or an excluded referrer.
    Internal,
    /// Nothing.
    Nothing,
}

/// The judged origin of a page view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// The kind of origin.
    pub origin: Origin,
    /// The canonical source; `(direct)` if there is none.
    pub source: String,
    /// The medium; `(none)` if there is none.
    pub medium: String,
    /// The campaign as written.
    pub campaign: Option<String>,
    /// The campaign's id.
    pub campaign_id: Option<String>,
    /// `utm_term` as written.
    pub term: Option<String>,
    /// `utm_content` as written.
    pub content: Option<String>,
    /// The search word in lower case, if a search engine's referrer contains it.
    pub keyword: Option<String>,
    /// The first click id that says something about the source.
    pub click_id: Option<ClickId>,
    /// The channel.
    pub channel: Channel,
    /// The foreign referrer.
    pub referrer: Option<String>,
    /// The foreign referrer's host.
    pub referrer_host: Option<String>,
    /// The rules that decided: what gave the source, a slash, and what gave the channel, such as
    /// `tags/paid_search` or `referrer:google.*/organic_search`.
    pub rule: String,
}

impl Label {
    /// The label of a page view without an origin.
    pub fn direct(origin: Origin, rule: String) -> Self {
        Self {
            origin,
            source: DIRECT_SOURCE.to_owned(),
            medium: NO_MEDIUM.to_owned(),
            campaign: None,
            campaign_id: None,
            term: None,
            content: None,
            keyword: None,
            click_id: None,
            channel: Channel::Direct,
            referrer: None,
            referrer_host: None,
            rule,
        }
    }

    /// Whether nothing but the browser of an app shows where the visitor came from.
    pub fn is_in_app(&self) -> bool {
        self.rule.starts_with("in_app:")
    }

    fn click_value(&self) -> Option<&str> {
        self.click_id.as_ref().map(|id| id.value.as_str())
    }

    /// Whether the two are the same touch: same source, medium, campaign and click id value.
    pub fn same_signature(&self, other: &Self) -> bool {
        self.source == other.source
            && self.medium == other.medium
            && self.campaign == other.campaign
            && self.click_value() == other.click_value()
    }
}
