//! From evidence to a label: which source, which medium, which channel.
//!
//! The label is made once, when the page view arrives, and stored with the hash of the rules that
//! made it. The table of sources is data (`shared/sources/sources.csv`).

use crate::channel::{Category, Channel, Signals};
use crate::evidence::{CLICK_IDS, ClickId, ClickIdRule, Evidence, normal_host};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Source of a visit that shows no origin.
pub const DIRECT_SOURCE: &str = "(direct)";
/// Medium of a visit that shows no origin.
pub const NO_MEDIUM: &str = "(none)";

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
    /// The keyword as written.
    pub term: Option<String>,
    /// The creative as written.
    pub content: Option<String>,
    /// The click id that decides.
    pub click_id: Option<ClickId>,
    /// The group.
    pub channel: Channel,
    /// The foreign referrer, without its query.
    pub referrer: Option<String>,
    /// The foreign referrer's host.
    pub referrer_host: Option<String>,
}

impl Label {
    /// The label of a page view that shows no origin.
    pub fn direct(origin: Origin) -> Self {
        Self {
            origin,
            source: DIRECT_SOURCE.to_owned(),
            medium: NO_MEDIUM.to_owned(),
            campaign: None,
            campaign_id: None,
            term: None,
            content: None,
            click_id: None,
            channel: Channel::Direct,
            referrer: None,
            referrer_host: None,
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

/// The hosts that belong to a site: `example.com` also stands for its subdomains.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnHosts(Vec<String>);

impl OwnHosts {
    /// From host names as an operator writes them.
    pub fn new<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(hosts.into_iter().map(|host| normal_host(host.trim_start_matches("*."))).collect())
    }

    /// Whether the host is one of them or below one.
    pub fn contain(&self, host: &str) -> bool {
        let host = normal_host(host);
        self.0.iter().any(|own| {
            host.strip_suffix(own.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// The rule set: the source table, and the hash that is stored with every label.
#[derive(Debug)]
pub struct Rules {
    sources: HashMap<String, (String, Category)>,
    hash: u64,
}

/// Raised when the code of the rules changes its answers.
const RULES_VERSION: u64 = 1;

impl Rules {
    /// The rules that are compiled in.
    ///
    /// # Panics
    /// Never: a test reads every row of the table.
    pub fn built_in() -> Self {
        Self::parse(include_str!("../sources/sources.csv")).unwrap_or_else(|line| {
            unreachable!("shared/sources/sources.csv: line {line} is wrong, which a test forbids")
        })
    }

    /// Reads a table of `name or host,canonical source,category`; the error is the line's number.
    ///
    /// # Errors
    /// The number, from one, of the first line that is no row or that repeats a name.
    pub fn parse(table: &str) -> Result<Self, usize> {
        let mut sources = HashMap::new();
        for (index, line) in table.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [name, source, category] = cells[..] else { return Err(index + 1) };
            let category = match category {
                "search" => Category::Search,
                "social" => Category::Social,
                "video" => Category::Video,
                "shopping" => Category::Shopping,
                "assistant" => Category::Assistant,
                "email" => Category::Email,
                "excluded" => Category::Excluded,
                _ => return Err(index + 1),
            };
            if sources.insert(name.to_owned(), (source.to_owned(), category)).is_some() {
                return Err(index + 1);
            }
        }
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(table.as_bytes(), RULES_VERSION);
        Ok(Self { sources, hash })
    }

    /// The hash that is stored with each label.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The longest row on a label boundary: `gemini.google.com` before `google.com`.
    fn find(&self, name: &str) -> Option<(&str, Category)> {
        let mut rest = name;
        loop {
            if let Some((source, category)) = self.sources.get(rest) {
                return Some((source, *category));
            }
            rest = rest.split_once('.')?.1;
        }
    }

    /// Judges a page view's evidence.
    pub fn label(&self, evidence: &Evidence, own: &OwnHosts) -> Label {
        let referrer = evidence.referrer_host.as_deref();
        let referrer_row = referrer.and_then(|host| self.find(host));
        let excluded = referrer_row.is_some_and(|(_, category)| category == Category::Excluded);
        let internal = referrer.is_some_and(|host| own.contain(host)) || excluded;
        let foreign = referrer.filter(|_| !internal);
        let click_rule = evidence.click_ids.first().and_then(|id| {
            CLICK_IDS.iter().find(|rule| rule.name == id.name).map(|rule| (id, rule))
        });
        if !evidence.is_tagged() && click_rule.is_none() && foreign.is_none() {
            return Label::direct(if internal { Origin::Internal } else { Origin::Nothing });
        }

        let tagged_source = evidence.source.as_deref().map(str::to_lowercase);
        let foreign_row = foreign.and(referrer_row);
        let (source, category) = match (&tagged_source, click_rule, foreign_row) {
            (Some(source), _, _) => self.named(source),
            (None, Some((_, rule)), _) => self.named(rule.source),
            (None, None, Some((source, category))) => (source.to_owned(), Some(category)),
            (None, None, None) => (foreign.unwrap_or("(not set)").to_owned(), None),
        };
        let medium =
            medium(evidence, click_rule.map(|(_, rule)| rule), category, foreign.is_some());
        let campaign = evidence.campaign.clone();
        let signals = Signals {
            source: &source,
            medium: &medium,
            campaign: &campaign.as_deref().unwrap_or("").to_lowercase(),
            category,
        };
        let channel = Channel::of(signals);
        Label {
            origin: Origin::Marketing,
            channel,
            source,
            medium,
            campaign,
            campaign_id: evidence.campaign_id.clone(),
            term: evidence.term.clone(),
            content: evidence.content.clone(),
            click_id: click_rule.map(|(id, _)| id.clone()),
            referrer: evidence.referrer.clone().filter(|_| foreign.is_some()),
            referrer_host: foreign.map(str::to_owned),
        }
    }

    /// The canonical source of a name; an unknown one is its own.
    fn named(&self, name: &str) -> (String, Option<Category>) {
        match self.find(&normal_host(name)) {
            Some((source, category)) => (source.to_owned(), Some(category)),
            None => (name.to_owned(), None),
        }
    }
}

/// A tag is never overridden; a derived medium is raised to paid by an id that proves it.
fn medium(
    evidence: &Evidence,
    click: Option<&ClickIdRule>,
    category: Option<Category>,
    has_referrer: bool,
) -> String {
    if let Some(medium) = &evidence.medium {
        return medium.to_lowercase();
    }
    // A tagged source without a medium is paid only where an id proves it.
    if let Some(rule) = click.filter(|rule| rule.paid || evidence.source.is_none()) {
        return rule.medium.to_owned();
    }
    match category {
        Some(Category::Search) => "organic",
        Some(Category::Social) => "social",
        Some(Category::Assistant) => "ai-assistant",
        Some(Category::Email) => "email",
        Some(Category::Video | Category::Shopping | Category::Excluded) => "referral",
        None if has_referrer && evidence.source.is_none() => "referral",
        None => NO_MEDIUM,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn check(query: &str, referrer: &str, expected: (&str, &str, Channel)) {
        let url = Url::parse(&format!("https://www.site.example/{query}")).unwrap();
        let own = OwnHosts::new(["site.example", "*.pay.example"]);
        let label = Rules::built_in().label(&Evidence::read(&url, referrer), &own);
        let found = (label.source.as_str(), label.medium.as_str(), label.channel);
        assert_eq!(found, expected, "{query} {referrer}");
    }

    #[test]
    fn sources() {
        use Channel::*;
        check("", "", ("(direct)", "(none)", Direct));
        check("", "https://shop.site.example/", ("(direct)", "(none)", Direct));
        check("", "https://www.paypal.com/x", ("(direct)", "(none)", Direct));
        check("", "https://notsite.example/", ("notsite.example", "referral", Referral));
        check("", "https://www.google.com/", ("google", "organic", OrganicSearch));
        check("", "https://gemini.google.com/", ("gemini", "ai-assistant", AiAssistant));
        check("", "https://l.facebook.com/", ("facebook", "social", OrganicSocial));
        check("", "https://notfacebook.com/", ("notfacebook.com", "referral", Referral));
        check("?gclid=a", "https://www.google.com/", ("google", "cpc", PaidSearch));
        check("?fbclid=a", "", ("facebook", "social", OrganicSocial));
        check("?fbclid=a&utm_medium=paid", "", ("facebook", "paid", PaidSocial));
        check("?utm_source=chatgpt.com", "", ("chatgpt", "ai-assistant", AiAssistant));
        check("?utm_source=Google&utm_medium=CPC&gclid=a", "", ("google", "cpc", PaidSearch));
        check(
            "?utm_source=newsletter&utm_medium=email",
            "https://news.example/",
            ("newsletter", "email", Email),
        );
        check("?utm_campaign=spring", "", ("(not set)", "(none)", Referral));
        check("?msclkid=1&gclid=2", "", ("google", "cpc", PaidSearch));
        check("?utm_source=partner&fbclid=1", "", ("partner", "(none)", Referral));
        check("?dclid=1", "", ("google", "display", Display));
    }

    #[test]
    fn every_row_resolves_to_what_it_says() {
        let rules = Rules::built_in();
        for (name, (source, category)) in &rules.sources {
            assert_eq!(rules.find(name), Some((source.as_str(), *category)), "{name}");
            assert_eq!(
                *name,
                normal_host(name),
                "{name} is not in the form that hosts are compared in"
            );
        }
        assert_eq!(Rules::parse("a,b").err(), Some(1));
        assert_eq!(Rules::parse("#\na,b,search\na,c,social").err(), Some(3));
        assert_ne!(
            Rules::parse("a,b,search").unwrap().hash(),
            Rules::parse("a,b,social").unwrap().hash()
        );
    }

    #[test]
    fn own_hosts_match_on_label_boundaries() {
        let own = OwnHosts::new(["Example.com", "*.shop.example"]);
        for (host, expected) in [
            ("example.com", true),
            ("WWW.EXAMPLE.COM", true),
            ("a.example.com", true),
            ("notexample.com", false),
            ("x.shop.example", true),
            ("example.com.evil.example", false),
        ] {
            assert_eq!(own.contain(host), expected, "{host}");
        }
    }
}
