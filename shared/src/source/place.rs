//! Finds the source and the medium of a page view: from a tag, else from a click id, else from the
//! referrer.

use super::family::is_same_family;
use super::label::{NO_MEDIUM, NO_SOURCE};
use super::referrer::Referrer;
use super::table::{MatchedRow, Platform, Sources};
use crate::channel::{Category, Channel, Signals};
use crate::click_id::{ClickId, ClickIdRule, ClickKind};
use crate::evidence::Evidence;

/// Google's platforms: its click ids come from all of them.
const GOOGLE: &str = "google";
/// The platform whose click id all of Meta's platforms share.
const FACEBOOK: &str = "facebook";

/// A click id and the row that judges it.
#[derive(Clone, Copy)]
pub(super) struct Click<'a> {
    pub(super) id: &'a ClickId,
    pub(super) rule: &'a ClickIdRule,
}

impl Click<'_> {
    /// Whether it proves that the click which led to this place was paid for.
    pub(super) fn pays_for(self, place: &Place) -> bool {
        self.rule.kind == ClickKind::Paid
            && (place.category.is_none() || is_same_family(&self.rule.source, &place.source))
    }
}

/// The platform that a tag names.
pub(super) struct Named {
    pub(super) source: String,
    pub(super) category: Option<Category>,
    /// Whether the name says that it is about advertisements, as `google_ads` does.
    pub(super) is_advertised: bool,
}

/// What a channel is chosen by.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) source: &'a str,
    pub(super) medium: &'a str,
    pub(super) category: Option<Category>,
    /// Whether something besides the medium proves that the click was paid for.
    pub(super) proven: bool,
}

impl Found<'_> {
    /// The channel by Google's table, and the rule's name.
    pub(super) fn channel(self, campaign: Option<&str>) -> (Channel, &'static str) {
        let Self { source, medium, category, proven } = self;
        let campaign = campaign.unwrap_or_default().to_lowercase();
        Channel::of(Signals { source, medium, campaign: &campaign, category, proven })
    }
}

/// Where a visitor came from.
pub(super) struct Place {
    /// The canonical source.
    pub(super) source: String,
    /// Its category, if it is known.
    pub(super) category: Option<Category>,
    /// Whether the source says in words that the click was paid for.
    pub(super) is_advertised: bool,
    is_named: bool,
}

impl Place {
    pub(super) fn of(
        named: Option<Named>,
        click: Option<Click<'_>>,
        referrer: &Referrer<'_>,
        sources: &Sources,
    ) -> Self {
        if let Some(Named { source, category, is_advertised }) = named {
            return Self { source, category, is_advertised, is_named: true };
        }
        let (source, category) = match (click, referrer) {
            (Some(click), _) => by_click(click, referrer, sources),
            (None, Referrer::InApp(MatchedRow { platform, .. })) => known(platform, sources),
            (None, Referrer::Foreign { found: Some(MatchedRow { platform, .. }), .. }) => {
                known(platform, sources)
            }
            (None, Referrer::Foreign { source, .. }) => (source.clone().into_owned(), None),
            (None, _) => (NO_SOURCE.to_owned(), None),
        };
        Self { source, category, is_advertised: false, is_named: false }
    }

    /// The medium. A tag is never overridden; a derived medium becomes paid if a click id or the
    /// source's name proves it.
    pub(super) fn medium(
        &self,
        evidence: &Evidence,
        click: Option<Click<'_>>,
        referrer: &Referrer<'_>,
    ) -> String {
        if let Some(medium) = &evidence.medium {
            return medium.to_lowercase();
        }
        let found = referrer.found().map(|found| found.platform.category);
        // A tagged source without a medium is paid only if a click id proves it.
        let proven = click.filter(|click| click.rule.is_paid() || !self.is_named);
        if let Some(Click { rule, .. }) = proven {
            let in_frame = rule.source == GOOGLE && found == Some(Category::DisplayAds);
            return if in_frame && !self.is_named {
                "display".to_owned()
            } else {
                rule.medium.clone()
            };
        }
        if self.is_advertised {
            return "cpc".to_owned();
        }
        let is_referred = matches!(referrer, Referrer::Foreign { .. }) && !self.is_named;
        // An ad frame says more than its platform's usual category.
        let shown = found.filter(|_| !self.is_named).or(self.category);
        let medium = shown.map(Category::medium);
        medium.unwrap_or(if is_referred { "referral" } else { NO_MEDIUM }).to_owned()
    }
}

/// The source that a click id stands for.
fn by_click(
    Click { rule, .. }: Click<'_>,
    referrer: &Referrer<'_>,
    sources: &Sources,
) -> (String, Option<Category>) {
    let shown = match referrer {
        Referrer::InApp(found) | Referrer::Foreign { found: Some(found), .. } => {
            Some(found.platform)
        }
        _ => None,
    };
    // Meta's platforms share a click id, and Google's ads are on YouTube too: the referrer says
    // where it was.
    let shared = shown.filter(|platform| match rule.source.as_str() {
        FACEBOOK => is_same_family(FACEBOOK, &platform.source),
        GOOGLE => {
            rule.kind == ClickKind::Paid
                && platform.category == Category::Video
                && is_same_family(GOOGLE, &platform.source)
        }
        _ => false,
    });
    match shared.or_else(|| sources.named(&rule.source)) {
        Some(platform) => (platform.source.clone(), Some(platform.category)),
        None => (rule.source.clone(), None),
    }
}

/// A platform's source and category. That of an ad frame gets its usual category: Google is a
/// search engine.
fn known(platform: &Platform, sources: &Sources) -> (String, Option<Category>) {
    let category = match platform.category {
        Category::SearchAds | Category::DisplayAds => {
            sources.named(&platform.source).map(|known| known.category)
        }
        category => Some(category),
    };
    (platform.source.clone(), category)
}
