//! Replaces the labels of stored page views. This is the one definition of the verb `relabel`,
//! independent of any backend.

use serde::{Deserialize, Serialize};
use shared::ids::{EventId, SiteId, VisitorId};
use shared::page_view::PageView;
use shared::source::Label;
use shared::visit::{Journey, Touch, Trail};
use std::collections::HashMap;
use std::ops::AddAssign;

/// The labels that other rules give a visitor's page views.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Relabelling {
    /// The site.
    pub site: SiteId,
    /// The visitor.
    pub visitor: VisitorId,
    /// The hash of the new rules.
    pub rules: u64,
    /// The new labels. Page views that are not listed keep theirs.
    pub labels: Vec<(EventId, Label)>,
}

/// How much was changed, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Relabelled {
    /// Page views that were last judged by other rules, whether or not their label changed.
    pub page_views: u64,
    /// Page views among them whose label changed.
    pub labels: u64,
    /// Visitors with a changed label.
    pub visitors: u64,
    /// Touches that were added, removed or relabelled.
    pub touches: u64,
}

/// The changes to write, and their effect.
pub struct RelabelChanges {
    /// The page views that change.
    pub views: Vec<PageView>,
    /// The journey before the change.
    pub before: Journey,
    /// The journey after the change.
    pub after: Journey,
    /// The counts.
    pub counted: Relabelled,
}

impl AddAssign for Relabelled {
    fn add_assign(&mut self, more: Self) {
        let Self { page_views, labels, visitors, touches } = more;
        self.page_views += page_views;
        self.labels += labels;
        self.visitors += visitors;
        self.touches += touches;
    }
}

impl Relabelling {
    /// Computes the change for a visitor's stored page views.
    pub fn apply(&self, mut trail: Trail) -> RelabelChanges {
        let before = trail.journey();
        let labels: HashMap<EventId, &Label> =
            self.labels.iter().map(|(id, label)| (*id, label)).collect();
        let mut counted = Relabelled::default();
        let mut changed = Vec::new();
        for view in &mut trail.views {
            let Some(label) = labels.get(&view.id) else { continue };
            let other = view.label != **label;
            if !other && view.rules == self.rules {
                continue;
            }
            view.label = (*label).clone();
            view.rules = self.rules;
            counted.page_views += 1;
            counted.labels += u64::from(other);
            changed.push(view.clone());
        }
        let after = trail.journey();
        if counted.labels > 0 {
            counted.visitors = 1;
            counted.touches = touches_changed(&before.touches, &after.touches);
        }
        RelabelChanges { views: changed, before, after, counted }
    }
}

/// Counts changed touches. A touch is identified by the page view that began it.
fn touches_changed(before: &[Touch], after: &[Touch]) -> u64 {
    let mut old: HashMap<EventId, &Label> =
        before.iter().map(|touch| (touch.page, &touch.label)).collect();
    let other = |touch: &&Touch| old.remove(&touch.page) != Some(&touch.label);
    let changed = after.iter().filter(other).count();
    (changed + old.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::page_view::Totals;
    use shared::source::Origin;

    fn view(number: usize, minute: i64, source: &str) -> PageView {
        let at_ms = minute * 60_000;
        let mut random = [0; 10];
        random[9] = number as u8;
        PageView {
            id: EventId::new(at_ms, random),
            at_ms,
            received_at_ms: at_ms,
            url: String::new(),
            title: String::new(),
            totals: Totals::default(),
            evidence: shared::evidence::Evidence::default(),
            label: label(source),
            rules: 1,
            bot: None,
        }
    }

    fn label(source: &str) -> Label {
        match source {
            "" => Label::direct(Origin::Nothing, String::new()),
            source => Label {
                origin: Origin::Marketing,
                source: source.to_owned(),
                ..Label::direct(Origin::Marketing, String::new())
            },
        }
    }

    fn relabelling(labels: Vec<(EventId, Label)>) -> Relabelling {
        let site = SiteId::parse("demo").expect("a name");
        Relabelling { site, visitor: VisitorId::from_random([1; 16]), rules: 2, labels }
    }

    /// Page views an hour apart, given by their sources before and after. Expects the numbers of
    /// page views, labels and touches that change.
    fn check(before: &str, after: &str, expected: (u64, u64, u64)) {
        let source = |source: &str| source.trim_matches('-').to_owned();
        let views: Vec<PageView> = before
            .split(' ')
            .enumerate()
            .map(|(number, name)| view(number, number as i64 * 10, &source(name)))
            .collect();
        let labels = views.iter().zip(after.split(' '));
        let labels = labels.map(|(view, name)| (view.id, label(&source(name)))).collect();
        let Relabelled { page_views, labels, touches, .. } =
            relabelling(labels).apply(views.into_iter().collect()).counted;
        assert_eq!((page_views, labels, touches), expected, "{before} -> {after}");
    }

    #[test]
    fn what_is_counted() {
        // Only the rules' hash changes.
        check("a b", "a b", (2, 0, 0));
        // One touch is relabelled.
        check("a b", "a c", (2, 1, 1));
        // A direct page view belongs to the touch before it.
        check("a - b", "a - c", (3, 1, 1));
        // Two touches become one, and one becomes two.
        check("a b", "a a", (2, 1, 1));
        check("a a", "a b", (2, 1, 1));
        // The direct touch takes on the evidence: its page stays, its label changes.
        check("- a", "- b", (2, 1, 1));
        // A page view that no longer shows an origin becomes part of the touch before it.
        check("a b", "a -", (2, 1, 1));
        check("a b", "- -", (2, 2, 2));
    }

    proptest! {
        /// The counts match the journey, and relabelling again changes nothing.
        #[test]
        fn relabelled_is_as_if_it_came_so(
            rows in proptest::collection::vec((0..300i64, 0..4usize, 0..4usize, any::<bool>()), 1..20),
        ) {
            let sources = ["", "a", "b", "c"];
            let views: Vec<PageView> = rows
                .iter()
                .enumerate()
                .map(|(number, (minute, old, ..))| view(number, *minute, sources[*old]))
                .collect();
            let judged = views.iter().zip(&rows).filter(|(_, (.., judged))| *judged);
            let labels = judged.map(|(view, (_, _, new, _))| (view.id, label(sources[*new])));
            let relabelling = relabelling(labels.collect());
            let before = Journey::derive(&views);
            let change = relabelling.apply(views.iter().cloned().collect());

            let mut after = views;
            for changed in &change.views {
                let place = after.iter().position(|view| view.id == changed.id);
                after[place.expect("one of them")] = changed.clone();
            }
            let wanted = Journey::derive(&after);
            prop_assert_eq!(change.counted.touches == 0, wanted.touches.iter().map(|t| (t.page, &t.label)).eq(
                before.touches.iter().map(|t| (t.page, &t.label))));
            let again = relabelling.apply(after.into_iter().collect());
            prop_assert_eq!((again.views.len(), again.counted), (0, Relabelled::default()));
        }
    }
}
