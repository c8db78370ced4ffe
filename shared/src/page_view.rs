//! A stored page view: visits and touches are derived from these rows.
//!
//! Engagement only raises a row's totals and never adds to them, so a repeated or late event does
//! no harm.

use crate::evidence::Evidence;
use crate::ids::EventId;
use crate::limits;
use crate::source::{Label, Origin};
use serde::{Deserialize, Serialize};

/// A page view with everything known about it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PageView {
    /// The browser's event id.
    pub id: EventId,
    /// When it was shown, Unix milliseconds after clock correction.
    pub at_ms: i64,
    /// When the collector received it, Unix milliseconds.
    pub received_at_ms: i64,
    /// The page's URL without evidence.
    pub url: String,
    /// The page's title.
    pub title: String,
    /// Engagement so far.
    pub totals: Totals,
    /// The evidence of its origin, as sent.
    pub evidence: Evidence,
    /// The label that the rules gave it.
    pub label: Label,
    /// The hash of those rules.
    pub rules: u64,
    /// Why the visitor looks like a bot; `None` for people.
    pub bot: Option<String>,
}

/// Running totals of a page view. Each is a maximum, or a union by event id, so the order of
/// arrival does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Engaged milliseconds.
    pub engaged_ms: u32,
    /// The largest part of the page seen, 0 to 100.
    pub scroll_pct: u8,
    /// Whether a form on the page was focused.
    pub form_focused: bool,
    /// The latest activity on the page other than departures, Unix milliseconds after clock
    /// correction; 0 if there was none.
    pub active_at_ms: i64,
    /// The departures to other hosts in time order; only the first `limits::DEPARTURES` are kept.
    pub departures: Vec<Departure>,
}

/// A departure: the page was left for another host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Departure {
    /// When, Unix milliseconds after clock correction.
    pub at_ms: i64,
    /// The event that reported it. A repeat has the same id, but its time may be corrected
    /// differently.
    pub id: EventId,
    /// The host, in the form of [`crate::evidence::normal_host`].
    pub host: String,
}

impl Totals {
    /// Takes the greater value of each total and the departures of unknown events, and returns
    /// whether anything changed. Of repeats of one event the first stays, as with page views. Later
    /// departures never push out earlier ones, so the past changes only when a late event arrives.
    pub fn raise(&mut self, other: Self) -> bool {
        let before = self.clone();
        self.engaged_ms = self.engaged_ms.max(other.engaged_ms);
        self.scroll_pct = self.scroll_pct.max(other.scroll_pct);
        self.form_focused |= other.form_focused;
        self.active_at_ms = self.active_at_ms.max(other.active_at_ms);
        for departure in other.departures {
            if self.departures.iter().all(|known| known.id != departure.id) {
                let place = self.departures.partition_point(|known| *known < departure);
                self.departures.insert(place, departure);
            }
        }
        self.departures.truncate(limits::DEPARTURES);
        *self != before
    }
}

impl PageView {
    /// The sort key of a journey: time, then id.
    pub fn position(&self) -> (i64, EventId) {
        (self.at_ms, self.id)
    }

    /// When the visitor was last active on this page.
    pub fn active_at_ms(&self) -> i64 {
        let left_at_ms = self.totals.departures.last().map_or(self.at_ms, |left| left.at_ms);
        self.totals.active_at_ms.max(self.at_ms).max(left_at_ms)
    }

    /// Its approximate size in memory.
    pub fn bytes(&self) -> usize {
        let Self { url, title, evidence, label, totals, .. } = self;
        let texts = [Some(url), Some(title), evidence.referrer.as_ref(), label.referrer.as_ref()];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let ids = evidence.click_ids.iter().map(|id| size_of_val(id) + id.value.len());
        size_of::<Self>()
            + texts
            + ids.sum::<usize>()
            + totals.departures.len() * size_of::<Departure>()
    }

    /// The host of a foreign referrer, if nothing else shows an origin.
    pub fn only_referrer(&self) -> Option<&str> {
        let by_referrer = self.label.origin == Origin::Marketing
            && self.label.click_id.is_none()
            && !self.evidence.is_tagged();
        self.evidence.referrer_host.as_deref().filter(|_| by_referrer)
    }

    /// The campaign of tags on a link within the site, if they are no origin.
    pub fn internal_campaign(&self) -> Option<&str> {
        self.evidence.tagged_campaign().filter(|_| self.label.origin == Origin::Internal)
    }

    /// Whether the visitor engaged with the page.
    pub fn is_engaged(&self) -> bool {
        let Totals { engaged_ms, scroll_pct, form_focused, .. } = self.totals;
        let read =
            scroll_pct >= limits::ENGAGED_SCROLL_PCT && engaged_ms >= limits::ENGAGED_SCROLL_MS;
        engaged_ms >= limits::ENGAGED_PAGE_MS || read || form_focused
    }

    /// The page view as it was at a point in time; `None` if it did not exist yet. The browser's
    /// clock may run a little ahead, so a page view received before that time counts whatever its
    /// own time is. Engaged time that came in later is limited to the time that had passed.
    pub fn up_to(&self, at_ms: i64) -> Option<Self> {
        if self.at_ms.min(self.received_at_ms) > at_ms {
            return None;
        }
        let mut view = self.clone();
        let most_ms = at_ms.saturating_sub(self.at_ms).max(0);
        let totals = &mut view.totals;
        totals.active_at_ms = totals.active_at_ms.min(at_ms);
        totals.departures.retain(|departure| departure.at_ms <= at_ms);
        totals.engaged_ms = totals.engaged_ms.min(u32::try_from(most_ms).unwrap_or(u32::MAX));
        Some(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;
    use proptest::prelude::*;

    fn left(at_ms: i64, event: u8) -> Totals {
        let departure =
            Departure { at_ms, id: EventId::new(0, [event; 10]), host: "x.test".into() };
        Totals { departures: vec![departure], ..Totals::default() }
    }

    fn times(totals: &Totals) -> Vec<i64> {
        totals.departures.iter().map(|left| left.at_ms).collect()
    }

    #[test]
    fn a_departure_is_told_once() {
        let mut totals = left(5, 1);
        for corrected_otherwise in [5, 4, 6] {
            assert!(!totals.raise(left(corrected_otherwise, 1)), "{corrected_otherwise}");
        }
        assert!(totals.raise(left(4, 2)));
        assert!(totals.raise(left(5, 3)));
        assert_eq!(times(&totals), [4, 5, 5]);
    }

    /// Later departures leave the page view at an earlier time unchanged.
    #[test]
    fn later_departures_change_no_past() {
        let mut seen = view(0, "google");
        for event in 1..=4 {
            seen.totals.raise(left(i64::from(event), event));
        }
        let past = seen.up_to(4);
        assert_eq!(past.as_ref().map(|view| times(&view.totals)), Some(vec![1, 2, 3, 4]));
        for event in 5..=20 {
            seen.totals.raise(left(i64::from(event), event));
            assert_eq!(seen.up_to(4), past, "{event}");
        }
        assert_eq!(seen.active_at_ms(), 8, "a departure is a sign of life");
    }

    proptest! {
        /// The first departures are kept, in any order and however often each is reported.
        #[test]
        fn the_first_departures_are_kept(
            times in proptest::collection::vec(0..30i64, 0..40),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let reported: Vec<_> = (1..).zip(&times).map(|(event, at_ms)| left(*at_ms, event)).collect();
            let mut totals = Totals::default();
            for index in order.iter().filter(|_| !reported.is_empty()) {
                totals.raise(index.get(&reported).clone());
            }
            for one in &reported {
                totals.raise(one.clone());
            }
            let mut first: Vec<_> = reported.into_iter().flat_map(|one| one.departures).collect();
            first.sort_unstable();
            first.truncate(limits::DEPARTURES);
            prop_assert_eq!(totals.departures, first);
        }
    }
}
