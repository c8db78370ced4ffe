//! A stored page view: the row that visits and touches are derived from.
//!
//! Engagement raises a row's totals, it never adds to them, so that a repeat or a late arrival
//! changes nothing that was true before.

use crate::evidence::Evidence;
use crate::ids::EventId;
use crate::limits;
use crate::source::{Label, Origin};
use serde::{Deserialize, Serialize};

/// One page view with everything known about it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PageView {
    /// The browser's event id.
    pub id: EventId,
    /// When it was shown, corrected Unix milliseconds.
    pub at_ms: i64,
    /// When the collector received it, Unix milliseconds.
    pub received_at_ms: i64,
    /// The address without evidence.
    pub url: String,
    /// The page's title.
    pub title: String,
    /// What the page saw of the visitor so far.
    pub totals: Totals,
    /// Its origin as written.
    pub evidence: Evidence,
    /// Its origin as judged.
    pub label: Label,
    /// The hash of the rules that judged it.
    pub rules: u64,
    /// Why the visitor looks like a program; `None` for people.
    pub bot: Option<String>,
}

/// Running totals of a page view. Everything is a maximum or a union, so the order of arrival is no
/// matter.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Engaged milliseconds.
    pub engaged_ms: u32,
    /// Greatest part of the page seen, 0 to 100.
    pub scroll_pct: u8,
    /// Whether a form of the page was focused.
    pub form_focused: bool,
    /// The latest sign of life on the page, corrected Unix milliseconds; 0 where none came.
    pub active_at_ms: i64,
    /// The hosts that the page was left for, in order, the latest `limits::DEPARTURES` of all told.
    pub departures: Vec<Departure>,
}

/// That a page was left for another host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Departure {
    /// When, corrected Unix milliseconds.
    pub at_ms: i64,
    /// For which host, in the form of [`crate::evidence::normal_host`].
    pub host: String,
}

impl Totals {
    /// Takes the greater of each, and all departures; tells whether anything rose.
    pub fn raise(&mut self, other: Self) -> bool {
        let before = self.clone();
        self.engaged_ms = self.engaged_ms.max(other.engaged_ms);
        self.scroll_pct = self.scroll_pct.max(other.scroll_pct);
        self.form_focused |= other.form_focused;
        self.active_at_ms = self.active_at_ms.max(other.active_at_ms);
        for departure in other.departures {
            if let Err(place) = self.departures.binary_search(&departure) {
                self.departures.insert(place, departure);
            }
        }
        let surplus = self.departures.len().saturating_sub(limits::DEPARTURES);
        self.departures.drain(..surplus);
        *self != before
    }
}

impl PageView {
    /// The order in which a journey is told: by time, then by id.
    pub fn position(&self) -> (i64, EventId) {
        (self.at_ms, self.id)
    }

    /// When the visitor was last active on this page.
    pub fn active_at_ms(&self) -> i64 {
        self.totals.active_at_ms.max(self.at_ms)
    }

    /// The foreign host that referred here, where nothing else tells of an origin.
    pub fn only_referrer(&self) -> Option<&str> {
        let by_referrer = self.label.origin == Origin::Marketing
            && self.label.click_id.is_none()
            && !self.evidence.is_tagged();
        self.evidence.referrer_host.as_deref().filter(|_| by_referrer)
    }

    /// Whether the page held the visitor.
    pub fn is_engaged(&self) -> bool {
        let Totals { engaged_ms, scroll_pct, form_focused, .. } = self.totals;
        let read =
            scroll_pct >= limits::ENGAGED_SCROLL_PCT && engaged_ms >= limits::ENGAGED_SCROLL_MS;
        engaged_ms >= limits::ENGAGED_PAGE_MS || read || form_focused
    }

    /// The view as it stood at a moment, `None` where it was not there yet. The browser's clock may
    /// run a little ahead, so a view that was received before counts however it is stamped. Totals
    /// that rose since are bounded by the time that there was.
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
    use proptest::prelude::*;

    fn left(at_ms: i64, host: &str) -> Totals {
        let departure = Departure { at_ms, host: host.into() };
        Totals { departures: vec![departure], ..Totals::default() }
    }

    #[test]
    fn a_departure_is_told_once() {
        let mut totals = left(5, "pay.test");
        assert!(!totals.raise(left(5, "pay.test")), "a repeat");
        assert!(totals.raise(left(4, "pay.test")));
        assert!(totals.raise(left(5, "bank.test")));
        let told: Vec<_> = totals.departures.iter().map(|left| (left.at_ms, &*left.host)).collect();
        assert_eq!(told, [(4, "pay.test"), (5, "bank.test"), (5, "pay.test")]);
    }

    proptest! {
        /// Whatever the order, and however often each is told: the latest are kept.
        #[test]
        fn the_latest_departures_are_kept(
            mut times in proptest::collection::vec((0..30i64, 0..2usize), 0..40),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let mut totals = Totals::default();
            for index in order.iter().filter(|_| !times.is_empty()) {
                let (at_ms, host) = *index.get(&times);
                totals.raise(left(at_ms, ["pay.test", "bank.test"][host]));
            }
            for (at_ms, host) in &times {
                totals.raise(left(*at_ms, ["pay.test", "bank.test"][*host]));
            }
            times.sort_unstable_by_key(|(at_ms, host)| (*at_ms, std::cmp::Reverse(*host)));
            times.dedup();
            let latest = times.split_off(times.len().saturating_sub(limits::DEPARTURES));
            let kept: Vec<_> = totals.departures.iter().map(|left| left.at_ms).collect();
            prop_assert_eq!(kept, latest.iter().map(|(at_ms, _)| *at_ms).collect::<Vec<_>>());
        }
    }
}
