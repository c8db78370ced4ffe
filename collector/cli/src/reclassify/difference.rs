//! Computes what the configured rules change in page views that other rules labelled. Pure; it
//! takes entities one by one and sums up the changes.

use clew_store::visitor::trail;
use clew_store::{Entity, Relabelled, Relabelling};
use collector::settings::Settings;
use serde_json::Value;
use shared::channel::Channel;
use shared::evidence::Evidence;
use shared::ids::SiteId;
use shared::page_view::PageView;
use shared::source::{Label, rules_name};
use shared::visit::Journey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Relabels the page views of a store.
pub(super) struct Reclassify<'a> {
    settings: &'a Settings,
    examples: usize,
    shown: BTreeSet<String>,
    difference: Difference,
}

/// The report: what changes and what does not.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Difference {
    /// The hash of the configured rules.
    pub(super) rules: u64,
    /// Page views by the hash of the rules that labelled them before.
    before: BTreeMap<u64, u64>,
    /// All visitors.
    visitors: u64,
    /// Page views of sites that are not configured; they are left unchanged.
    left_alone: BTreeMap<SiteId, u64>,
    /// Totals of what changes.
    changed: Relabelled,
    /// Page views whose label changes, by channel before and after.
    channels: BTreeMap<(Channel, Channel), u64>,
    /// The same, by the kind of rule that decided before and after.
    kinds: BTreeMap<(String, String), u64>,
    /// All touches by channel, before and after.
    touches: BTreeMap<Channel, (u64, u64)>,
    /// Some page views whose label changes, one for each distinct change.
    examples: Vec<Example>,
}

/// A page view whose label changes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Example {
    /// The page's URL.
    url: String,
    /// The evidence of its origin.
    evidence: Evidence,
    /// The stored label.
    before: Label,
    /// The label that the configured rules give.
    after: Label,
}

impl<'a> Reclassify<'a> {
    /// Uses the rules and sites of `settings` and shows at most `examples` examples.
    pub(super) fn new(settings: &'a Settings, examples: usize) -> Self {
        let difference = Difference { rules: settings.rules.hash(), ..Difference::default() };
        Self { settings, examples, shown: BTreeSet::new(), difference }
    }

    /// Takes an entity; returns the relabelling to write if it is a visitor that needs one.
    pub(super) fn take(&mut self, entity: Entity) -> Option<Relabelling> {
        let Entity::Visitor { site, visitor, events, .. } = entity else { return None };
        let trail = trail(events.into_iter().map(|event| event.row));
        let views = &trail.views;
        self.difference.visitors += 1;
        for view in views {
            *self.difference.before.entry(view.rules).or_default() += 1;
        }
        let Some(own) = self.settings.site(site.as_str()) else {
            let left_alone = self.difference.left_alone.entry(site).or_default();
            *left_alone += views.len() as u64;
            let journey = trail.journey();
            self.count_touches(&journey, &journey);
            return None;
        };
        let rules = self.difference.rules;
        let mut labels = Vec::new();
        for view in views {
            let label = self.settings.rules.label(
                &view.evidence,
                &view.url,
                &own.hosts,
                own.config.internal_tags,
            );
            if label != view.label {
                self.show(view, &label);
            } else if view.rules == rules {
                continue;
            }
            labels.push((view.id, label));
        }
        let relabelling = Relabelling { site, visitor, rules, labels };
        let change = relabelling.apply(trail);
        self.difference.changed += change.counted;
        self.count_touches(&change.before, &change.after);
        (!relabelling.labels.is_empty()).then_some(relabelling)
    }

    /// Returns the report.
    pub(super) fn finish(self) -> Difference {
        self.difference
    }

    fn show(&mut self, view: &PageView, after: &Label) {
        let before = &view.label;
        *self.difference.channels.entry((before.channel, after.channel)).or_default() += 1;
        let kinds = (kind(&before.rule), kind(&after.rule));
        *self.difference.kinds.entry(kinds).or_default() += 1;
        if self.difference.examples.len() >= self.examples {
            return;
        }
        if self.shown.insert(format!("{} {}", Line(before), Line(after))) {
            self.difference.examples.push(Example {
                url: view.url.clone(),
                evidence: view.evidence.clone(),
                before: before.clone(),
                after: after.clone(),
            });
        }
    }

    fn count_touches(&mut self, before: &Journey, after: &Journey) {
        for touch in &before.touches {
            self.difference.touches.entry(touch.label.channel).or_default().0 += 1;
        }
        for touch in &after.touches {
            self.difference.touches.entry(touch.label.channel).or_default().1 += 1;
        }
    }
}

/// The kind of a rule: without the host or parameter that it named, as in `referrer/organic_search`.
fn kind(rule: &str) -> String {
    let (by, channel) = rule.rsplit_once('/').unwrap_or((rule, ""));
    let by = by.split(':').next().unwrap_or_default();
    format!("{by}/{channel}")
}

/// Displays a label in one line.
struct Line<'a>(&'a Label);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Label { channel, source, medium, rule, .. } = self.0;
        write!(f, "{}: {source} / {medium}, by {rule}", channel.as_str())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page_views: u64 = self.before.values().sum();
        let Relabelled { labels, visitors, touches, .. } = self.changed;
        let all_touches: u64 = self.touches.values().map(|(before, _)| before).sum();
        writeln!(f, "{:<24} {:>12} {:>12}", "", "total", "changed")?;
        for (what, there, changed) in [
            ("page views", page_views, labels),
            ("touches", all_touches, touches),
            ("visitors", self.visitors, visitors),
        ] {
            writeln!(f, "{what:<24} {there:>12} {changed:>12}")?;
        }
        writeln!(f, "\nthe rules are {}; page views were labelled by", rules_name(self.rules))?;
        for (rules, count) in &self.before {
            writeln!(f, "  {:<22} {count:>12}", rules_name(*rules))?;
        }
        for (site, count) in &self.left_alone {
            writeln!(f, "left unchanged: {count} page views of {site}, which is not configured")?;
        }
        if labels == 0 {
            return Ok(());
        }
        writeln!(f, "\n{:<24} {:<24} {:>12}", "channel before", "after", "page views")?;
        for ((before, after), count) in &self.channels {
            writeln!(f, "{:<24} {:<24} {count:>12}", before.as_str(), after.as_str())?;
        }
        writeln!(f, "\n{:<36} {:<36} {:>12}", "rule before", "after", "page views")?;
        for ((before, after), count) in &self.kinds {
            writeln!(f, "{before:<36} {after:<36} {count:>12}")?;
        }
        writeln!(f, "\n{:<24} {:>12} {:>12}", "touches", "before", "after")?;
        for (channel, (before, after)) in &self.touches {
            writeln!(f, "{:<24} {before:>12} {after:>12}", channel.as_str())?;
        }
        for example in &self.examples {
            let Example { url, evidence, before, after } = example;
            writeln!(f, "\n{url}\n  {}", stated(evidence))?;
            writeln!(f, "  was {}\n  is  {}", Line(before), Line(after))?;
        }
        Ok(())
    }
}

/// The members of the evidence that are not empty, as JSON.
fn stated(evidence: &Evidence) -> String {
    let mut value = serde_json::to_value(evidence).unwrap_or_default();
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null() && *member != Value::Array(Vec::new()));
    }
    value.to_string()
}
