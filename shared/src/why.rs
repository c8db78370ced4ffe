//! Explains why a touch has its source and channel: what the page view showed, which part of it
//! decided, and which parts did not.
//!
//! The explanation uses the stored evidence and label. It does not label again, because the rules
//! may have changed since.

use crate::evidence::Evidence;
use crate::ids::EventId;
use crate::page_view::PageView;
use crate::source::{Label, rules_name};
use crate::time::rfc3339;
use crate::visit::{Began, Touch};

/// The reason for a touch's source and channel.
#[derive(Clone, PartialEq, Debug)]
pub struct Why<'a> {
    /// The rule that decided.
    pub rule: &'a str,
    /// The rule set it belongs to, as `clew check` and `clew reclassify` show it.
    pub rules: Option<String>,
    /// The page view's evidence, as written.
    pub evidence: WrittenEvidence<'a>,
    /// Evidence that did not decide, each with what took precedence over it.
    pub lost: Vec<String>,
    /// The explanation as sentences.
    pub words: String,
}

/// Evidence as written.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WrittenEvidence<'a> {
    /// Campaign tags by parameter name.
    pub tags: Vec<(&'a str, &'a str)>,
    /// The value of the parameter `source` or `ref`.
    pub source_or_ref: Option<&'a str>,
    /// Click ids by parameter name.
    pub click_ids: Vec<(&'a str, &'a str)>,
    /// The referrer.
    pub referrer: Option<&'a str>,
}

/// Explains a touch. `page` looks up the page views of the touch's visitor. If the page view that
/// gave the touch its label is missing, only the rule is known.
pub fn why<'a>(touch: &'a Touch, page: impl Fn(EventId) -> Option<&'a PageView>) -> Why<'a> {
    let label = &touch.label;
    let rule = label.rule.as_str();
    let Some(origin) = page(touch.evidence) else {
        let (evidence, words) = (WrittenEvidence::default(), String::new());
        return Why { rule, rules: None, evidence, lost: Vec::new(), words };
    };
    let lost = lost(&origin.evidence, label);
    let reason = format!("{}{}.", explanation(&origin.evidence, label), unneeded(&lost));
    let words = match touch.began {
        Began::Evidence | Began::Direct => reason,
        Began::Upgraded => {
            let at = rfc3339(origin.at_ms);
            format!("The visit began without evidence; a page view at {at} brought some. {reason}")
        }
        Began::Continued => {
            let host = page(touch.page).and_then(|page| page.evidence.referrer_host.as_deref());
            let host = host.unwrap_or("a page of the site");
            format!(
                "The visitor came back from {host} within 24 hours, which is not a new touch, so \
                 the visit keeps the source of the previous touch. For that touch: {reason}"
            )
        }
    };
    let rules = Some(rules_name(origin.rules));
    Why { rule, rules, evidence: WrittenEvidence::of(&origin.evidence), lost, words }
}

/// The unused evidence, as the end of a sentence.
fn unneeded(lost: &[String]) -> String {
    let names: Vec<&str> = lost.iter().filter_map(|lost| lost.split(':').next()).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("; the {one} was not used"),
        [rest @ .., last] => {
            format!("; the {} and the {last} were not used", rest.join(", the "))
        }
    }
}

impl<'a> WrittenEvidence<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let tags = [
            ("utm_source", &evidence.source),
            ("utm_medium", &evidence.medium),
            ("utm_campaign", &evidence.campaign),
            ("utm_id", if evidence.has_utm_id() { &evidence.campaign_id } else { &None }),
            ("utm_term", &evidence.term),
            ("utm_content", &evidence.content),
        ];
        let ids = evidence.click_ids.iter();
        Self {
            tags: tags
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                .collect(),
            source_or_ref: evidence.weak_source.as_deref(),
            click_ids: ids.map(|id| (id.name.as_str(), id.value.as_str())).collect(),
            referrer: evidence.referrer.as_deref(),
        }
    }
}

/// What decided the source and channel, as a sentence without its full stop.
fn explanation(evidence: &Evidence, label: &Label) -> String {
    let (by, rule) = label.rule.split_once('/').unwrap_or_default();
    let (by, name) = by.split_once(':').unwrap_or((by, ""));
    let channel = label.channel.label();
    // An operator's own rule sets the channel, whatever set the source.
    let channel = match rule.strip_prefix("custom:") {
        Some(custom) => format!("{}, and the rule `{custom}` puts it in {channel}", place(label)),
        None => format!("{}, {channel}", place(label)),
    };
    match by {
        "tags" => {
            let (tags, make) = tags(evidence, label);
            format!("{tags} on the landing page {make} it {channel}")
        }
        "weak_tag" => {
            let source = evidence.weak_source.as_deref().unwrap_or_default();
            format!("The parameter `source` or `ref` says {source}, which makes it {channel}")
        }
        "click_id" => {
            format!("The click id {name} on the landing page means {channel}")
        }
        "referrer" => {
            let host = evidence.referrer_host.as_deref().unwrap_or(name);
            format!("The referrer {host} means {channel}")
        }
        "own" => {
            format!("The referrer {name} is the site's own, and there is no other evidence: Direct")
        }
        "excluded" => {
            format!(
                "The referrer {name} only sends visitors back, and there is no other evidence: Direct"
            )
        }
        "repeated" => {
            format!(
                "The click id {name} had come before, with a bookmark or a copied link now, and there is \
                 no other evidence: Direct"
            )
        }
        "in_app" => {
            format!("The page was opened in the app of {name}, which means {channel}")
        }
        "paired" => {
            format!(
                "The site had just sent the visitor to {name}, and there is no other evidence: Direct"
            )
        }
        _ => "No tags, no click id and no referrer: Direct".to_owned(),
    }
}

/// The tags that decide, and the verb that follows them.
fn tags(evidence: &Evidence, label: &Label) -> (String, &'static str) {
    let written = WrittenEvidence::of(evidence);
    let decide = |name: &str| matches!(name, "utm_source" | "utm_medium");
    let mut tags: Vec<String> = Vec::new();
    for (name, value) in &written.tags {
        if decide(name) {
            tags.push(format!("{name}={value}"));
        }
    }
    if tags.is_empty() {
        tags.extend(written.tags.first().map(|(name, value)| format!("{name}={value}")));
    }
    // A click id fills in what the tags leave open.
    let fills = label.click_id.as_ref().filter(|_| is_open(evidence));
    tags.extend(fills.map(|id| format!("the click id {}", id.name)));
    let make = if tags.len() == 1 { "makes" } else { "make" };
    (tags.join(" and "), make)
}

/// Whether the tags lack a source or a medium.
fn is_open(evidence: &Evidence) -> bool {
    evidence.source.is_none() || evidence.medium.is_none()
}

/// The evidence that did not decide, and what took precedence.
fn lost(evidence: &Evidence, label: &Label) -> Vec<String> {
    let by = label.rule.split(['/', ':']).next().unwrap_or_default();
    let decides = label.click_id.as_ref().map(|id| id.name.as_str());
    let lost_to = match by {
        "tags" => "tags decide",
        "click_id" => "the click id decides",
        "weak_tag" => "the parameter decides",
        _ => "",
    };
    let mut lost = Vec::new();
    if let Some(source) = evidence.weak_source.as_ref().filter(|_| by != "weak_tag") {
        let to = if lost_to.is_empty() { "the referrer decides" } else { lost_to };
        lost.push(format!("parameter {source}: {to}"));
    }
    for id in &evidence.click_ids {
        let name = id.name.as_str();
        match decides {
            None => lost.push(format!("click id {name}: it does not identify a source")),
            Some(first) if first != name => {
                lost.push(format!("click id {name}: {first} takes precedence"));
            }
            Some(_) if by == "tags" && !is_open(evidence) => {
                lost.push(format!("click id {name}: {lost_to}"));
            }
            Some(_) => {}
        }
    }
    if let Some(host) = evidence.referrer_host.as_ref().filter(|_| !lost_to.is_empty()) {
        lost.push(format!("referrer {host}: {lost_to}"));
    }
    lost
}

/// `google / cpc`
fn place(label: &Label) -> String {
    format!("{} / {}", label.source, label.medium)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{InternalTags, OwnHosts, Rules};
    use crate::testing::view;
    use crate::visit::Journey;
    use std::sync::LazyLock;
    use url::Url;

    fn check(query: &str, referrer: &str, lost: &[&str], words: &str) {
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
        let url = Url::parse(&format!("https://www.site.example/{query}")).unwrap();
        let mut page = view(0, "");
        page.evidence = RULES.evidence(&url, referrer, "");
        page.label =
            RULES.label(&page.evidence, "", &OwnHosts::new(["site.example"]), InternalTags::Ignore);
        let touch = Journey::derive([&page]).touches.remove(0);
        let why = why(&touch, |_| Some(&page));
        assert_eq!((why.words.as_str(), why.rule), (words, page.label.rule.as_str()), "{query}");
        assert_eq!(why.lost, lost, "{query} {referrer}");
    }

    #[test]
    fn reasons_in_words() {
        check("", "", &[], "No tags, no click id and no referrer: Direct.");
        check(
            "?utm_source=google&utm_medium=cpc",
            "https://www.google.com/",
            &["referrer google.com: tags decide"],
            "utm_source=google and utm_medium=cpc on the landing page make it google / cpc, \
             Paid Search; the referrer google.com was not used.",
        );
        check(
            "?utm_source=google&utm_medium=cpc&gclid=1&fbclid=2",
            "https://www.google.com/",
            &[
                "click id gclid: tags decide",
                "click id fbclid: gclid takes precedence",
                "referrer google.com: tags decide",
            ],
            "utm_source=google and utm_medium=cpc on the landing page make it google / cpc, \
             Paid Search; the click id gclid, the click id fbclid and the referrer google.com were \
             not used.",
        );
        check(
            "?utm_source=google&gclid=1",
            "",
            &[],
            "utm_source=google and the click id gclid on the landing page make it google / cpc, \
             Paid Search.",
        );
        check(
            "?utm_campaign=spring",
            "",
            &[],
            "utm_campaign=spring on the landing page makes it (not set) / (none), Other.",
        );
        check(
            "?gclid=1",
            "https://news.example/",
            &["referrer news.example: the click id decides"],
            "The click id gclid on the landing page means google / cpc, Paid Search; \
             the referrer news.example was not used.",
        );
        check(
            "",
            "https://www.google.com/",
            &[],
            "The referrer google.com means google / organic, Organic Search.",
        );
        check(
            "?ref=partner",
            "",
            &[],
            "The parameter `source` or `ref` says partner, which makes it partner / (none), Referral.",
        );
        check(
            "?ref=partner&gclid=1",
            "",
            &["parameter partner: the click id decides"],
            "The click id gclid on the landing page means google / cpc, Paid Search; \
             the parameter partner was not used.",
        );
        check(
            "",
            "https://shop.site.example/",
            &[],
            "The referrer shop.site.example is the site's own, and there is no other evidence: Direct.",
        );
        check(
            "",
            "https://www.paypal.com/x",
            &[],
            "The referrer paypal.com only sends visitors back, and there is no other evidence: Direct.",
        );
    }

    /// Checks the explanation of the last touch of page views a few minutes apart, with these
    /// origins.
    fn check_last(origins: &[(i64, &str)], expected: &str) {
        let views: Vec<_> =
            origins.iter().map(|(minute, origin)| view(minute * 60_000, origin)).collect();
        let touch = Journey::derive(&views).touches.pop().unwrap();
        let why = why(&touch, |page| views.iter().find(|view| view.id == page));
        assert_eq!(why.words, expected, "{origins:?}");
    }

    #[test]
    fn touches_with_a_past() {
        let google =
            "utm_source=google on the landing page makes it google / organic, Organic Search.";
        check_last(&[(0, "google"), (1, "")], google);
        check_last(
            &[(0, ""), (1, "google")],
            &format!(
                "The visit began without evidence; a page view at 1970-01-01T00:01:00Z brought \
                 some. {google}"
            ),
        );
        check_last(
            &[(0, "google"), (60, "own")],
            &format!(
                "The visitor came back from site.example within 24 hours, which is not a new touch, \
                 so the visit keeps the source of the previous touch. For that touch: {google}"
            ),
        );
    }

    #[test]
    fn a_touch_whose_page_is_gone_still_has_its_rule() {
        let page = view(0, "google");
        let touch = Journey::derive([&page]).touches.remove(0);
        let why = why(&touch, |_| None);
        assert_eq!((why.rule, why.words.as_str()), (page.label.rule.as_str(), ""));
        assert_eq!(why.evidence, WrittenEvidence::default());
    }
}
