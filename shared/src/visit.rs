//! Visits and touches: a pure fold over a visitor's labelled page views in time order.
//!
//! The fold is the definition. [`Journey::derive`] runs it over all page views; a store that
//! receives the newest page view takes one more step with [`Journey::append`], and one that
//! receives an older one derives again. Either way the result is the same, whatever the order.

use crate::ids::EventId;
use crate::limits;
use crate::page_view::PageView;
use crate::source::{Label, Origin};
use serde::{Deserialize, Serialize};

/// A contact with its marketing evidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Touch {
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// The page view that began it.
    pub page: EventId,
    /// The visit that it lies in, counted from 0.
    pub visit: u32,
    /// Where it came from.
    pub label: Label,
    /// The address that it landed on.
    pub landing_page: String,
    /// A visit that only showed an own or excluded referrer goes on under this earlier source.
    pub continued: bool,
    /// Page views during the touch.
    pub page_views: u32,
    /// Engaged milliseconds during the touch.
    pub engaged_ms: u64,
}

/// A run of activity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// The last sign of life, Unix milliseconds.
    pub active_at_ms: i64,
    /// Its page views.
    pub page_views: u32,
    /// Engaged milliseconds of its pages.
    pub engaged_ms: u64,
}

impl Visit {
    /// A sign of life; a visit lasts no longer than its limit, whatever stays open.
    fn stay(&mut self, active_at_ms: i64) {
        let end_ms = self.at_ms.saturating_add(limits::VISIT_LENGTH_MS);
        self.active_at_ms = self.active_at_ms.max(active_at_ms.min(end_ms));
    }
}

/// A visitor's visits and touches in time order.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Journey {
    /// The visits.
    pub visits: Vec<Visit>,
    /// The touches.
    pub touches: Vec<Touch>,
    /// The position of the newest page view.
    last: Option<(i64, EventId)>,
}

impl Journey {
    /// Derives from page views in any order.
    pub fn derive<'a>(page_views: impl IntoIterator<Item = &'a PageView>) -> Self {
        let mut ordered: Vec<&PageView> = page_views.into_iter().collect();
        ordered.sort_unstable_by_key(|view| view.position());
        let mut journey = Self::default();
        for view in ordered {
            journey.step(view);
        }
        journey
    }

    /// Takes the next page view; `false`, and nothing taken, where it is not the newest.
    pub fn append(&mut self, view: &PageView) -> bool {
        let newest = self.last.is_none_or(|last| view.position() > last);
        if newest {
            self.step(view);
        }
        newest
    }

    /// Takes a page view's raised totals (`before` is the same view as it stood); `false`, and
    /// nothing taken, where that can move a later visit's beginning.
    pub fn raise(&mut self, before: &PageView, after: &PageView) -> bool {
        let Some(visit) = self.visits.last_mut() else { return false };
        // An earlier visit may now reach the next one; only the last has no next.
        if before.at_ms < visit.at_ms {
            return false;
        }
        let position = before.position();
        let Some(touch) =
            self.touches.iter_mut().rfind(|touch| (touch.at_ms, touch.page) <= position)
        else {
            return false;
        };
        let more = u64::from(after.totals.engaged_ms - before.totals.engaged_ms);
        touch.engaged_ms += more;
        visit.engaged_ms += more;
        visit.stay(after.active_at_ms());
        true
    }

    fn step(&mut self, view: &PageView) {
        self.last = Some(view.position());
        let running = self.visits.last().is_some_and(|visit| {
            view.at_ms - visit.active_at_ms < limits::VISIT_IDLE_MS
                && view.at_ms - visit.at_ms < limits::VISIT_LENGTH_MS
        });
        if running {
            self.step_in_visit(view);
        } else {
            self.open_visit(view);
        }
        let engaged_ms = u64::from(view.totals.engaged_ms);
        if let (Some(visit), Some(touch)) = (self.visits.last_mut(), self.touches.last_mut()) {
            visit.stay(view.active_at_ms());
            visit.page_views += 1;
            visit.engaged_ms += engaged_ms;
            touch.page_views += 1;
            touch.engaged_ms += engaged_ms;
        }
    }

    fn open_visit(&mut self, view: &PageView) {
        let recent = self
            .visits
            .last()
            .is_some_and(|visit| view.at_ms - visit.active_at_ms < limits::CONTINUE_MS);
        let previous =
            self.touches.last().filter(|_| recent && view.label.origin == Origin::Internal);
        let continued = previous.map(|touch| touch.label.clone());
        self.visits.push(Visit {
            at_ms: view.at_ms,
            active_at_ms: view.at_ms,
            page_views: 0,
            engaged_ms: 0,
        });
        let is_continued = continued.is_some();
        let label = continued.unwrap_or_else(|| view.label.clone());
        self.push_touch(view, label, is_continued);
    }

    fn step_in_visit(&mut self, view: &PageView) {
        let Some(touch) = self.touches.last_mut() else { return };
        let new_contact =
            view.label.origin == Origin::Marketing && !touch.label.same_signature(&view.label);
        if !new_contact {
            return;
        }
        if touch.label.origin == Origin::Marketing {
            self.push_touch(view, view.label.clone(), false);
        } else {
            // The direct touch takes the evidence and keeps its beginning.
            touch.label = view.label.clone();
        }
    }

    fn push_touch(&mut self, view: &PageView, label: Label, continued: bool) {
        self.touches.push(Touch {
            at_ms: view.at_ms,
            page: view.id,
            visit: (self.visits.len() - 1) as u32,
            label,
            landing_page: view.url.clone(),
            continued,
            page_views: 0,
            engaged_ms: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page_view::Totals;
    use crate::testing::view;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    /// Rows of `minutes origin`; the result as `visit:source` for each touch, `~` where continued.
    fn check(rows: &[(i64, &str)], expected: &str) {
        let views: Vec<_> =
            rows.iter().map(|(minute, origin)| view(minute * MINUTE, origin)).collect();
        let journey = Journey::derive(&views);
        let touches: Vec<_> = journey
            .touches
            .iter()
            .map(|touch| {
                format!(
                    "{}:{}{}",
                    touch.visit,
                    touch.label.source,
                    if touch.continued { "~" } else { "" }
                )
            })
            .collect();
        assert_eq!(touches.join(" "), expected, "{rows:?}");
    }

    #[test]
    fn the_table_of_visits_and_touches() {
        // no running visit
        check(&[(0, "google")], "0:google");
        check(&[(0, "")], "0:(direct)");
        check(&[(0, "own")], "0:(direct)");
        check(&[(0, "google"), (60, "own")], "0:google 1:google~");
        check(&[(0, "google"), (60, "")], "0:google 1:(direct)");
        check(&[(0, "google"), (24 * 60 - 1, "own")], "0:google 1:google~");
        check(&[(0, "google"), (24 * 60, "own")], "0:google 1:(direct)");
        // a running visit
        check(&[(0, "google"), (1, ""), (2, "own")], "0:google");
        check(&[(0, "google"), (1, "google")], "0:google");
        check(&[(0, ""), (1, "google")], "0:google");
        check(&[(0, "own"), (1, "google")], "0:google");
        check(&[(0, "google"), (1, "bing")], "0:google 0:bing");
        check(&[(0, "google"), (1, "bing"), (2, "google")], "0:google 0:bing 0:google");
        // where a visit ends
        check(&[(0, "google"), (29, "bing")], "0:google 0:bing");
        check(&[(0, "google"), (30, "google")], "0:google 1:google");
        // a continued touch is a marketing touch: other evidence opens a new one
        check(&[(0, "google"), (60, "own"), (61, "bing")], "0:google 1:google~ 1:bing");
    }

    #[test]
    fn a_visit_lasts_a_day_at_most() {
        let views: Vec<_> = (0..74).map(|step| view(step * 20 * MINUTE, "")).collect();
        let journey = Journey::derive(&views);
        let starts: Vec<_> = journey.visits.iter().map(|visit| visit.at_ms / HOUR).collect();
        assert_eq!(starts, [0, 24]);
    }

    #[test]
    fn activity_on_the_page_keeps_the_visit_open() {
        let mut first = view(0, "google");
        first.totals.active_at_ms = 20 * MINUTE;
        let journey = Journey::derive([&first, &view(49 * MINUTE, "")]);
        assert_eq!(journey.visits.len(), 1);
        assert_eq!(Journey::derive([&first, &view(50 * MINUTE, "")]).visits.len(), 2);
    }

    /// What a store does with one arrival: the fast way where it is allowed, else the whole fold.
    fn arrive(journey: &mut Journey, rows: &mut Vec<PageView>, new: &PageView) {
        match rows.iter_mut().find(|row| row.id == new.id) {
            None => {
                rows.push(new.clone());
                if !journey.append(new) {
                    *journey = Journey::derive(&*rows);
                }
            }
            Some(row) => {
                let before = row.clone();
                if row.totals.raise(new.totals) && !journey.raise(&before, row) {
                    *journey = Journey::derive(&*rows);
                }
            }
        }
    }

    proptest! {
        /// Touches do not depend on the order in which page views and engagement arrive.
        #[test]
        fn any_order_of_arrival(
            rows in proptest::collection::vec((0..200i64, 0..4usize, 0..40i64, 0..90_000u32), 1..25),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let origins = ["", "own", "google", "bing"];
            let mut arrivals = Vec::new();
            for (index, (tens, origin, active, engaged_ms)) in rows.iter().enumerate() {
                let mut bare = view(tens * 10 * MINUTE, origins[*origin]);
                bare.url = index.to_string();
                let mut raised = bare.clone();
                raised.totals = Totals {
                    engaged_ms: *engaged_ms,
                    active_at_ms: bare.at_ms + active * MINUTE,
                    ..Totals::default()
                };
                arrivals.push(bare);
                arrivals.push(raised.clone());
                arrivals.push(raised);
            }
            let full: Vec<_> = arrivals.iter().skip(1).step_by(3).cloned().collect();
            for (from, to) in order.iter().enumerate() {
                let (from, to) = (from % arrivals.len(), to.index(arrivals.len()));
                arrivals.swap(from, to);
            }
            let (mut journey, mut stored) = (Journey::default(), Vec::new());
            for arrival in &arrivals {
                arrive(&mut journey, &mut stored, arrival);
            }
            prop_assert_eq!(&journey, &Journey::derive(&full));
            prop_assert_eq!(journey.visits.iter().map(|visit| visit.page_views).sum::<u32>() as usize, rows.len());
            prop_assert_eq!(journey.touches.iter().map(|touch| touch.page_views).sum::<u32>() as usize, rows.len());
        }
    }
}
