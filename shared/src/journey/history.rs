//! The history itself: what the page views of a lead's browsers and its conversions come to.

use crate::context::VisitorContext;
use crate::ids::VisitorId;
use crate::lead::{Conversion, Join, JourneyState, Lead};
use crate::page_view::PageView;
use crate::visit::{Journey, Touch, Visit};

/// One visitor's page views, in any order.
pub type Views = (VisitorId, Vec<PageView>);

/// The merged history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Whether there is one, and if not, why.
    pub state: JourneyState,
    /// Visits of all visitors in time order.
    pub visits: Vec<Visit>,
    /// Touches of all visitors in time order; `visit` counts in [`History::visits`].
    pub touches: Vec<Touch>,
    /// The pages that held the visitor, counted for each touch.
    pub engaged_pages: Vec<u32>,
    /// The browser of each touch, where it is a lead's history.
    pub(super) browsers: Vec<Option<VisitorId>>,
    /// Page views of all visitors in time order.
    pub pages: Vec<PageView>,
    /// The lead's conversions in time order.
    pub conversions: Vec<Conversion>,
    /// The browser of the last conversion that has one, and one that was not taken from the lead.
    pub converted_in: Option<VisitorId>,
}

impl History {
    /// The history of one visitor up to a moment.
    pub fn of_visitor(pages: &[PageView], until_ms: i64) -> Self {
        let pages = pages.iter().filter_map(|view| view.up_to(until_ms)).collect();
        Self::merge(JourneyState::Known, vec![(None, pages)], Vec::new())
    }

    /// The history of a lead up to the last of some of its conversions, from its visitors' page
    /// views. Visitors that joined by another are no part of it.
    pub fn of_lead(lead: &Lead, views: &[Views], mut conversions: Vec<Conversion>) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        let last = conversions.last();
        // Collectors' clocks differ: an earlier conversion may bear a later time.
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
        let joins = lead.valid_joins().filter(is_in);
        let browsers = joins.map(|join| {
            let views = views.iter().filter(|(visitor, _)| *visitor == join.visitor);
            let held = views.flat_map(|(_, views)| views).filter(|view| join.holds(view));
            (Some(join.visitor), held.filter_map(|view| view.up_to(until_ms)).collect())
        });
        let history = Self::merge(state, browsers.collect(), conversions);
        Self { converted_in, ..history }
    }

    /// What the browser of [`History::converted_in`] had said of itself when it converted.
    pub fn context(&self) -> Option<&VisitorContext> {
        let made = self.conversions.iter().rfind(|made| made.visitor == self.converted_in)?;
        made.context.as_ref().filter(|_| self.converted_in.is_some())
    }

    /// Visits are per browser, so each one's are derived alone.
    fn merge(
        state: JourneyState,
        browsers: Vec<(Option<VisitorId>, Vec<PageView>)>,
        conversions: Vec<Conversion>,
    ) -> Self {
        let (mut visits, mut touches, mut pages) = (Vec::new(), Vec::new(), Vec::new());
        for (browser, mut views) in browsers {
            views.sort_by_key(PageView::position);
            let journey = Journey::derive(&views);
            let before = visits.len() as u32;
            visits.extend(journey.visits);
            // A touch has the page views from its own to the next one's.
            let mut rest = views.iter();
            touches.extend(journey.touches.into_iter().map(|mut touch| {
                touch.visit += before;
                let seen = rest.by_ref().take(touch.page_views as usize);
                let engaged = seen.filter(|view| view.is_engaged()).count() as u32;
                (touch, (engaged, browser))
            }));
            pages.extend(views);
        }
        pages.sort_by_key(PageView::position);
        touches.sort_by_key(|(touch, _)| (touch.at_ms, touch.page));
        let mut order: Vec<usize> = (0..visits.len()).collect();
        order.sort_by_key(|visit| visits[*visit].at_ms);
        let mut places = vec![0; visits.len()];
        (0..).zip(&order).for_each(|(place, visit)| places[*visit] = place);
        visits.sort_by_key(|visit: &Visit| visit.at_ms);
        touches.iter_mut().for_each(|(touch, _)| touch.visit = places[touch.visit as usize]);
        let (touches, seen): (_, Vec<(u32, Option<VisitorId>)>) = touches.into_iter().unzip();
        let (engaged_pages, browsers) = seen.into_iter().unzip();
        let state = if pages.is_empty() { state } else { JourneyState::Known };
        Self {
            state,
            visits,
            touches,
            engaged_pages,
            browsers,
            pages,
            conversions,
            converted_in: None,
        }
    }
}

/// Where a second lead begins in a browser whose first lead converted last at `after_ms`: with the
/// first visit after, or where there is none yet, with what the running visit sees from then on.
pub fn next_begin_ms(views: &[PageView], after_ms: i64) -> i64 {
    let visits = Journey::derive(views).visits;
    let next = visits.iter().find(|visit| visit.at_ms > after_ms);
    next.map_or(after_ms.saturating_add(1), |visit| visit.at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;

    const MINUTE: i64 = 60_000;

    #[test]
    fn what_came_after_is_not_shown() {
        let views: Vec<_> = [0, 10, 20].map(|minute| view(minute * MINUTE, "google")).into();
        let history = History::of_visitor(&views, 10 * MINUTE);
        assert_eq!((history.pages.len(), history.visits[0].page_views), (2, 2));
    }

    #[test]
    fn a_shared_browser_begins_anew() {
        let views =
            [(0, "google"), (5, ""), (90, "bing")].map(|(m, origin)| view(m * MINUTE, origin));
        let begin = |after: i64, count: usize| next_begin_ms(&views[..count], after * MINUTE);
        assert_eq!(begin(4, 3), 90 * MINUTE);
        assert_eq!(begin(4, 2), 4 * MINUTE + 1);
        assert_eq!(begin(90, 3), 90 * MINUTE + 1);
    }
}
