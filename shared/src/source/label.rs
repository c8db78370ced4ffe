//! The judged origin of a page view.

use crate::channel::Channel;
use crate::click_id::ClickId;
use serde::{Deserialize, Serialize};

/// Source of a visit that shows no origin.
pub const DIRECT_SOURCE: &str = "(direct)";
/// Medium of a visit that shows no origin.
pub const NO_MEDIUM: &str = "(none)";
/// Source of a visit whose tags name none.
pub const NO_SOURCE: &str = "(not set)";

/// What kind of origin a page view shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Tags, a click id or a foreign referrer: a contact with marketing.
    Marketing,
    /// Only an own or excluded referrer.
    Internal,
    /// Nothing.
    Nothing,
}

/// The judged origin of a page view.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Label {
    /// What kind of origin it is.
    pub origin: Origin,
    /// The canonical source, `(direct)` where there is none.
    pub source: String,
    /// The medium, `(none)` where there is none.
    pub medium: String,
    /// The campaign as written.
    pub campaign: Option<String>,
    /// The campaign's id.
    pub campaign_id: Option<String>,
    /// `utm_term` as written.
    pub term: Option<String>,
    /// The creative as written.
    pub content: Option<String>,
    /// The word that was searched for, where a search engine's referrer tells it, in lower case.
    pub keyword: Option<String>,
    /// The click id that decides.
    pub click_id: Option<ClickId>,
    /// The group.
    pub channel: Channel,
    /// The foreign referrer.
    pub referrer: Option<String>,
    /// The foreign referrer's host.
    pub referrer_host: Option<String>,
    /// Which rules decided: what said the source, a slash, what said the channel; like
    /// `tags/paid_search` or `referrer:google.*/organic_search`.
    pub rule: String,
}

impl Label {
    /// The label of a page view that shows no origin.
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

    fn click_value(&self) -> Option<&str> {
        self.click_id.as_ref().map(|id| id.value.as_str())
    }

    /// Whether the two are one contact: same source, medium, campaign and click id value.
    pub fn same_signature(&self, other: &Self) -> bool {
        self.source == other.source
            && self.medium == other.medium
            && self.campaign == other.campaign
            && self.click_value() == other.click_value()
    }
}
