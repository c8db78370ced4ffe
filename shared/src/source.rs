//! From evidence to a label: which source, which medium, which channel, and by which rule.
//!
//! The label is made once, when the page view arrives, and stored with the hash of the rules that
//! made it. What the rules know is data (`shared/sources`), and an operator adds to it. Facts: rules.md
//! sections 1 to 3, decisions.md section 5.

mod host;
mod label;
mod table;
mod words;

pub use host::{OwnHosts, parse_host, registrable};
pub use label::{DIRECT_SOURCE, Label, NO_MEDIUM, NO_SOURCE, Origin};
pub(crate) use table::rows;
pub use table::{Found, Platform, Sources, TableError};

use crate::channel::custom::{ChannelRules, Resolved};
use crate::channel::{Category, Channel, Signals};
use crate::click_id::{ClickId, ClickIdRule, ClickIds};
use crate::evidence::{self, Evidence, normal_host};
use url::Url;

/// The tables that are compiled in; later ones take the place of earlier ones' rows.
const PUBLISHED: &str = include_str!("../sources/published.csv");
const TABLES: [(&str, &str); 9] = [
    ("search.csv", include_str!("../sources/search.csv")),
    ("social.csv", include_str!("../sources/social.csv")),
    ("shopping.csv", include_str!("../sources/shopping.csv")),
    ("assistants.csv", include_str!("../sources/assistants.csv")),
    ("email.csv", include_str!("../sources/email.csv")),
    ("ads.csv", include_str!("../sources/ads.csv")),
    ("excluded.csv", include_str!("../sources/excluded.csv")),
    ("sites.csv", include_str!("../sources/sites.csv")),
    ("names.csv", include_str!("../sources/names.csv")),
];
const CLICK_IDS: &str = include_str!("../sources/click_ids.csv");

/// Raised when the code of the rules changes its answers.
const RULES_VERSION: u64 = 2;

/// A rule set's hash as people read it.
pub fn rules_name(hash: u64) -> String {
    format!("{hash:016x}")
}

/// What an operator adds to the rules: texts of tables, each with the name that errors tell.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// Rows of sources.
    pub sources: Vec<(String, String)>,
    /// Rows of click ids.
    pub click_ids: Vec<(String, String)>,
    /// Channel rules.
    pub channels: ChannelRules,
}

/// The rule set, and the hash that is stored with every label.
#[derive(Clone, Debug)]
pub struct Rules {
    sources: Sources,
    click_ids: ClickIds,
    channels: ChannelRules,
    hash: u64,
}

impl Rules {
    /// The rules that are compiled in.
    ///
    /// # Panics
    /// Never: a test reads every row of the tables.
    pub fn built_in() -> Self {
        Self::with(Additions::default())
            .unwrap_or_else(|error| unreachable!("a test reads the tables: {error}"))
    }

    /// The rules that are compiled in, and what an operator adds.
    ///
    /// # Errors
    /// A sentence with the name of the table and the line at fault.
    pub fn with(additions: Additions) -> Result<Self, String> {
        let (mut sources, mut click_ids) = (Sources::default(), ClickIds::default());
        let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(RULES_VERSION);
        let mut take = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let told = |name: &str, error: TableError| format!("{name}, {error}");
        take(PUBLISHED);
        sources.add_published(PUBLISHED).map_err(|error| told("published.csv", error))?;
        let own = additions.sources.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in TABLES.into_iter().chain(own) {
            take(text);
            sources.add(text).map_err(|error| told(name, error))?;
        }
        let own = additions.click_ids.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in [("click_ids.csv", CLICK_IDS)].into_iter().chain(own) {
            take(text);
            click_ids.add(text).map_err(|error| told(name, error))?;
        }
        take(&additions.channels.text());
        Ok(Self { sources, click_ids, channels: additions.channels, hash: hash.digest() })
    }

    /// The hash that is stored with each label.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Reads the evidence of a page view; see [`Evidence::read`].
    pub fn evidence(&self, url: &Url, referrer: &str) -> Evidence {
        Evidence::read(url, referrer, &self.click_ids)
    }

    /// A page's address without its evidence; see [`evidence::clean_url`].
    pub fn clean_url(&self, url: &Url) -> String {
        evidence::clean_url(url, &self.click_ids)
    }

    /// Judges a page view's evidence.
    pub fn label(&self, evidence: &Evidence, own: &OwnHosts) -> Label {
        let referrer = self.referrer(evidence, own);
        let click = evidence.click_ids.iter().find_map(|id| {
            Some((id, self.click_ids.rule(&id.name)?)).filter(|(_, rule)| rule.decides())
        });
        let weak = evidence.weak_source.as_deref().filter(|_| referrer.yields_to_weak());
        if !evidence.is_tagged() && click.is_none() && weak.is_none() {
            match &referrer {
                Referrer::None => {
                    return Label::direct(Origin::Nothing, "nothing/direct".to_owned());
                }
                Referrer::Own(host) => {
                    return Label::direct(Origin::Internal, format!("own:{host}/direct"));
                }
                Referrer::Excluded(name) => {
                    return Label::direct(Origin::Internal, format!("excluded:{name}/direct"));
                }
                Referrer::Foreign { .. } => {}
            }
        }
        let by = match (evidence.is_tagged(), click, weak) {
            (true, _, _) => "tags".to_owned(),
            (_, Some((id, _)), _) => format!("click_id:{}", id.name),
            (_, _, Some(_)) => "weak_tag".to_owned(),
            _ => referrer.told(),
        };
        let weak = weak.filter(|_| !evidence.is_tagged() && click.is_none());
        let tagged = evidence.source.as_deref().or(weak).map(str::to_lowercase);
        let (source, category) = self.source_of(tagged.as_deref(), click, &referrer);
        let medium = medium(evidence, click, category, weak.is_some(), &referrer);
        let campaign = evidence.campaign.clone();
        let campaign = campaign.or_else(|| {
            click.and_then(|(_, rule)| rule.campaign.clone()).filter(|_| !evidence.is_tagged())
        });
        let (host, keyword) = match referrer {
            Referrer::Foreign { host, keyword, .. } => (Some(host), keyword),
            _ => (None, None),
        };
        let (channel, rule) =
            self.channel(&source, &medium, campaign.as_deref(), category, evidence);
        Label {
            origin: Origin::Marketing,
            channel,
            source,
            medium,
            campaign,
            campaign_id: evidence.campaign_id.clone(),
            term: evidence.term.clone(),
            content: evidence.content.clone(),
            keyword,
            click_id: click.map(|(id, _)| id.clone()),
            referrer: evidence.referrer.clone().filter(|_| host.is_some()),
            referrer_host: host.map(str::to_owned),
            rule: format!("{by}/{rule}"),
        }
    }

    /// Judges dimensions that another system resolved, by Google's table exactly as it is published.
    pub fn label_resolved(&self, source: &str, medium: &str, campaign: &str) -> Label {
        let told = |text: &str| text.trim().to_lowercase();
        let none = |text: &str| matches!(text, "" | "null" | "(not set)" | "undefined");
        let (mut source, mut medium) = (told(source), told(medium));
        let written = campaign.trim();
        let campaign = (!none(&told(written))).then(|| written.to_owned());
        if [source.as_str(), medium.as_str()].iter().all(|text| text.is_empty())
            && campaign.is_none()
        {
            return Label::direct(Origin::Nothing, "nothing/direct".to_owned());
        }
        if none(&medium) {
            medium = if source == DIRECT_SOURCE { NO_MEDIUM } else { NO_SOURCE }.to_owned();
        }
        if none(&source) {
            source = NO_SOURCE.to_owned();
        }
        let name = normal_host(&source);
        let published = self.sources.published(&source).or_else(|| self.sources.published(&name));
        let assistant = || {
            let named = self.sources.named(&name);
            named.filter(|platform| platform.category == Category::Assistant)
        };
        let platform = published.or_else(assistant);
        let category = platform.map(|platform| platform.category);
        let evidence = Evidence::default();
        let (channel, rule) =
            self.channel(&source, &medium, campaign.as_deref(), category, &evidence);
        let source = platform.map_or(source.clone(), |platform| platform.source.clone());
        let origin = if channel == Channel::Direct { Origin::Nothing } else { Origin::Marketing };
        let rule = format!("resolved/{rule}");
        Label { channel, source, medium, campaign, origin, ..Label::direct(origin, rule) }
    }

    fn channel(
        &self,
        source: &str,
        medium: &str,
        campaign: Option<&str>,
        category: Option<Category>,
        evidence: &Evidence,
    ) -> (Channel, String) {
        let campaign = campaign.unwrap_or_default().to_lowercase();
        let resolved = Resolved { source, medium, campaign: &campaign };
        if let Some((channel, name)) = self.channels.find(resolved, evidence) {
            return (channel, format!("custom:{name}"));
        }
        let (channel, rule) =
            Channel::of(Signals { source, medium, campaign: &campaign, category });
        (channel, rule.to_owned())
    }

    /// What the referrer is to this site.
    fn referrer<'a>(&'a self, evidence: &'a Evidence, own: &OwnHosts) -> Referrer<'a> {
        let Some(host) = evidence.referrer_host.as_deref() else { return Referrer::None };
        let address = evidence.referrer.as_deref().and_then(|address| Url::parse(address).ok());
        let is_app = address.as_ref().is_some_and(|url| url.scheme().ends_with("-app"));
        if is_app {
            let found = self.sources.app(host);
            return Referrer::Foreign { host, source: host, found, keyword: None };
        }
        if own.own(host) {
            return Referrer::Own(host);
        }
        let found = self.sources.host(host, address.as_ref().map_or("", Url::path));
        if let Some(Found { name, .. }) =
            found.filter(|found| found.platform.category == Category::Excluded)
        {
            return Referrer::Excluded(name);
        }
        let searched = |found: Found<'_>| {
            matches!(found.platform.category, Category::Search | Category::Portal)
                .then(|| self.sources.words(&found.platform.source)?.find(address.as_ref()?))
                .flatten()
        };
        let keyword = found.and_then(searched);
        let portal = |found: &Found<'_>| found.platform.category == Category::Portal;
        let found = found.filter(|found| !portal(found) || keyword.is_some());
        Referrer::Foreign { host, source: registrable(host), found, keyword }
    }

    /// The canonical source and its category: what a tag says, else a click id, else the referrer.
    fn source_of(
        &self,
        tagged: Option<&str>,
        click: Option<(&ClickId, &ClickIdRule)>,
        referrer: &Referrer<'_>,
    ) -> (String, Option<Category>) {
        if let Some(name) = tagged {
            return self.named(name);
        }
        let foreign = match referrer {
            Referrer::Foreign { source, found, .. } => Some((*source, found.as_ref())),
            _ => None,
        };
        if let Some((_, rule)) = click {
            // Facebook's id stands on Instagram's links too; the referrer says which it was.
            let shared = foreign.and_then(|(_, found)| found).filter(|found| {
                !rule.is_paid()
                    && rule.medium == "social"
                    && found.platform.category == Category::Social
            });
            return match shared {
                Some(found) => (found.platform.source.clone(), Some(Category::Social)),
                None => self.named(&rule.source),
            };
        }
        match foreign {
            Some((_, Some(Found { platform, .. }))) => {
                // An ad frame's platform counts as what it is known for: Google as a search engine.
                let known = || self.sources.named(&platform.source).map(|known| known.category);
                let category = match platform.category {
                    Category::SearchAds | Category::DisplayAds => known(),
                    category => Some(category),
                };
                (platform.source.clone(), category)
            }
            Some((name, None)) => (name.to_owned(), None),
            None => (NO_SOURCE.to_owned(), None),
        }
    }

    /// The canonical source of a name; an unknown one is its own. Exclusions and ad frames are about
    /// referrers only.
    fn named(&self, name: &str) -> (String, Option<Category>) {
        let usable = |platform: &&Platform| {
            !matches!(
                platform.category,
                Category::Excluded | Category::SearchAds | Category::DisplayAds | Category::Portal
            )
        };
        match self.sources.named(name).filter(usable) {
            Some(platform) => (platform.source.clone(), Some(platform.category)),
            None => (name.to_owned(), None),
        }
    }
}

/// What a referrer is to a site.
enum Referrer<'a> {
    /// There is none, or none that can be read.
    None,
    /// A host of the site itself.
    Own(&'a str),
    /// A payment or login page, and the row that says so.
    Excluded(&'a str),
    /// Another place.
    Foreign {
        host: &'a str,
        /// What an unknown one is called: who registered it, or an app's package.
        source: &'a str,
        found: Option<Found<'a>>,
        /// What was searched for there.
        keyword: Option<String>,
    },
}

impl Referrer<'_> {
    /// Whether `?ref=` and `?source=` may say more than the referrer: engines and assistants keep
    /// addresses with parameters that somebody else once put there, and so do the site's own links.
    fn yields_to_weak(&self) -> bool {
        match self {
            Self::None => true,
            Self::Own(_) | Self::Excluded(_) => false,
            Self::Foreign { found, .. } => !found.is_some_and(|found| {
                matches!(
                    found.platform.category,
                    Category::Search | Category::Portal | Category::Assistant
                )
            }),
        }
    }

    fn told(&self) -> String {
        match self {
            Self::Foreign { found: Some(Found { name, .. }), .. } => format!("referrer:{name}"),
            Self::Foreign { host, .. } => format!("referrer:{host}"),
            Self::None | Self::Own(_) | Self::Excluded(_) => "nothing".to_owned(),
        }
    }
}

/// A tag is never overridden; a derived medium is raised to paid by an id that proves it.
fn medium(
    evidence: &Evidence,
    click: Option<(&ClickId, &ClickIdRule)>,
    category: Option<Category>,
    is_weak: bool,
    referrer: &Referrer<'_>,
) -> String {
    if let Some(medium) = &evidence.medium {
        return medium.to_lowercase();
    }
    // A tagged source without a medium is paid only where an id proves it.
    let proven = click.filter(|(_, rule)| rule.is_paid() || !evidence.is_tagged());
    if let Some((_, rule)) = proven {
        return rule.medium.clone();
    }
    let found = match referrer {
        Referrer::Foreign { found, .. } => Some(found.map(|found| found.platform.category)),
        _ => None,
    };
    match (category, found) {
        (_, Some(Some(Category::SearchAds))) if evidence.source.is_none() => "cpc",
        (_, Some(Some(Category::DisplayAds))) if evidence.source.is_none() => "display",
        (Some(Category::Search | Category::Portal), _) => "organic",
        (Some(Category::Social), _) => "social",
        (Some(Category::Assistant), _) => "ai-assistant",
        (Some(Category::Email), _) => "email",
        (Some(Category::Video | Category::Shopping | Category::Site), _) => "referral",
        (_, found) if is_weak || (found.is_some() && evidence.source.is_none()) => "referral",
        _ => NO_MEDIUM,
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
