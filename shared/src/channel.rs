//! Channels: GA4's default channel group, with a few deviations.
//!
//! The first match wins. Order and words are those of [Google's published
//! table](https://support.google.com/analytics/answer/9756891), with these differences: AI
//! assistants come before organic search, a newsletter is e-mail, nothing is left "unassigned", and
//! an operator's own rules ([`custom`]) come first. `docs/sources.md` has the whole table.

mod category;
pub mod custom;
mod own;
pub(crate) mod vocabulary;

pub use category::Category;
pub use own::OwnChannel;

/// The group that a touch falls in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
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
    /// One that the operator named.
    Own(OwnChannel),
}

/// Everything that the choice of a channel depends on; all texts in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a> {
    /// The source as resolved.
    pub source: &'a str,
    /// The medium as resolved; empty, `(none)` and `(not set)` mean that there is none.
    pub medium: &'a str,
    /// The campaign; empty if there is none.
    pub campaign: &'a str,
    /// The source's category, if known.
    pub category: Option<Category>,
    /// Whether something besides the medium proves that the click was paid for.
    pub proven: bool,
}

impl Channel {
    /// Returns the channel and the name of the row that matched. Every input has a channel.
    pub fn of(signals: Signals<'_>) -> (Self, &'static str) {
        let Signals { source, medium, campaign, category, proven } = signals;
        let is = |wanted: Category| category == Some(wanted);
        let paid = is_paid(medium) || proven;
        let search = is(Category::Search) || is(Category::Portal);
        let shopping = is(Category::Shopping) || is_shop(campaign);
        let untold = matches!(medium, "" | "(none)" | "(not set)");
        match () {
            () if source == "(direct)" && untold => (Self::Direct, "direct"),
            () if campaign.contains("cross-network") => (Self::CrossNetwork, "cross_network"),
            () if paid && shopping => (Self::PaidShopping, "paid_shopping"),
            () if proven && medium.contains("video") => (Self::PaidVideo, "paid_video_medium"),
            () if paid && search => (Self::PaidSearch, "paid_search"),
            () if paid && is(Category::Social) => (Self::PaidSocial, "paid_social"),
            () if paid && is(Category::Video) => (Self::PaidVideo, "paid_video"),
            () if is_display(medium) => (Self::Display, "display"),
            () if paid => (Self::PaidOther, "paid_other"),
            () if shopping => (Self::OrganicShopping, "organic_shopping"),
            () if is(Category::Social) => (Self::OrganicSocial, "organic_social"),
            () if is_social(medium) => (Self::OrganicSocial, "organic_social_medium"),
            () if is(Category::Video) => (Self::OrganicVideo, "organic_video"),
            () if medium.contains("video") => (Self::OrganicVideo, "organic_video_medium"),
            () if is(Category::Assistant) => (Self::AiAssistant, "ai_assistant"),
            () if medium == "ai-assistant" => (Self::AiAssistant, "ai_assistant_medium"),
            () if search => (Self::OrganicSearch, "organic_search"),
            () if medium == "organic" => (Self::OrganicSearch, "organic_search_medium"),
            () if matches!(medium, "referral" | "app" | "link") => (Self::Referral, "referral"),
            () if is_mail(medium) || is_mail(source) => (Self::Email, "email"),
            () if is(Category::Email) => (Self::Email, "email_source"),
            () if medium == "affiliate" => (Self::Affiliates, "affiliates"),
            () if medium == "audio" => (Self::Audio, "audio"),
            () if source == "sms" || medium == "sms" => (Self::Sms, "sms"),
            () if is_push(source, medium) => (Self::MobilePush, "mobile_push"),
            () if medium == "offline" => (Self::Offline, "offline"),
            // Google leaves the rest unassigned.
            () if untold && !matches!(source, "" | "(not set)") => (Self::Referral, "source_alone"),
            () => (Self::Other, "other"),
        }
    }

    /// Parses the name of a built-in channel, as used in data.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word)
    }

    /// Every built-in channel, in the order of reports.
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

    /// The display name, in Google's English; of the operator's own channels the name used in data.
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
            Self::Own(own) => own.as_str(),
        }
    }

    /// The name used in data.
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
            Self::Own(own) => own.as_str(),
        }
    }
}

/// `^(.*cp.*|ppc|retargeting|paid.*)$`
fn is_paid(medium: &str) -> bool {
    medium.contains("cp") || matches!(medium, "ppc" | "retargeting") || medium.starts_with("paid")
}

/// Whether the words say by what means the link was delivered: a click id then came with a copied
/// link, or proves no more than they say.
pub(crate) fn says_how(source: &str, medium: &str) -> bool {
    is_display(medium)
        || is_mail(medium)
        || is_mail(source)
        || matches!(medium, "affiliate" | "audio" | "sms" | "offline" | "referral" | "app" | "link")
        || source == "sms"
        || source == "firebase"
        || medium.ends_with("push")
        || medium.contains("notification")
}

fn is_display(medium: &str) -> bool {
    matches!(medium, "display" | "banner" | "expandable" | "interstitial" | "cpm")
}

fn is_social(medium: &str) -> bool {
    matches!(
        medium,
        "social" | "social-network" | "social-media" | "sm" | "social network" | "social media"
    )
}

fn is_mail(word: &str) -> bool {
    matches!(word, "email" | "e-mail" | "e_mail" | "e mail" | "newsletter")
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
        let signals = Signals { source, medium, campaign, category, proven: false };
        assert_eq!(Channel::of(signals).0, expected, "{source} {medium} {campaign}");
    }

    #[test]
    fn every_row_in_its_order() {
        use Category::*;
        use Channel as C;
        check("(direct)", "(none)", "", None, C::Direct);
        check("(direct)", "(not set)", "", None, C::Direct);
        check("(direct)", "referral", "", None, C::Referral);
        check("(direct)", "(none)", "cross-network", None, C::Direct);
        check("google", "cpc", "x cross-network", Some(Search), C::CrossNetwork);
        check("amazon", "cpc", "", Some(Shopping), C::PaidShopping);
        check("google", "cpc", "e-shop", Some(Search), C::PaidShopping);
        check("google", "cpc", "", Some(Search), C::PaidSearch);
        check("facebook", "paid_social", "", Some(Social), C::PaidSocial);
        check("youtube", "cpv", "", Some(Video), C::PaidVideo);
        for medium in ["display", "banner", "expandable", "interstitial", "cpm"] {
            check("blog", medium, "", None, C::Display);
        }
        check("google", "display", "", Some(Search), C::Display);
        check("blog", "cpc", "", None, C::PaidOther);
        check("blog", "retargeting", "", None, C::PaidOther);
        check("mail", "paid", "", Some(Email), C::PaidOther);
        check("chatgpt", "cpc", "", Some(Assistant), C::PaidOther);
        check("ebay", "referral", "", Some(Shopping), C::OrganicShopping);
        check("x", "referral", "", Some(Social), C::OrganicSocial);
        for medium in
            ["social", "social-network", "social-media", "sm", "social network", "social media"]
        {
            check("blog", medium, "", None, C::OrganicSocial);
        }
        check("youtube", "referral", "", Some(Video), C::OrganicVideo);
        check("blog", "my-video-x", "", None, C::OrganicVideo);
        check("chatgpt", "", "", Some(Assistant), C::AiAssistant);
        check("chatgpt", "referral", "", Some(Assistant), C::AiAssistant);
        check("some.example", "ai-assistant", "(ai-assistant)", None, C::AiAssistant);
        check("google", "ai-assistant", "", Some(Search), C::AiAssistant);
        check("google", "referral", "", Some(Search), C::OrganicSearch);
        check("google.fr", "organic", "", None, C::OrganicSearch);
        for medium in ["referral", "app", "link"] {
            check("blog", medium, "", None, C::Referral);
        }
        for word in ["email", "e-mail", "e_mail", "e mail", "newsletter"] {
            check("list", word, "", None, C::Email);
            check(word, "x", "", None, C::Email);
        }
        check("gmail", "x", "", Some(Email), C::Email);
        check("partner", "affiliate", "", None, C::Affiliates);
        check("podcast", "audio", "", None, C::Audio);
        check("sms", "x", "", None, C::Sms);
        check("x", "sms", "", None, C::Sms);
        check("firebase", "x", "", None, C::MobilePush);
        for medium in ["push", "webpush", "mobile-x", "my notification"] {
            check("app", medium, "", None, C::MobilePush);
        }
        check("fair", "offline", "", None, C::Offline);
        check("partner.example", "", "", None, C::Referral);
        check("partner.example", "(not set)", "", None, C::Referral);
        check("(not set)", "(not set)", "spring", None, C::Other);
        check("partner", "pigeon", "", None, C::Other);
    }

    #[test]
    fn traps() {
        use Category::*;
        use Channel as C;
        // `cpm` is paid, but Display comes before Paid Other.
        check("google", "cpm", "", Some(Search), C::PaidSearch);
        check("blog", "cpm", "", None, C::Display);
        check("blog", "acpx", "", None, C::PaidOther);
        check("blog", "ppc-brand", "", None, C::Other);
        check("google", "ppc-brand", "", Some(Search), C::OrganicSearch);
        for (campaign, shop) in [
            ("eshop", true),
            ("e-shop", true),
            ("9shop", true),
            ("shop", true),
            ("my shop", true),
            ("éshop", true),
            ("window-shopping", true),
            ("workshop", false),
            ("bishop", false),
            ("workshop and shop", true),
        ] {
            let (paid, organic) = match shop {
                true => (C::PaidShopping, C::OrganicShopping),
                false => (C::PaidSearch, C::Email),
            };
            check("google", "cpc", campaign, Some(Search), paid);
            check("list", "email", campaign, None, organic);
        }
        // Google leaves these unassigned; here a newsletter is e-mail.
        check("list", "newsletter", "", None, C::Email);
        check("partner", "affiliates", "", None, C::Other);
        check("email", "referral", "", None, C::Referral);
        check("gmail", "referral", "", Some(Email), C::Referral);
    }

    #[test]
    fn proof_of_payment() {
        use Category::*;
        for (medium, category, expected) in [
            ("sea", Some(Search), Channel::PaidSearch),
            ("organic", Some(Search), Channel::PaidSearch),
            ("social", Some(Social), Channel::PaidSocial),
            ("video", Some(Search), Channel::PaidVideo),
            ("brand", None, Channel::PaidOther),
            ("display", Some(Search), Channel::Display),
            ("email", Some(Search), Channel::OrganicSearch),
            ("affiliate", None, Channel::Affiliates),
            ("web-push", None, Channel::MobilePush),
        ] {
            let proven = !says_how("x", medium);
            let signals = Signals { source: "x", medium, campaign: "", category, proven };
            assert_eq!(Channel::of(signals).0, expected, "{medium}");
        }
    }

    #[test]
    fn words_there_and_back() {
        for channel in Channel::ALL {
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
        }
        assert_eq!(Channel::parse("Direct"), None);
        for name in Category::NAMES {
            assert!(Category::parse(name).is_some(), "{name}");
        }
    }
}
