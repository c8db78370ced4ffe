//! Which part of a journey a response lists: both ends beside a lead, or one page.

use super::{Journey, LeftOut, Touch, Visit};
use shared::ids::EventId;
use shared::journey::History;
use shared::{limits, page_view};
use std::collections::BTreeSet;
use std::fmt;

/// A place in a history: that of a page view, or of a touch, which begins at one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cursor {
    at_ms: i64,
    page: EventId,
}

impl Cursor {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (at_ms, page) = text.split_once('_')?;
        Some(Self { at_ms: at_ms.parse().ok()?, page: EventId::parse(page)? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at_ms, self.page)
    }
}

/// The parts of a history to list, by their places in it.
struct Selection {
    touches: Vec<usize>,
    visits: BTreeSet<usize>,
    pages: Vec<usize>,
    conversions: Vec<usize>,
}

impl<'a> Journey<'a> {
    /// Both ends of a history: the first touch and the newest, [`limits::SHOWN`] in all, with their visits, and as
    /// many of the newest page views and conversions.
    pub fn ends(history: &'a History) -> Self {
        let newest = |count: usize| count.saturating_sub(limits::SHOWN)..count;
        let mut touches: Vec<usize> = newest(history.touches.len()).collect();
        if let Some(oldest @ 1..) = touches.first_mut() {
            *oldest = 0;
        }
        let selection = Selection {
            visits: touches.iter().map(|place| history.touches[*place].visit as usize).collect(),
            touches,
            pages: newest(history.pages.len()).collect(),
            conversions: newest(history.conversions.len()).collect(),
        };
        let unlisted = |all: usize, listed: usize| all - listed;
        let left_out = LeftOut {
            touches: unlisted(history.touches.len(), selection.touches.len())
                + history.left_out.touches as usize,
            visits: unlisted(history.visits.len(), selection.visits.len())
                + history.left_out.visits as usize,
            pages: unlisted(history.page_views as usize, selection.pages.len()),
            conversions: unlisted(history.conversions.len(), selection.conversions.len()),
            visitors: None,
        };
        Self::of(history, selection, left_out)
    }

    /// A page of a history: what follows a cursor, at most `limit` page views and touches, and the cursor of the
    /// next page. `left_out` counts what is kept as sums only.
    pub fn page(
        history: &'a History,
        after: Option<Cursor>,
        limit: usize,
    ) -> (Self, Option<Cursor>) {
        let of_page = |page: &page_view::PageView| Cursor { at_ms: page.at_ms, page: page.id };
        let of_touch = |place: usize| {
            let touch = &history.touches[place];
            Cursor { at_ms: touch.at_ms, page: touch.page }
        };
        let touches = 0..history.touches.len();
        let all = history.pages.iter().map(of_page).chain(touches.clone().map(of_touch));
        let rest: BTreeSet<Cursor> = all.filter(|cursor| after < Some(*cursor)).collect();
        let end = rest.iter().nth(limit.max(1) - 1).copied().filter(|end| rest.last() != Some(end));
        let is_in = |cursor: Cursor| after < Some(cursor) && end.is_none_or(|end| cursor <= end);
        let mut begun = BTreeSet::new();
        let mut visits = BTreeSet::new();
        for place in touches.clone() {
            let visit = history.touches[place].visit as usize;
            if begun.insert(visit) && is_in(of_touch(place)) {
                visits.insert(visit);
            }
        }
        let (after_ms, end_ms) = (after.map(|after| after.at_ms), end.map(|end| end.at_ms));
        let made = |place: &usize| {
            let at_ms = history.conversions[*place].at_ms;
            after_ms < Some(at_ms) && end_ms.is_none_or(|end_ms| at_ms <= end_ms)
        };
        let pages = 0..history.pages.len();
        let selection = Selection {
            touches: touches.filter(|place| is_in(of_touch(*place))).collect(),
            visits,
            pages: pages.filter(|place| is_in(of_page(&history.pages[*place]))).collect(),
            conversions: (0..history.conversions.len()).filter(made).collect(),
        };
        let left_out = LeftOut {
            touches: history.left_out.touches as usize,
            visits: history.left_out.visits as usize,
            pages: history.page_views as usize - history.pages.len(),
            conversions: 0,
            visitors: None,
        };
        (Self::of(history, selection, left_out), end)
    }

    fn of(history: &'a History, selection: Selection, left_out: LeftOut) -> Self {
        let visits = selection.visits.into_iter();
        let visits =
            visits.map(|place| Visit::new(history.visit_number(place), &history.visits[place]));
        let pages = selection.pages.into_iter().map(|place| (&history.pages[place]).into());
        let conversions = selection.conversions.into_iter();
        Self {
            state: history.state,
            touches: Touch::all(history, selection.touches),
            visits: visits.collect(),
            pages: pages.collect(),
            conversions: conversions.map(|place| (&history.conversions[place]).into()).collect(),
            left_out,
        }
    }
}

#[cfg(test)]
mod tests;
