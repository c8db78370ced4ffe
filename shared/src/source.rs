//! Rules: turn evidence into a label, that is a source, a medium, a channel, and the rule that
//! decided.
//!
//! A page view is labelled once, when it arrives, and the label is stored with the hash of the
//! rules that made it. The rules' tables are data (`shared/sources`), and operators can add to
//! them. `docs/sources.md` says in which order tags, click ids and referrers decide.

mod label;
mod referrer;
mod row_error;
mod table;
mod words;

pub use crate::host::{OwnHosts, parse_host, registrable};
pub use crate::rows::TableError;
pub use label::{DIRECT_SOURCE, Label, NO_MEDIUM, NO_SOURCE, Origin};
pub use table::{MatchedRow, Platform, Sources};

use crate::channel::custom::{ChannelRules, Resolved};
use crate::channel::{Category, Channel, Signals};
use crate::click_id::{ClickId, ClickIdRule, ClickIds};
use crate::evidence::{self, Evidence};
use crate::host::normal_host;
use referrer::Referrer;
use url::Url;

/// The built-in tables; rows of later tables replace those of earlier ones.
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

/// Platforms whose links also carry Facebook's click id.
const META: [&str; 4] = ["instagram", "threads", "messenger", "whatsapp"];

/// Increased when the code of the rules changes its results.
const RULES_VERSION: u64 = 2;

/// Formats a rule set's hash for people.
pub fn rules_name(hash: u64) -> String {
    format!("{hash:016x}")
}

/// What an operator adds to the rules: tables as text, each with the name used in errors.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// Tables of sources.
    pub sources: Vec<(String, String)>,
    /// Tables of click ids.
    pub click_ids: Vec<(String, String)>,
    /// Channel rules.
    pub channels: ChannelRules,
}

/// A rule set, and the hash that is stored with every label.
#[derive(Clone, Debug)]
pub struct Rules {
    sources: Sources,
    click_ids: ClickIds,
    channels: ChannelRules,
    hash: u64,
}

/// A table that could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{table}, {error}")]
pub struct RulesError {
    /// The table's name.
    pub table: String,
    /// What is wrong, and in which line.
    pub error: TableError,
}

impl Rules {
    /// The built-in rules.
    ///
    /// # Panics
    /// Never: a test reads every row of the tables.
    pub fn built_in() -> Self {
        Self::with(Additions::default())
            .unwrap_or_else(|error| unreachable!("a test reads the tables: {error}"))
    }

    /// The built-in rules plus an operator's additions.
    ///
    /// # Errors
    /// [`RulesError`], with the table and the line.
    pub fn with(additions: Additions) -> Result<Self, RulesError> {
        let (mut sources, mut click_ids) = (Sources::default(), ClickIds::default());
        let mut hash = xxhash_rust::xxh3::Xxh3::with_seed(RULES_VERSION);
        let mut take = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let wrong = |name: &str, error| RulesError { table: name.to_owned(), error };
        take(PUBLISHED);
        sources.add_published(PUBLISHED).map_err(|error| wrong("published.csv", error))?;
        let own = additions.sources.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in TABLES.into_iter().chain(own) {
            take(text);
            sources.add(text).map_err(|error| wrong(name, error))?;
        }
        let own = additions.click_ids.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        for (name, text) in [("click_ids.csv", CLICK_IDS)].into_iter().chain(own) {
            take(text);
            click_ids.add(text).map_err(|error| wrong(name, error))?;
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

    /// A page's URL without evidence; see [`evidence::clean_url`].
    pub fn clean_url(&self, url: &Url) -> String {
        evidence::clean_url(url, &self.click_ids)
    }

    /// Labels a page view's evidence.
    pub fn label(&self, evidence: &Evidence, own: &OwnHosts) -> Label {
        let referrer = Referrer::of(evidence, own, &self.sources);
        let click = evidence.click_ids.iter().find_map(|id| {
            Some((id, self.click_ids.rule(&id.name)?)).filter(|(_, rule)| rule.decides())
        });
        let weak = evidence.weak_source.as_deref();
        let weak = weak.filter(|_| click.is_none() && referrer.yields_to_weak());
        if !evidence.is_tagged() && click.is_none() && weak.is_none() {
            match &referrer {
                Referrer::None => return self.direct(Origin::Nothing, "nothing", evidence),
                Referrer::Own(host) => {
                    return self.direct(Origin::Internal, &format!("own:{host}"), evidence);
                }
                Referrer::Excluded(name) => {
                    return self.direct(Origin::Internal, &format!("excluded:{name}"), evidence);
                }
                Referrer::Foreign { .. } => {}
            }
        }
        let by = match (evidence.is_tagged(), click, weak) {
            (true, _, _) => "tags".to_owned(),
            (_, Some((id, _)), _) => format!("click_id:{}", id.name),
            (_, _, Some(_)) => "weak_tag".to_owned(),
            _ => referrer.trace_name(),
        };
        let tagged = evidence.source.as_deref().or(weak).map(str::to_lowercase);
        let (source, category) = self.source_of(tagged.as_deref(), click, &referrer);
        let medium = medium(evidence, click, category, tagged.is_some(), &referrer);
        // A free listing implies a campaign, unless a tag gives one or the source is another
        // platform.
        let listed = click.filter(|(_, rule)| rule.source == source);
        let listed = listed.and_then(|(_, rule)| rule.campaign.clone());
        let campaign = evidence.campaign.clone().or(listed);
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

    /// The label of a page view without an origin. An operator's rule may still set its channel.
    fn direct(&self, origin: Origin, by: &str, evidence: &Evidence) -> Label {
        let (channel, rule) = self.channel(DIRECT_SOURCE, NO_MEDIUM, None, None, evidence);
        Label { channel, ..Label::direct(origin, format!("{by}/{rule}")) }
    }

    /// Labels dimensions that another system resolved, by Google's table exactly as published.
    pub fn label_resolved(&self, source: &str, medium: &str, campaign: &str) -> Label {
        let normal = |text: &str| text.trim().to_lowercase();
        let none = |text: &str| matches!(text, "" | "null" | "(not set)" | "undefined");
        let (mut source, mut medium) = (normal(source), normal(medium));
        let written = campaign.trim();
        let campaign = (!none(&normal(written))).then(|| written.to_owned());
        if [source.as_str(), medium.as_str()].iter().all(|text| text.is_empty())
            && campaign.is_none()
        {
            return self.direct(Origin::Nothing, "nothing", &Evidence::default());
        }
        if none(&medium) {
            medium = if source == DIRECT_SOURCE { NO_MEDIUM } else { NO_SOURCE }.to_owned();
        }
        if none(&source) {
            source = NO_SOURCE.to_owned();
        }
        let name = normal_host(&source);
        let published = self.sources.published(&source).or_else(|| self.sources.published(&name));
        // Our names of platforms count where Google has none. Our hosts do not count, except those
        // of assistants.
        let known = || {
            let is_word = !name.contains('.');
            let named = self.sources.named(&name).filter(|platform| is_usable(platform));
            named.filter(|platform| is_word || platform.category == Category::Assistant)
        };
        let platform = published.or_else(known);
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

    /// The canonical source and its category: from a tag, else from a click id, else from the
    /// referrer.
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
            // Meta's other platforms use Facebook's click id too; the referrer says which platform
            // it was.
            let shared = foreign.and_then(|(_, found)| found).filter(|found| {
                rule.source == "facebook" && META.contains(&found.platform.source.as_str())
            });
            return match shared {
                Some(found) => (found.platform.source.clone(), Some(Category::Social)),
                None => self.named(&rule.source),
            };
        }
        match foreign {
            Some((_, Some(MatchedRow { platform, .. }))) => {
                // The platform of an ad frame gets its usual category: Google is a search engine.
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

    /// The canonical source of a name; an unknown name stays as it is.
    fn named(&self, name: &str) -> (String, Option<Category>) {
        match self.sources.named(name).filter(|platform| is_usable(platform)) {
            Some(platform) => (platform.source.clone(), Some(platform.category)),
            None => (name.to_owned(), None),
        }
    }
}

/// Whether a tag can name the platform: exclusions and ad frames only apply to referrers.
fn is_usable(platform: &Platform) -> bool {
    !matches!(
        platform.category,
        Category::Excluded | Category::SearchAds | Category::DisplayAds | Category::Portal
    )
}

/// The medium. A tag is never overridden; a derived medium becomes paid if a click id proves it.
fn medium(
    evidence: &Evidence,
    click: Option<(&ClickId, &ClickIdRule)>,
    category: Option<Category>,
    is_named: bool,
    referrer: &Referrer<'_>,
) -> String {
    if let Some(medium) = &evidence.medium {
        return medium.to_lowercase();
    }
    // A tagged source without a medium is paid only if a click id proves it.
    let proven = click.filter(|(_, rule)| rule.is_paid() || !is_named);
    if let Some((_, rule)) = proven {
        return rule.medium.clone();
    }
    let found = match referrer {
        Referrer::Foreign { found, .. } => Some(found.map(|found| found.platform.category)),
        _ => None,
    };
    match (category, found) {
        (_, Some(Some(Category::SearchAds))) if !is_named => "cpc",
        (_, Some(Some(Category::DisplayAds))) if !is_named => "display",
        (Some(Category::Search | Category::Portal), _) => "organic",
        (Some(Category::Social), _) => "social",
        (Some(Category::Assistant), _) => "ai-assistant",
        (Some(Category::Email), _) => "email",
        (Some(Category::Video | Category::Shopping | Category::Site), _) => "referral",
        (_, Some(_)) if !is_named => "referral",
        _ => NO_MEDIUM,
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
