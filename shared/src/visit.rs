//! Visits and touches: a pure fold over a visitor's labelled page views in time order.
//!
//! The fold is the definition. [`Journey::derive`] runs it over all page views; a store that
//! receives the newest page view takes one more step with [`Journey::append`], and one that
//! receives what may change an earlier step derives again. Either way the result is the same,
//! whatever the order.

use crate::channel::Channel;
use crate::ids::EventId;
use crate::limits;
use crate::page_view::PageView;
use crate::source::{Label, Origin};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A contact with its marketing evidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Touch {
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// The page view that began it.
    pub page: EventId,
    /// The visit that it lies in, counted from 0.
    pub visit: u32,
    /// How it came to its label.
    pub began: Began,
    /// The page view whose label it carries.
    pub evidence: EventId,
    /// Where it came from.
    pub label: Label,
    /// The address that it landed on.
    pub landing_page: String,
    /// Page views during the touch.
    pub page_views: u32,
    /// Engaged milliseconds during the touch.
    pub engaged_ms: u64,
}

impl Touch {
    /// Whether it came without marketing evidence.
    pub fn is_direct(&self) -> bool {
        self.label.channel == Channel::Direct
    }
}

/// How a touch came to its label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Began {
    /// By the evidence of its first page view.
    Evidence,
    /// Without any.
    Direct,
    /// Without any; a later page view of the same visit brought it.
    Upgraded,
    /// By a visit that showed only an own or excluded referrer, or a paired return: it goes on under
    /// the source of the touch before.
    Continued,
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
    /// The latest departure from any page.
    departed_at_ms: Option<i64>,
}

impl Journey {
    /// Derives from page views in any order.
    pub fn derive<'a>(page_views: impl IntoIterator<Item = &'a PageView>) -> Self {
        let mut ordered: Vec<&PageView> = page_views.into_iter().collect();
        ordered.sort_unstable_by_key(|view| view.position());
        let mut journey = Self::default();
        let mut departures = BTreeSet::new();
        for view in ordered {
            let is_paired = view.only_referrer().is_some_and(|host| {
                let earliest_ms = view.at_ms.saturating_sub(limits::PAIRED_MS - 1);
                departures.range((host, earliest_ms)..=(host, view.at_ms)).next().is_some()
            });
            journey.step(view, is_paired);
            let left = view.totals.departures.iter();
            departures.extend(left.map(|departure| (departure.host.as_str(), departure.at_ms)));
        }
        journey
    }

    /// Takes the next page view; `false`, and nothing taken, where it is not the newest, or could be
    /// a paired return, which takes all page views to tell.
    pub fn append(&mut self, view: &PageView) -> bool {
        let is_newest = self.last.is_none_or(|last| view.position() > last);
        let recently =
            |departed_at_ms| view.at_ms.saturating_sub(departed_at_ms) < limits::PAIRED_MS;
        let may_be_paired =
            view.only_referrer().is_some() && self.departed_at_ms.is_some_and(recently);
        let is_taken = is_newest && !may_be_paired;
        if is_taken {
            self.step(view, false);
        }
        is_taken
    }

    /// Takes a page view's raised totals (`before` is the same view as it stood); `false`, and
    /// nothing taken, where that can change what a later page view began.
    pub fn raise(&mut self, before: &PageView, after: &PageView) -> bool {
        let (Some(visit), Some(last)) = (self.visits.last_mut(), self.last) else { return false };
        // An earlier visit may now reach the next one; only the last has no next.
        if before.at_ms < visit.at_ms {
            return false;
        }
        // Departures after the newest page view can make a return of none that is there.
        let (known, told) = (&before.totals.departures, &after.totals.departures);
        let news = told.strip_prefix(known.as_slice());
        if !news.is_some_and(|news| news.iter().all(|left| left.at_ms > last.0)) {
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
        self.depart(after);
        true
    }

    fn step(&mut self, view: &PageView, is_paired: bool) {
        self.last = Some(view.position());
        let running = self.visits.last().is_some_and(|visit| {
            view.at_ms.saturating_sub(visit.active_at_ms) < limits::VISIT_IDLE_MS
                && view.at_ms.saturating_sub(visit.at_ms) < limits::VISIT_LENGTH_MS
        });
        let origin = if is_paired { Origin::Internal } else { view.label.origin };
        if running {
            self.step_in_visit(view, origin);
        } else {
            self.open_visit(view, origin);
        }
        let engaged_ms = u64::from(view.totals.engaged_ms);
        if let (Some(visit), Some(touch)) = (self.visits.last_mut(), self.touches.last_mut()) {
            visit.stay(view.active_at_ms());
            visit.page_views += 1;
            visit.engaged_ms += engaged_ms;
            touch.page_views += 1;
            touch.engaged_ms += engaged_ms;
        }
        self.depart(view);
    }

    fn depart(&mut self, view: &PageView) {
        let latest = view.totals.departures.last().map(|departure| departure.at_ms);
        self.departed_at_ms = self.departed_at_ms.max(latest);
    }

    fn open_visit(&mut self, view: &PageView, origin: Origin) {
        let recent = self.visits.last().is_some_and(|visit| {
            view.at_ms.saturating_sub(visit.active_at_ms) < limits::CONTINUE_MS
        });
        let previous = self.touches.last().filter(|_| recent && origin == Origin::Internal);
        let (began, evidence, label) = match (previous, origin) {
            (Some(touch), _) => (Began::Continued, touch.evidence, touch.label.clone()),
            (None, Origin::Marketing) => (Began::Evidence, view.id, view.label.clone()),
            (None, _) if origin == view.label.origin => {
                (Began::Direct, view.id, view.label.clone())
            }
            (None, _) => {
                let rule = format!("paired:{}/direct", view.only_referrer().unwrap_or_default());
                (Began::Direct, view.id, Label::direct(origin, rule))
            }
        };
        self.visits.push(Visit {
            at_ms: view.at_ms,
            active_at_ms: view.at_ms,
            page_views: 0,
            engaged_ms: 0,
        });
        self.push_touch(view, began, evidence, label);
    }

    fn step_in_visit(&mut self, view: &PageView, origin: Origin) {
        let Some(touch) = self.touches.last_mut() else { return };
        if origin != Origin::Marketing || touch.label.same_signature(&view.label) {
            return;
        }
        if touch.label.origin == Origin::Marketing {
            self.push_touch(view, Began::Evidence, view.id, view.label.clone());
        } else {
            // The direct touch takes the evidence and keeps its beginning.
            touch.label = view.label.clone();
            touch.evidence = view.id;
            touch.began = Began::Upgraded;
        }
    }

    fn push_touch(&mut self, view: &PageView, began: Began, evidence: EventId, label: Label) {
        self.touches.push(Touch {
            at_ms: view.at_ms,
            page: view.id,
            visit: (self.visits.len() - 1) as u32,
            began,
            evidence,
            label,
            landing_page: view.url.clone(),
            page_views: 0,
            engaged_ms: 0,
        });
    }
}

#[cfg(test)]
mod tests;
