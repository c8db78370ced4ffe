//! The channel that a source and a medium fall in: GA4's default group with our deviations.
//!
//! First match wins. Order and words are those of Google's published table; what differs: assistants
//! stand before organic search, a newsletter is e-mail, and nothing is left "unassigned".

use serde::{Deserialize, Serialize};

/// The groups of reports. Snake case in data, [`Channel::label`] on pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are Google's and say what they are")]
pub enum Channel {
    Direct,
    CrossNetwork,
    PaidShopping,
    PaidSearch,
    PaidSocial,
    PaidVideo,
    Display,
    PaidOther,
    OrganicShopping,
    OrganicSocial,
    OrganicVideo,
    OrganicSearch,
    AiAssistant,
    Referral,
    Email,
    Affiliates,
    Audio,
    Sms,
    MobilePush,
    Offline,
    Other,
}

/// What kind of place a source is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Category {
    /// A search engine.
    Search,
    /// A social network.
    Social,
    /// A video platform.
    Video,
    /// A market place.
    Shopping,
    /// An AI assistant.
    Assistant,
    /// A mail host or mail tool.
    Email,
    /// A payment or login page: a return from it is no contact.
    Excluded,
}

/// Everything that the decision reads; texts in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a> {
    /// The source as resolved.
    pub source: &'a str,
    /// The medium as resolved.
    pub medium: &'a str,
    /// The campaign, empty where none.
    pub campaign: &'a str,
    /// The source's category, where it is known.
    pub category: Option<Category>,
}

impl Channel {
    /// Every channel, in the order of reports.
    pub const ALL: [Self; 21] = [
        Self::Direct,
        Self::CrossNetwork,
        Self::PaidShopping,
        Self::PaidSearch,
        Self::PaidSocial,
        Self::PaidVideo,
        Self::Display,
        Self::PaidOther,
        Self::OrganicShopping,
        Self::OrganicSocial,
        Self::OrganicVideo,
        Self::OrganicSearch,
        Self::AiAssistant,
        Self::Referral,
        Self::Email,
        Self::Affiliates,
        Self::Audio,
        Self::Sms,
        Self::MobilePush,
        Self::Offline,
        Self::Other,
    ];

    /// Decides; total, so every touch has a channel.
    pub fn of(signals: Signals<'_>) -> Self {
        let Signals { source, medium, campaign, category } = signals;
        let paid = is_paid(medium);
        let shopping = category == Some(Category::Shopping) || is_shop(campaign);
        let social = category == Some(Category::Social);
        let mail =
            |word: &str| matches!(word, "email" | "e-mail" | "e_mail" | "e mail" | "newsletter");
        match () {
            () if source == "(direct)" && matches!(medium, "(none)" | "(not set)") => Self::Direct,
            () if campaign.contains("cross-network") => Self::CrossNetwork,
            () if paid && shopping => Self::PaidShopping,
            () if paid && category == Some(Category::Search) => Self::PaidSearch,
            () if paid && social => Self::PaidSocial,
            () if paid && category == Some(Category::Video) => Self::PaidVideo,
            () if matches!(
                medium,
                "display" | "banner" | "expandable" | "interstitial" | "cpm"
            ) =>
            {
                Self::Display
            }
            () if paid => Self::PaidOther,
            () if shopping => Self::OrganicShopping,
            () if social || is_social_medium(medium) => Self::OrganicSocial,
            () if category == Some(Category::Video) || medium.contains("video") => {
                Self::OrganicVideo
            }
            () if category == Some(Category::Assistant) || medium == "ai-assistant" => {
                Self::AiAssistant
            }
            () if mail(medium) || mail(source) || category == Some(Category::Email) => Self::Email,
            () if category == Some(Category::Search) || medium == "organic" => Self::OrganicSearch,
            () if matches!(medium, "referral" | "app" | "link") => Self::Referral,
            () if matches!(medium, "affiliate" | "affiliates") => Self::Affiliates,
            () if medium == "audio" => Self::Audio,
            () if source == "sms" || medium == "sms" => Self::Sms,
            () if is_push(source, medium) => Self::MobilePush,
            () if medium.is_empty() || medium == "(none)" => Self::Referral,
            () => Self::Other,
        }
    }

    /// Google's English name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Direct => "Direct",
            Self::CrossNetwork => "Cross-network",
            Self::PaidShopping => "Paid Shopping",
            Self::PaidSearch => "Paid Search",
            Self::PaidSocial => "Paid Social",
            Self::PaidVideo => "Paid Video",
            Self::Display => "Display",
            Self::PaidOther => "Paid Other",
            Self::OrganicShopping => "Organic Shopping",
            Self::OrganicSocial => "Organic Social",
            Self::OrganicVideo => "Organic Video",
            Self::OrganicSearch => "Organic Search",
            Self::AiAssistant => "AI Assistant",
            Self::Referral => "Referral",
            Self::Email => "Email",
            Self::Affiliates => "Affiliates",
            Self::Audio => "Audio",
            Self::Sms => "SMS",
            Self::MobilePush => "Mobile Push Notifications",
            Self::Offline => "Offline",
            Self::Other => "Other",
        }
    }

    /// The word in data.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::CrossNetwork => "cross_network",
            Self::PaidShopping => "paid_shopping",
            Self::PaidSearch => "paid_search",
            Self::PaidSocial => "paid_social",
            Self::PaidVideo => "paid_video",
            Self::Display => "display",
            Self::PaidOther => "paid_other",
            Self::OrganicShopping => "organic_shopping",
            Self::OrganicSocial => "organic_social",
            Self::OrganicVideo => "organic_video",
            Self::OrganicSearch => "organic_search",
            Self::AiAssistant => "ai_assistant",
            Self::Referral => "referral",
            Self::Email => "email",
            Self::Affiliates => "affiliates",
            Self::Audio => "audio",
            Self::Sms => "sms",
            Self::MobilePush => "mobile_push",
            Self::Offline => "offline",
            Self::Other => "other",
        }
    }
}

/// `^(.*cp.*|ppc|retargeting|paid.*)$`
fn is_paid(medium: &str) -> bool {
    medium.contains("cp") || matches!(medium, "ppc" | "retargeting") || medium.starts_with("paid")
}

fn is_social_medium(medium: &str) -> bool {
    matches!(
        medium,
        "social" | "social-network" | "social-media" | "sm" | "social network" | "social media"
    )
}

/// `^(.*(([^a-df-z]|^)shop|shopping).*)$`: `eshop` and `9shop` are shops, `workshop` is not.
fn is_shop(campaign: &str) -> bool {
    campaign.contains("shopping")
        || campaign.match_indices("shop").any(|(at, _)| {
            let before = campaign[..at].chars().next_back();
            before.is_none_or(|letter| letter == 'e' || !letter.is_ascii_lowercase())
        })
}

fn is_push(source: &str, medium: &str) -> bool {
    medium.ends_with("push")
        || medium.contains("mobile")
        || medium.contains("notification")
        || source == "firebase"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        source: &str,
        medium: &str,
        campaign: &str,
        category: Option<Category>,
        expected: Channel,
    ) {
        let signals = Signals { source, medium, campaign, category };
        assert_eq!(Channel::of(signals), expected, "{source} {medium} {campaign}");
    }

    #[test]
    fn the_table_and_its_traps() {
        use Category::*;
        check("(direct)", "(none)", "", None, Channel::Direct);
        check("google", "cpc", "x cross-network", Some(Search), Channel::CrossNetwork);
        check("google", "cpc", "e-shop", Some(Search), Channel::PaidShopping);
        check("google", "cpc", "workshop", Some(Search), Channel::PaidSearch);
        check("google", "cpm", "", Some(Search), Channel::PaidSearch);
        check("blog", "cpm", "", None, Channel::Display);
        check("facebook", "paid_social", "", Some(Social), Channel::PaidSocial);
        check("youtube", "cpv-acpx", "", Some(Video), Channel::PaidVideo);
        check("blog", "acpx", "", None, Channel::PaidOther);
        check("blog", "ppc-brand", "", None, Channel::Other);
        check("list", "email", "eshop", None, Channel::OrganicShopping);
        check("list", "email", "bishop", None, Channel::Email);
        check("newsletter", "", "", None, Channel::Email);
        check("x", "social", "", Some(Social), Channel::OrganicSocial);
        check("google", "organic", "", Some(Search), Channel::OrganicSearch);
        check("chatgpt", "", "", Some(Assistant), Channel::AiAssistant);
        check("example.com", "referral", "", None, Channel::Referral);
        check("example.com", "", "", None, Channel::Referral);
        check("partner", "affiliate", "", None, Channel::Affiliates);
        check("firebase", "x", "", None, Channel::MobilePush);
        check("sms", "x", "", None, Channel::Sms);
        check("podcast", "audio", "", None, Channel::Audio);
    }
}
