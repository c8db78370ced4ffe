//! A history as the API answers it: its ends beside a lead, and page by page on its own.

use super::history::History;
use crate::ids::EventId;
use crate::lead::Conversion;
use crate::limits;
use crate::page_view::PageView;
use crate::time::rfc3339;
use serde_json::{Value, json};
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

/// The parts of a history that are shown, by their places.
struct Shown {
    touches: Vec<usize>,
    visits: BTreeSet<usize>,
    pages: Vec<usize>,
    conversions: Vec<usize>,
}

impl History {
    /// The first touch and the newest, [`limits::SHOWN`] in all, with their visits, and as many of the
    /// newest page views and conversions; `left_out` says how many of each are not shown.
    pub fn to_json(&self) -> Value {
        let newest = |count: usize| count.saturating_sub(limits::SHOWN)..count;
        let mut touches: Vec<usize> = newest(self.touches.len()).collect();
        if let Some(oldest @ 1..) = touches.first_mut() {
            *oldest = 0;
        }
        let shown = Shown {
            visits: touches.iter().map(|place| self.touches[*place].visit as usize).collect(),
            touches,
            pages: newest(self.pages.len()).collect(),
            conversions: newest(self.conversions.len()).collect(),
        };
        let mut answer = self.json(&shown);
        answer["left_out"] = json!({
            "touches": self.touches.len() - shown.touches.len() + self.left_out.touches as usize,
            "visits": self.visits.len() - shown.visits.len() + self.left_out.visits as usize,
            "pages": self.page_views as usize - shown.pages.len(),
            "conversions": self.conversions.len() - shown.conversions.len(),
        });
        answer
    }

    /// A page of the whole history: what came after a cursor, up to so many page views and touches, and
    /// the cursor of the next page. `left_out` says what is kept in sums alone.
    pub fn page_json(&self, after: Option<Cursor>, limit: usize) -> (Value, Option<Cursor>) {
        let of_page = |page: &PageView| Cursor { at_ms: page.at_ms, page: page.id };
        let of_touch = |place: usize| {
            let touch = &self.touches[place];
            Cursor { at_ms: touch.at_ms, page: touch.page }
        };
        let touches = 0..self.touches.len();
        let all = self.pages.iter().map(of_page).chain(touches.clone().map(of_touch));
        let rest: BTreeSet<Cursor> = all.filter(|cursor| after < Some(*cursor)).collect();
        let end = rest.iter().nth(limit.max(1) - 1).copied().filter(|end| rest.last() != Some(end));
        let is_in = |cursor: Cursor| after < Some(cursor) && end.is_none_or(|end| cursor <= end);
        let mut begun = BTreeSet::new();
        let mut visits = BTreeSet::new();
        for place in touches.clone() {
            let visit = self.touches[place].visit as usize;
            if begun.insert(visit) && is_in(of_touch(place)) {
                visits.insert(visit);
            }
        }
        let (after_ms, end_ms) = (after.map(|after| after.at_ms), end.map(|end| end.at_ms));
        let made = |place: &usize| {
            let at_ms = self.conversions[*place].at_ms;
            after_ms < Some(at_ms) && end_ms.is_none_or(|end_ms| at_ms <= end_ms)
        };
        let mut answer = self.json(&Shown {
            touches: touches.filter(|place| is_in(of_touch(*place))).collect(),
            visits,
            pages: (0..self.pages.len())
                .filter(|place| is_in(of_page(&self.pages[*place])))
                .collect(),
            conversions: (0..self.conversions.len()).filter(made).collect(),
        });
        answer["left_out"] = json!({
            "touches": self.left_out.touches,
            "visits": self.left_out.visits,
            "pages": self.page_views as usize - self.pages.len(),
            "conversions": 0,
        });
        (answer, end)
    }

    fn json(&self, shown: &Shown) -> Value {
        let visits = shown.visits.iter().map(|place| {
            let visit = &self.visits[*place];
            json!({
                "n": self.visit_number(*place),
                "at": rfc3339(visit.at_ms),
                "ended_at": rfc3339(visit.active_at_ms),
                "pageviews": visit.page_views,
                "engaged_ms": visit.engaged_ms,
            })
        });
        let pages = shown.pages.iter().map(|place| page_json(&self.pages[*place]));
        let conversions = shown.conversions.iter();
        let conversions = conversions.map(|place| conversion_json(&self.conversions[*place]));
        json!({
            "state": self.state,
            "touches": self.touches_json(shown.touches.iter().copied()),
            "visits": visits.collect::<Vec<_>>(),
            "pages": pages.collect::<Vec<_>>(),
            "conversions": conversions.collect::<Vec<_>>(),
        })
    }
}

/// A page view as the API answers it.
pub fn page_json(view: &PageView) -> Value {
    json!({
        "id": view.id,
        "at": rfc3339(view.at_ms),
        "url": view.url,
        "title": view.title,
        "engaged_ms": view.totals.engaged_ms,
        "scroll_pct": view.totals.scroll_pct,
        "form_focused": view.totals.form_focused,
        "engaged": view.is_engaged(),
        "bot": view.bot,
    })
}

/// A conversion as the API answers it.
pub fn conversion_json(conversion: &Conversion) -> Value {
    json!({
        "id": conversion.id,
        "at": rfc3339(conversion.at_ms),
        "type": conversion.kind,
        "form_id": conversion.form_id,
        "form_name": conversion.form_name,
        "page_url": conversion.page_url,
        "page_title": conversion.page_title,
        "visitor": conversion.visitor,
        "journey": conversion.journey,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;

    fn history(minutes: &[i64]) -> History {
        let views =
            minutes.iter().map(|at| view(at * MINUTE, ["google", "bing", ""][*at as usize % 3]));
        History::of_visitor(&views.collect(), i64::MAX)
    }

    fn lengths(answer: &Value) -> [usize; 3] {
        ["touches", "visits", "pages"].map(|list| answer[list].as_array().map_or(0, Vec::len))
    }

    #[test]
    fn the_ends_of_a_long_history() {
        let history = history(&(0..900).map(|n| n * 31).collect::<Vec<_>>());
        let answer = history.to_json();
        assert_eq!(lengths(&answer), [limits::SHOWN; 3]);
        assert_eq!(answer["touches"][0]["n"], 1);
        assert_eq!(answer["touches"][limits::SHOWN - 1]["n"], 900);
        let left_out = 900 - limits::SHOWN;
        let expected =
            json!({ "touches": left_out, "visits": left_out, "pages": left_out, "conversions": 0 });
        assert_eq!(answer["left_out"], expected);
    }

    #[test]
    fn cursors_are_read_as_written() {
        let cursor = Cursor { at_ms: -5, page: EventId::new(7, [1; 10]) };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for wrong in ["", "5", "x_y", "5_", "5_00000000-0000-0000-0000-000000000000"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        /// The pages of a history hold everything once, in order.
        #[test]
        fn pages_make_the_whole(mut minutes in proptest::collection::vec(0..400i64, 0..40), limit in 1..9usize) {
            minutes.sort_unstable();
            let history = history(&minutes);
            let (whole, none) = history.page_json(None, usize::MAX);
            prop_assert_eq!(none, None);
            let (mut after, mut pages) = (None, Vec::new());
            loop {
                let (page, next) = history.page_json(after, limit);
                prop_assert!(lengths(&page).iter().all(|length| *length <= limit));
                pages.push(page);
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            for list in ["touches", "visits", "pages", "conversions"] {
                let parts = pages.iter().flat_map(|page| page[list].as_array().unwrap().clone());
                prop_assert_eq!(&Value::Array(parts.collect()), &whole[list], "{}", list);
            }
        }
    }
}
