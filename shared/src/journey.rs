//! A lead's whole history: the touches, visits, pages and conversions of every visitor joined to it.
//!
//! Made on reading, from the visitors' page views; what is shown ends at a moment, so that the
//! history of a conversion stays the history that led to it.

use crate::ids::VisitorId;
use crate::lead::{Conversion, Join, JourneyState, Lead};
use crate::limits;
use crate::page_view::PageView;
use crate::time::rfc3339;
use crate::visit::{Journey, Touch, Visit};
use serde_json::{Value, json};

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
    /// Page views of all visitors in time order.
    pub pages: Vec<PageView>,
    /// The lead's conversions in time order.
    pub conversions: Vec<Conversion>,
}

impl History {
    /// The history of one visitor up to a moment, whoever it is.
    pub fn of_visitor(pages: &[PageView], until_ms: i64) -> Self {
        let mut history = Self::empty(JourneyState::Known);
        history.add(pages.iter().filter_map(|view| view.up_to(until_ms)).collect());
        history.order();
        history
    }

    /// The history of a lead up to the last of some of its conversions, from its visitors' page
    /// views. Visitors that joined later are no part of it.
    pub fn of_lead(lead: &Lead, views: &[Views], mut conversions: Vec<Conversion>) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        let last = conversions.last();
        let until_ms = last.map_or(i64::MIN, |last| last.at_ms);
        let mut history = Self::empty(last.map_or(JourneyState::NoVisitor, |last| last.journey));
        for join in lead.valid_joins().filter(|join| join.joined_at_ms <= until_ms) {
            let views = views.iter().filter(|(visitor, _)| *visitor == join.visitor);
            let held = views.flat_map(|(_, views)| views).filter(|view| join.holds(view));
            history.add(held.filter_map(|view| view.up_to(until_ms)).collect());
        }
        let undone = |join: &Join| {
            !join.is_valid() && last.is_some_and(|last| last.visitor == Some(join.visitor))
        };
        if !history.pages.is_empty() {
            history.state = JourneyState::Known;
        } else if lead.joins.iter().any(undone) {
            history.state = JourneyState::Undone;
        }
        history.conversions = conversions;
        history.order();
        history
    }

    fn empty(state: JourneyState) -> Self {
        Self {
            state,
            visits: Vec::new(),
            touches: Vec::new(),
            pages: Vec::new(),
            conversions: Vec::new(),
        }
    }

    /// Visits are per browser, so each visitor's are derived alone.
    fn add(&mut self, pages: Vec<PageView>) {
        let derived = Journey::derive(&pages);
        let offset = self.visits.len() as u32;
        self.visits.extend(derived.visits);
        self.touches.extend(derived.touches.into_iter().map(|mut touch| {
            touch.visit += offset;
            touch
        }));
        self.pages.extend(pages);
    }

    fn order(&mut self) {
        let mut order: Vec<usize> = (0..self.visits.len()).collect();
        order.sort_by_key(|index| self.visits[*index].at_ms);
        for touch in &mut self.touches {
            let place = order.iter().position(|index| *index == touch.visit as usize);
            touch.visit = place.unwrap_or_default() as u32;
        }
        self.visits.sort_by_key(|visit| visit.at_ms);
        self.touches.sort_by_key(|touch| (touch.at_ms, touch.page));
        self.pages.sort_by_key(PageView::position);
    }

    /// Wall-clock milliseconds of a touch: up to the next touch of its visit, or the visit's end.
    fn duration_ms(&self, index: usize) -> i64 {
        let touch = &self.touches[index];
        let visit = touch.visit;
        let next = self.touches[index + 1..].iter().find(|later| later.visit == visit);
        let end = next.map(|later| later.at_ms);
        let end = end.or_else(|| self.visits.get(visit as usize).map(|visit| visit.active_at_ms));
        end.map_or(0, |end| (end - touch.at_ms).max(0))
    }

    /// The touches in the form of `journey_json`, numbered from 1.
    pub fn touches_json(&self) -> Vec<Value> {
        let all = self.touches.iter().enumerate();
        all.map(|(index, touch)| self.touch_json(index, touch)).collect()
    }

    fn touch_json(&self, index: usize, touch: &Touch) -> Value {
        let label = &touch.label;
        let mut value = json!({
            "n": index + 1,
            "at": rfc3339(touch.at_ms),
            "visit": touch.visit + 1,
            "channel": label.channel,
            "source": label.source,
            "medium": label.medium,
            "campaign": label.campaign,
            "term": label.term,
            "content": label.content,
            "landing_page": touch.landing_page,
            "referrer": label.referrer,
            "click_id_type": label.click_id.as_ref().map(|id| &id.name),
            "pageviews": touch.page_views,
            "duration_s": self.duration_ms(index) / 1000,
            "engaged_ms": touch.engaged_ms,
            "continued": touch.continued.then_some(true),
        });
        if let Some(members) = value.as_object_mut() {
            members.retain(|_, member| !member.is_null());
        }
        value
    }

    /// The whole history as the API answers it.
    pub fn to_json(&self) -> Value {
        json!({
            "state": self.state,
            "touches": self.touches_json(),
            "visits": self.visits.iter().enumerate().map(|(index, visit)| json!({
                "n": index + 1,
                "at": rfc3339(visit.at_ms),
                "ended_at": rfc3339(visit.active_at_ms),
                "pageviews": visit.page_views,
                "engaged_ms": visit.engaged_ms,
            })).collect::<Vec<_>>(),
            "pages": self.pages.iter().map(page_json).collect::<Vec<_>>(),
            "conversions": self.conversions.iter().map(conversion_json).collect::<Vec<_>>(),
        })
    }
}

/// Where a second lead begins in a browser whose first lead converted last at `after_ms`: with the
/// first visit after, or where there is none yet, with what the running visit sees from then on.
pub fn next_begin_ms(views: &[PageView], after_ms: i64) -> i64 {
    let visits = Journey::derive(views).visits;
    let next = visits.iter().find(|visit| visit.at_ms > after_ms);
    next.map_or(after_ms.saturating_add(1), |visit| visit.at_ms)
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

/// Cuts a list of touches to an encoded length: the first, a marker of how many are left out, and
/// the last that fit.
pub fn cut_touches(touches: &[Value], limit: usize) -> String {
    let whole = Value::from(touches.to_vec()).to_string();
    let [first, rest @ ..] = touches else { return whole };
    if whole.len() <= limit || rest.is_empty() {
        return whole;
    }
    let marker = |omitted: usize| json!({ "omitted": omitted });
    let mut room =
        limit.saturating_sub(first.to_string().len() + marker(rest.len()).to_string().len() + 4);
    let mut kept = 0;
    for touch in rest.iter().rev() {
        let Some(left) = room.checked_sub(touch.to_string().len() + 1) else { break };
        room = left;
        kept += 1;
    }
    let mut cut = vec![first.clone(), marker(rest.len() - kept)];
    cut.extend_from_slice(&rest[rest.len() - kept..]);
    Value::from(cut).to_string()
}

/// The limit within which `journey_json` stands in a webhook.
pub const JOURNEY_JSON_BYTES: usize = limits::WEBHOOK_BODY_BYTES / 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_cut_journey_keeps_its_ends() {
        let touches: Vec<Value> = (1..=100).map(|n| json!({ "n": n })).collect();
        let cut: Vec<Value> = serde_json::from_str(&cut_touches(&touches, 100)).unwrap();
        assert!(cut_touches(&touches, 100).len() <= 100);
        assert_eq!((&cut[0], cut.last().unwrap()), (&touches[0], &touches[99]));
        assert_eq!(cut[1]["omitted"].as_u64().unwrap() as usize, 100 - (cut.len() - 1));
        assert_eq!(cut_touches(&[], 10), "[]");
    }

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
