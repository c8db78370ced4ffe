//! Merges the page views of a lead's browsers with its conversions.

use crate::context::VisitorContext;
use crate::ids::{EventId, VisitorId};
use crate::lead::{Conversion, Join, JourneyState, Lead, SharedBrowser};
use crate::limits;
use crate::page_view::PageView;
use crate::source::Origin;
use crate::visit::{LeftOut, Touch, Trail, Visit};
use std::collections::HashSet;

/// The merged history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Whether a journey is known, and if not, why.
    pub state: JourneyState,
    /// Visits of all visitors in time order.
    pub visits: Vec<Visit>,
    /// Touches of all visitors in time order; `visit` is an index into [`History::visits`].
    pub touches: Vec<Touch>,
    /// What was summed up; it belongs after the first touch.
    pub left_out: LeftOut,
    /// The browser of each touch, if this is a lead's history.
    pub(super) browsers: Vec<Option<VisitorId>>,
    /// The page views of all visitors that are kept one by one, in time order.
    pub pages: Vec<PageView>,
    /// The number of page views, including those summed up.
    pub page_views: u32,
    /// The lead's conversions in time order.
    pub conversions: Vec<Conversion>,
    /// The browser that a conversion named last, leaving out browsers that were taken from the
    /// lead.
    pub converted_in: Option<VisitorId>,
}

impl History {
    /// The history of one visitor up to a point in time.
    pub fn of_visitor(trail: &Trail, until_ms: i64) -> Self {
        let trail = trail.up_to(until_ms, |_| true);
        Self::merge(JourneyState::Known, vec![(None, trail)], Vec::new())
    }

    /// A lead's history up to the last of the given conversions, from its visitors' trails.
    /// Visitors joined by other conversions are left out.
    pub fn of_lead(
        lead: &Lead,
        trails: &[(VisitorId, Trail)],
        mut conversions: Vec<Conversion>,
    ) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        let last = conversions.last();
        // Collectors' clocks differ, so an earlier conversion may have a later time.
        let until_ms = conversions.iter().map(|conversion| conversion.at_ms).max();
        let until_ms = until_ms.unwrap_or(i64::MIN);
        let state = match last {
            None => JourneyState::NoVisitor,
            Some(last) if last.visitor.is_some_and(|visitor| lead.has_lost(visitor)) => {
                JourneyState::Undone
            }
            Some(last) => last.journey,
        };
        let named = conversions.iter().rev().filter_map(|conversion| conversion.visitor);
        let converted_in = named.into_iter().find(|visitor| !lead.has_lost(*visitor));
        let is_in = |join: &&Join| conversions.iter().any(|made| made.id == join.conversion);
        let joins: Vec<&Join> = lead.valid_joins().filter(is_in).collect();
        // A browser may have come back to the lead. Its memberships make one journey.
        let browsers = trails.iter().filter_map(|(visitor, trail)| {
            let own = || joins.iter().filter(|join| join.visitor == *visitor);
            own().next()?;
            let holds = |at_ms: i64| own().any(|join| join.holds(at_ms));
            Some((Some(*visitor), trail.up_to(until_ms, holds)))
        });
        let history = Self::merge(state, browsers.collect(), conversions);
        Self { converted_in, ..history }
    }

    /// What the browser of [`History::converted_in`] had reported about itself when it converted.
    pub fn context(&self) -> Option<&VisitorContext> {
        let made = self.conversions.iter().rfind(|made| made.visitor == self.converted_in)?;
        made.context.as_ref().filter(|_| self.converted_in.is_some())
    }

    /// The touches that count as clicks: those that no flagged page view brought. If all are, the
    /// person who converted must have had a browser that looks like a program, and all count.
    pub fn clicks(&self) -> Vec<&Touch> {
        let flagged: HashSet<EventId> =
            self.pages.iter().filter(|page| page.bot.is_some()).map(|page| page.id).collect();
        let of_people: Vec<&Touch> =
            self.touches.iter().filter(|touch| !flagged.contains(&touch.evidence)).collect();
        if of_people.is_empty() { self.touches.iter().collect() } else { of_people }
    }

    /// The number, from 1, of a touch in [`History::touches`] among all touches.
    pub fn number(&self, place: usize) -> usize {
        place + 1 + if place > 0 { self.left_out.touches as usize } else { 0 }
    }

    /// The number, from 1, of a visit in [`History::visits`] among all visits.
    pub fn visit_number(&self, place: usize) -> usize {
        place + 1 + if place > 0 { self.left_out.visits as usize } else { 0 }
    }

    /// Visits are per browser, so each browser's visits are derived separately.
    fn merge(
        state: JourneyState,
        browsers: Vec<(Option<VisitorId>, Trail)>,
        conversions: Vec<Conversion>,
    ) -> Self {
        let (mut visits, mut touches, mut pages) = (Vec::new(), Vec::new(), Vec::new());
        let (mut left_out, mut page_views) = (LeftOut::default(), 0);
        for (browser, trail) in browsers {
            let journey = trail.journey();
            page_views += journey.page_views();
            let before = visits.len() as u32;
            visits.extend(journey.visits);
            touches.extend(journey.touches.into_iter().map(|mut touch| {
                touch.visit += before;
                (touch, browser)
            }));
            left_out += journey.left_out;
            pages.extend(trail.views);
        }
        pages.sort_by_key(PageView::position);
        touches.sort_by_key(|(touch, _)| (touch.at_ms, touch.page));
        let mut order: Vec<usize> = (0..visits.len()).collect();
        order.sort_by_key(|visit| visits[*visit].at_ms);
        let mut places = vec![0; visits.len()];
        (0..).zip(&order).for_each(|(place, visit)| places[*visit] = place);
        visits.sort_by_key(|visit: &Visit| visit.at_ms);
        touches.iter_mut().for_each(|(touch, _)| touch.visit = places[touch.visit as usize]);
        let (touches, browsers): (Vec<_>, _) = touches.into_iter().unzip();
        let state = match state {
            _ if !touches.is_empty() => JourneyState::Known,
            // Nothing of the browser belongs to this lead.
            JourneyState::Known => JourneyState::UnknownVisitor,
            state => state,
        };
        Self {
            state,
            visits,
            touches,
            left_out,
            browsers,
            pages,
            page_views,
            conversions,
            converted_in: None,
        }
    }
}

/// When a browser's second lead begins, if its first lead last converted at `after_ms`: with the
/// next visit, or, if there is none yet, right after that conversion.
pub fn next_begin_ms(trail: &Trail, after_ms: i64) -> i64 {
    let visits = trail.journey().visits;
    let next = visits.iter().find(|visit| visit.at_ms > after_ms);
    next.map_or(after_ms.saturating_add(1), |visit| visit.at_ms)
}

/// From when on a browser's history is shown for its second lead, which converted at
/// `converted_ms`, besides what belongs to it.
pub fn shown_from_ms(trail: &Trail, converted_ms: i64, shared: SharedBrowser) -> Option<i64> {
    let journey = match shared {
        SharedBrowser::None => return None,
        SharedBrowser::Whole => return Some(i64::MIN),
        SharedBrowser::Visit => trail.journey(),
    };
    let is_before = |at_ms: i64| at_ms <= converted_ms;
    let number = journey.visits.iter().rposition(|visit| is_before(visit.at_ms))?;
    let began_ms = journey.visits[number].at_ms;
    let has_evidence = |touch: &&Touch| touch.label.origin == Origin::Marketing;
    let mut of_visit = journey.touches.iter().filter(|touch| touch.visit as usize == number);
    if of_visit.any(|touch| has_evidence(&touch)) {
        return Some(began_ms);
    }
    let is_recent = |touch: &&Touch| {
        is_before(touch.at_ms) && touch.at_ms >= converted_ms - limits::SHARED_LOOK_BACK_MS
    };
    let last = journey.touches.iter().filter(has_evidence).rfind(is_recent);
    Some(last.map_or(began_ms, |touch| touch.at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;
    use crate::visit::Past;

    const MINUTE: i64 = 60_000;

    #[test]
    fn what_came_after_is_not_shown() {
        let trail = [0, 10, 20].map(|minute| view(minute * MINUTE, "google")).into_iter().collect();
        let history = History::of_visitor(&trail, 10 * MINUTE);
        assert_eq!((history.pages.len(), history.visits[0].page_views), (2, 2));
    }

    #[test]
    fn what_is_summed_up_is_shown_by_its_touches() {
        let rows: Vec<_> = (0..6).map(|hour| view(hour * 60 * MINUTE, "google")).collect();
        let mut past = Past::default();
        past.take(&rows[..5]);
        past.sum_up(3);
        let trail = Trail { past: Some(past), views: rows[5..].to_vec() };
        let check = |until_ms: i64, numbers: &[usize], page_views: u32| {
            let history = History::of_visitor(&trail, until_ms);
            let shown = (0..history.touches.len()).map(|place| history.number(place));
            assert_eq!(shown.collect::<Vec<_>>(), numbers, "{until_ms}");
            assert_eq!(history.page_views, page_views, "{until_ms}");
        };
        check(i64::MAX, &[1, 4, 5, 6], 6);
        check(270 * MINUTE, &[1, 4, 5], 5);
        check(200 * MINUTE, &[1, 4], 4);
        // what lies between is no longer known
        check(30 * MINUTE, &[1], 1);
        check(-1, &[], 0);
    }

    #[test]
    fn a_shared_browser_begins_anew() {
        let views =
            [(0, "google"), (5, ""), (90, "bing")].map(|(m, origin)| view(m * MINUTE, origin));
        let begin = |after: i64, count: usize| {
            next_begin_ms(&views[..count].iter().cloned().collect(), after * MINUTE)
        };
        assert_eq!(begin(4, 3), 90 * MINUTE);
        assert_eq!(begin(4, 2), 4 * MINUTE + 1);
        assert_eq!(begin(90, 3), 90 * MINUTE + 1);
    }
}
