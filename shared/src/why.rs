//! Why a touch has the source and the channel that it has: what its page view said, which part of
//! that decided, and what was there and did not.
//!
//! Told from what is stored (evidence and label), not judged again: the rules may have changed since.

use crate::evidence::Evidence;
use crate::page_view::PageView;
use crate::source::{Label, Origin};
use crate::visit::Touch;
use serde::{Serialize, Serializer};

/// The reason for a touch's source and channel.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Why<'a> {
    /// The rule that decided.
    pub rule: &'a str,
    /// What the page view said of its origin, as written.
    pub evidence: Said<'a>,
    /// What else was there, each with what it lost to.
    pub lost: Vec<String>,
    /// All of it in words.
    pub words: String,
}

/// Evidence as written.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Said<'a> {
    /// Campaign tags by the names of their parameters.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    pub tags: Vec<(&'a str, &'a str)>,
    /// Click ids by the names of their parameters.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_object")]
    pub click_ids: Vec<(&'a str, &'a str)>,
    /// The referrer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<&'a str>,
}

#[expect(clippy::ptr_arg, reason = "serde hands over the member as it is")]
fn as_object<S: Serializer>(pairs: &Vec<(&str, &str)>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// Tells why, from the page view whose label the touch carries (`None` where that is not at hand).
pub fn why<'a>(touch: &'a Touch, page: Option<&'a PageView>) -> Why<'a> {
    let label = &touch.label;
    let mut told = page.map_or_else(Told::default, |page| Told::of(&page.evidence, label));
    if touch.continued {
        let source = place(label);
        told.words = format!(
            "The visit showed no origin but a page of the site's own, or one that only sends people \
             back, so it goes on under the touch before: {source}, {}.",
            label.channel.label()
        );
    }
    Why { rule: "", evidence: told.said, lost: told.lost, words: told.words }
}

/// What can be told of a page view.
#[derive(Default)]
struct Told<'a> {
    said: Said<'a>,
    lost: Vec<String>,
    words: String,
}

impl<'a> Told<'a> {
    fn of(evidence: &'a Evidence, label: &'a Label) -> Self {
        let said = Said::of(evidence);
        let channel = label.channel.label();
        let place = place(label);
        let host = evidence.referrer_host.as_deref().unwrap_or_default();
        let decides = label.click_id.as_ref().map(|id| id.name.as_str());
        let (because, lost_to) = match decider(evidence, label) {
            Decider::Tags => {
                let both = ["utm_source", "utm_medium"];
                let told = |name: &str| both.contains(&name) || said.tags.len() == 1;
                let tags = said.tags.iter().filter(|(name, _)| told(name));
                let mut tags: Vec<String> =
                    tags.map(|(name, value)| format!("{name}={value}")).collect();
                if tags.is_empty() {
                    tags.extend(said.tags.iter().map(|(name, _)| (*name).to_owned()));
                }
                // An id fills in what the tags leave open.
                let fills = evidence.source.is_none() || evidence.medium.is_none();
                tags.extend(decides.filter(|_| fills).map(|name| format!("the click id {name}")));
                let make = if tags.len() == 1 { "makes" } else { "make" };
                let tags = tags.join(" and ");
                (format!("{tags} on the landing page {make} it {place}, {channel}"), "tags decide")
            }
            Decider::ClickId(name) => (
                format!("The click id {name} on the landing page stands for {place}, {channel}"),
                "the click id decides",
            ),
            Decider::Referrer => (format!("The referrer {host} stands for {place}, {channel}"), ""),
            Decider::Nothing if !host.is_empty() => (
                format!(
                    "The referrer {host} is the site's own or one that only sends people back, \
                     and nothing else tells of an origin: {channel}"
                ),
                "",
            ),
            Decider::Nothing => (format!("No tags, no click id and no referrer: {channel}"), ""),
        };
        let lost = lost(evidence, label, lost_to);
        let names: Vec<&str> = lost.iter().filter_map(|lost| lost.split(':').next()).collect();
        let unneeded = match names.as_slice() {
            [] => String::new(),
            [one] => format!("; the {one} was not needed"),
            [rest @ .., last] => {
                format!("; the {} and the {last} were not needed", rest.join(", the "))
            }
        };
        Self { said, words: format!("{because}{unneeded}."), lost }
    }
}

impl<'a> Said<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let tags = [
            ("utm_source", &evidence.source),
            ("utm_medium", &evidence.medium),
            ("utm_campaign", &evidence.campaign),
            ("utm_id", &evidence.campaign_id),
            ("utm_term", &evidence.term),
            ("utm_content", &evidence.content),
        ];
        let ids = evidence.click_ids.iter();
        Self {
            tags: tags
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                .collect(),
            click_ids: ids.map(|id| (id.name.as_str(), id.value.as_str())).collect(),
            referrer: evidence.referrer.as_deref(),
        }
    }
}

/// What made the source.
enum Decider<'a> {
    Tags,
    ClickId(&'a str),
    Referrer,
    Nothing,
}

fn decider<'a>(evidence: &Evidence, label: &'a Label) -> Decider<'a> {
    match &label.click_id {
        _ if label.origin != Origin::Marketing => Decider::Nothing,
        _ if evidence.is_tagged() => Decider::Tags,
        Some(id) => Decider::ClickId(&id.name),
        None => Decider::Referrer,
    }
}

/// What the page view said beside what decided, and what that lost to.
fn lost(evidence: &Evidence, label: &Label, lost_to: &str) -> Vec<String> {
    let decides = label.click_id.as_ref().map(|id| &id.name);
    let mut lost = Vec::new();
    for id in &evidence.click_ids {
        let name = &id.name;
        match decides {
            Some(first) if first != name => {
                lost.push(format!("click id {name}: {first} comes before it"));
            }
            Some(_) if evidence.source.is_some() && evidence.medium.is_some() => {
                lost.push(format!("click id {name}: {lost_to}"));
            }
            _ => {}
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
