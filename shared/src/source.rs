//! Rules: turn evidence into a label, that is a source, a medium, a channel, and the rule that
//! decided.
//!
//! A page view is labelled once, when it arrives, and the label is stored with the hash of the
//! rules that made it. The rules' tables are data (`shared/sources`), and operators can add to
//! them. `docs/sources.md` says in which order tags, click ids and referrers decide.

mod family;
mod key;
mod label;
mod place;
mod referrer;
mod row_error;
mod table;
mod words;

pub use crate::host::{OwnHosts, parse_host, registrable};
pub use crate::rows::TableError;
pub use label::{DIRECT_SOURCE, Label, NO_MEDIUM, NO_SOURCE, Origin};
pub use table::{MatchedRow, Platform, Sources};

use crate::channel::custom::{ChannelRules, Resolved};
use crate::channel::vocabulary::{self, Told};
use crate::channel::{self, Category, Channel, OwnChannel};
use crate::click_id::ClickIds;
use crate::evidence::{self, Evidence};
use crate::host::{normal_host, original_host};
use place::{Click, Found, Named, Place};
use referrer::Referrer;
use serde::Deserialize;
use url::Url;

/// The built-in tables; rows of later tables replace those of earlier ones.
const PUBLISHED: &str = include_str!("../sources/published.csv");
const TABLES: [(&str, &str); 11] = [
    ("search.csv", include_str!("../sources/search.csv")),
    ("social.csv", include_str!("../sources/social.csv")),
    ("shopping.csv", include_str!("../sources/shopping.csv")),
    ("assistants.csv", include_str!("../sources/assistants.csv")),
    ("email.csv", include_str!("../sources/email.csv")),
    ("ads.csv", include_str!("../sources/ads.csv")),
    ("affiliate.csv", include_str!("../sources/affiliate.csv")),
    ("spam.csv", include_str!("../sources/spam.csv")),
    ("excluded.csv", include_str!("../sources/excluded.csv")),
    ("sites.csv", include_str!("../sources/sites.csv")),
    ("names.csv", include_str!("../sources/names.csv")),
];
const CLICK_IDS: &str = include_str!("../sources/click_ids.csv");

/// Increased when the code of the rules changes its results.
const RULES_VERSION: u64 = 3;

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

/// Whether campaign tags on links within the site are an origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InternalTags {
    /// They are not; the page view keeps them.
    #[default]
    Ignore,
    /// They are, as any others.
    Touch,
}

/// What an operator's channel rules look at.
#[derive(Clone, Copy)]
struct Shown<'a> {
    evidence: &'a Evidence,
    landing_page: &'a str,
}

impl<'a> Shown<'a> {
    /// Evidence without a page.
    fn of(evidence: &'a Evidence) -> Self {
        Self { evidence, landing_page: "" }
    }
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
    /// The channels of the operator's own names.
    pub fn own_channels(&self) -> Vec<&'static str> {
        self.channels.own().into_iter().map(OwnChannel::as_str).collect()
    }

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
    pub fn evidence(&self, url: &Url, referrer: &str, user_agent: &str) -> Evidence {
        let evidence = Evidence::read(url, referrer, &self.click_ids);
        evidence.in_app(|| self.sources.app_word(user_agent))
    }

    /// The row for a referrer that somebody made up to advertise a site.
    pub fn spam(&self, evidence: &Evidence) -> Option<&str> {
        let found = self.sources.host(evidence.referrer_host.as_deref()?, "")?;
        (found.platform.category == Category::Spam).then_some(found.name)
    }

    /// A page's URL without evidence; see [`evidence::clean_url`].
    pub fn clean_url(&self, url: &Url) -> String {
        evidence::clean_url(url, &self.click_ids)
    }

    /// Labels a page view's evidence. `landing_page` is the page's URL, with or without evidence.
    pub fn label(
        &self,
        evidence: &Evidence,
        landing_page: &str,
        own: &OwnHosts,
        internal: InternalTags,
    ) -> Label {
        let shown = Shown { evidence, landing_page };
        let referrer = Referrer::of(evidence, own, &self.sources);
        if let Referrer::Own(host) = referrer
            && (internal == InternalTags::Ignore || !evidence.is_tagged())
        {
            return self.direct(Origin::Internal, &format!("own:{host}"), shown);
        }
        let is_own = matches!(referrer, Referrer::Own(_));
        let click = evidence.click_ids.iter().filter(|_| !is_own).find_map(|id| {
            let rule = self.click_ids.rule_for(&id.name, &id.value)?;
            (rule.decides() && !referrer.contradicts(rule)).then_some(Click { id, rule })
        });
        let weak = evidence.weak_source.as_deref();
        let weak = weak.filter(|_| click.is_none() && referrer.yields_to_weak());
        if !evidence.is_tagged() && click.is_none() && weak.is_none() {
            match &referrer {
                Referrer::None | Referrer::Own(_) => {
                    return self.direct(Origin::Nothing, "nothing", shown);
                }
                Referrer::Excluded(name) => {
                    return self.direct(Origin::Internal, &format!("excluded:{name}"), shown);
                }
                Referrer::InApp(_) | Referrer::Foreign { .. } => {}
            }
        }
        let by = match (evidence.is_tagged(), click, weak) {
            (true, _, _) => "tags".to_owned(),
            (_, Some(click), _) => format!("click_id:{}", click.id.name),
            (_, _, Some(_)) => "weak_tag".to_owned(),
            _ => referrer.trace_name(),
        };
        let tagged = evidence.source.as_deref().or(weak).map(str::to_lowercase);
        let named = tagged.as_deref().map(|name| self.named(name, evidence.medium.as_deref()));
        let place = Place::of(named, click, &referrer, &self.sources);
        let medium = place.medium(evidence, click, &referrer);
        // A free listing implies a campaign, unless a tag gives one or the source is another
        // platform.
        let listed = click.filter(|click| click.rule.source == place.source);
        let listed = listed.and_then(|click| click.rule.campaign.clone());
        let campaign = evidence.campaign.clone().or(listed);
        let pays = place.is_advertised || click.is_some_and(|click| click.pays_for(&place));
        let proven = pays && !channel::says_how(&place.source, &medium);
        let category = place.category.or_else(|| {
            let platform = self.sources.named(&click.filter(|_| proven)?.rule.source)?;
            Some(platform.category)
        });
        let (channel, rule) = self.channel(
            Found { source: &place.source, medium: &medium, category, proven },
            campaign.as_deref(),
            shown,
        );
        let (host, keyword) = match referrer {
            Referrer::Foreign { host, keyword, .. } => (Some(host), keyword),
            _ => (None, None),
        };
        Label {
            origin: Origin::Marketing,
            channel,
            source: place.source,
            medium,
            campaign,
            campaign_id: evidence.campaign_id.clone(),
            term: evidence.term.clone(),
            content: evidence.content.clone(),
            keyword,
            click_id: click.map(|click| click.id.clone()),
            referrer: evidence.referrer.clone().filter(|_| host.is_some()),
            referrer_host: host.map(str::to_owned),
            rule: format!("{by}/{rule}"),
        }
    }

    /// The label of a page view without an origin. An operator's rule may still set its channel.
    fn direct(&self, origin: Origin, by: &str, shown: Shown<'_>) -> Label {
        let direct =
            Found { source: DIRECT_SOURCE, medium: NO_MEDIUM, category: None, proven: false };
        let (channel, rule) = self.channel(direct, None, shown);
        Label { channel, ..Label::direct(origin, format!("{by}/{rule}")) }
    }

    /// Labels dimensions that another system resolved, by Google's table exactly as published.
    pub fn label_resolved(&self, source: &str, medium: &str, campaign: &str) -> Label {
        let nothing = Evidence::default();
        let normal = |text: &str| text.trim().to_lowercase();
        let none = |text: &str| matches!(text, "" | "null" | "(not set)" | "undefined");
        let (mut source, mut medium) = (normal(source), normal(medium));
        let written = campaign.trim();
        let campaign = (!none(&normal(written))).then(|| written.to_owned());
        if [source.as_str(), medium.as_str()].iter().all(|text| text.is_empty())
            && campaign.is_none()
        {
            return self.direct(Origin::Nothing, "nothing", Shown::of(&nothing));
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
            let named =
                self.sources.named(&name).filter(|platform| platform.category.can_be_named());
            named.filter(|platform| is_word || platform.category == Category::Assistant)
        };
        let platform = published.or_else(known);
        let category = platform.map(|platform| platform.category);
        let found = Found { source: &source, medium: &medium, category, proven: false };
        let (channel, rule) =
            self.published_channel(found, campaign.as_deref(), Shown::of(&nothing));
        let source = platform.map_or(source.clone(), |platform| platform.source.clone());
        let origin = if channel == Channel::Direct { Origin::Nothing } else { Origin::Marketing };
        let rule = format!("resolved/{rule}");
        Label { channel, source, medium, campaign, origin, ..Label::direct(origin, rule) }
    }

    /// The channel of a page view, by Google's table and the words that it lacks.
    fn channel(
        &self,
        found: Found<'_>,
        campaign: Option<&str>,
        shown: Shown<'_>,
    ) -> (Channel, String) {
        let told = vocabulary::medium(found.medium);
        let by_google = match told {
            Some(Told::Sms) => {
                return self.custom_or(Channel::Sms, "sms", found, campaign, shown);
            }
            Some(Told::Paid) => Found { proven: true, ..found },
            Some(Told::Display) => Found { medium: "display", ..found },
            Some(Told::Email) => Found { medium: "email", ..found },
            None => found,
        };
        let (channel, rule) = by_google.channel(campaign);
        self.custom_or(channel, rule, found, campaign, shown)
    }

    /// The channel by Google's table alone.
    fn published_channel(
        &self,
        found: Found<'_>,
        campaign: Option<&str>,
        shown: Shown<'_>,
    ) -> (Channel, String) {
        let (channel, rule) = found.channel(campaign);
        self.custom_or(channel, rule, found, campaign, shown)
    }

    /// An operator's own rule comes before ours.
    fn custom_or(
        &self,
        channel: Channel,
        rule: &str,
        found: Found<'_>,
        campaign: Option<&str>,
        shown: Shown<'_>,
    ) -> (Channel, String) {
        let campaign = campaign.unwrap_or_default();
        let Shown { landing_page, .. } = shown;
        let (source, medium) = (found.source, found.medium);
        let resolved = Resolved { source, medium, campaign, landing_page };
        match self.channels.find(resolved, shown.evidence) {
            Some((channel, name)) => (channel, format!("custom:{name}")),
            None => (channel, rule.to_owned()),
        }
    }

    /// The platform that a tag names; an unknown name stays as it is.
    fn named(&self, written: &str, medium: Option<&str>) -> Named {
        let address = written_address(written);
        let name = address.as_deref().unwrap_or(written);
        let exact = self.platform(name, medium);
        let advertiser = vocabulary::advertiser(name);
        let (base, is_apart) = advertiser.unwrap_or_default();
        let by_base = advertiser.and_then(|_| self.platform(base, medium));
        let is_advertised = advertiser.is_some() && (is_apart || by_base.is_some());
        let platform = exact.or(by_base);
        let source = platform.map_or_else(|| name.to_owned(), |platform| platform.source.clone());
        Named { source, category: platform.map(|platform| platform.category), is_advertised }
    }

    fn platform(&self, name: &str, medium: Option<&str>) -> Option<&Platform> {
        let by_app = || Some(self.sources.app(name, "")?.platform);
        let plain = name.trim_end_matches(['!', '®', '™', ' ', '/']);
        let found = self.sources.named_with(plain, medium).or_else(by_app);
        found.filter(|platform| platform.category.can_be_named())
    }
}

/// What is written as an address, as the host or the app's package in it.
fn written_address(written: &str) -> Option<String> {
    let decoded = evidence::unescaped(written);
    let has_scheme = decoded.contains("://") || decoded.starts_with("//");
    let has_path = decoded.contains('/') && decoded.split('/').next().is_some_and(is_host);
    if !has_scheme && !has_path {
        return None;
    }
    let rest = decoded.rsplit_once("://").map_or(&*decoded, |(_, rest)| rest);
    let host = rest.trim_start_matches('/').split(['/', '?', '#']).next()?;
    let host = normal_host(host.split(':').next()?.rsplit('@').next()?);
    let host = original_host(&host).unwrap_or(host);
    (!host.is_empty()).then_some(host)
}

fn is_host(text: &str) -> bool {
    text.contains('.') && parse_host(text).is_some()
}

#[cfg(test)]
mod tests;
