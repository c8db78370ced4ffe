//! Categories: the kinds of sites and tools that sources are.

/// The kind of site or tool that a source is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Category {
    /// A search engine.
    Search,
    /// A search engine if its URL contains a search word; otherwise a plain referrer.
    Portal,
    /// A social network.
    Social,
    /// A video platform.
    Video,
    /// A marketplace.
    Shopping,
    /// An AI assistant.
    Assistant,
    /// A webmail host or an e-mail tool.
    Email,
    /// A frame or redirector of ads next to search results.
    SearchAds,
    /// A frame or redirector of ads on other sites.
    DisplayAds,
    /// A payment or login page: coming back from it is not a new touch.
    Excluded,
    /// A network or redirector of partners who are paid for their links.
    Affiliate,
    /// A site that sends made-up referrers.
    Spam,
    /// A known site of no other category.
    Site,
}

impl Category {
    /// The category names used in tables.
    pub(crate) const NAMES: [&str; 13] = [
        "search",
        "portal",
        "social",
        "video",
        "shopping",
        "assistant",
        "email",
        "search_ads",
        "display_ads",
        "excluded",
        "affiliate",
        "spam",
        "site",
    ];

    /// Whether a tag can name a source of this category: exclusions and ad frames only apply to
    /// referrers.
    pub(crate) fn can_be_named(self) -> bool {
        !matches!(
            self,
            Self::Excluded | Self::SearchAds | Self::DisplayAds | Self::Portal | Self::Spam
        )
    }

    /// The medium of a visitor who comes from a source of this category.
    pub(crate) fn medium(self) -> &'static str {
        match self {
            Self::Search | Self::Portal => "organic",
            Self::Social => "social",
            Self::Assistant => "ai-assistant",
            Self::Email => "email",
            Self::Affiliate => "affiliate",
            Self::SearchAds => "cpc",
            Self::DisplayAds => "display",
            Self::Video | Self::Shopping | Self::Excluded | Self::Spam | Self::Site => "referral",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        let all = [
            Self::Search,
            Self::Portal,
            Self::Social,
            Self::Video,
            Self::Shopping,
            Self::Assistant,
            Self::Email,
            Self::SearchAds,
            Self::DisplayAds,
            Self::Excluded,
            Self::Affiliate,
            Self::Spam,
            Self::Site,
        ];
        Self::NAMES.iter().zip(all).find(|(name, _)| **name == word).map(|(_, category)| category)
    }
}
