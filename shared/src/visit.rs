//! Visits and touches: a pure fold over a visitor's labelled page views in time order.
//!
//! A journey is never stored. It is derived on every read ([`Journey::derive`]), so events may
//! arrive in any order. Page views too old to be kept one by one are summed up ([`Past`]), and the
//! fold continues from there.

mod past;
mod trail;

pub use past::Past;
pub use trail::Trail;

use crate::channel::Channel;
use crate::ids::EventId;
use crate::limits;
use crate::page_view::PageView;
use crate::source::{Label, Origin};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::AddAssign;

/// A touch: one contact with the site, and its marketing evidence.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Touch {
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// The page view that began it.
    pub page: EventId,
    /// Its visit, counted from 0.
    pub visit: u32,
    /// How it got its label.
    pub began: Began,
    /// The page view whose label it carries.
    pub evidence: EventId,
    /// The label: source, medium, channel and so on.
    pub label: Label,
    /// The URL of the landing page.
    pub landing_page: String,
    /// Page views during the touch.
    pub page_views: u32,
    /// Engaged pages during the touch.
    pub engaged_pages: u32,
    /// Engaged milliseconds during the touch.
    pub engaged_ms: u64,
}

impl Touch {
    /// Whether its channel is direct.
    pub fn is_direct(&self) -> bool {
        self.label.channel == Channel::Direct
    }
}

/// How a touch got its label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Began {
    /// From the evidence of its first page view.
    Evidence,
    /// Without evidence.
    Direct,
    /// It began without evidence; a later page view of the same visit brought some.
    Upgraded,
    /// The visit began with an own or excluded referrer, or with a paired return, and so continues
    /// under the source of the previous touch.
    Continued,
}

/// A visit: a run of activity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Visit {
    /// When it began, Unix milliseconds.
    pub at_ms: i64,
    /// The last activity, Unix milliseconds.
    pub active_at_ms: i64,
    /// Its page views.
    pub page_views: u32,
    /// Engaged milliseconds on its pages.
    pub engaged_ms: u64,
}

impl Visit {
    /// Records activity, up to the longest duration of a visit.
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
    /// What was summed up between the first two of these touches.
    pub left_out: LeftOut,
}

/// The totals of touches that are not kept one by one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LeftOut {
    /// The number of touches.
    pub touches: u32,
    /// The number of visits of which no touch is kept.
    pub visits: u32,
    /// Their page views.
    pub page_views: u32,
    /// Their engaged pages.
    pub engaged_pages: u32,
    /// Their engaged milliseconds.
    pub engaged_ms: u64,
    /// Their channels.
    pub channels: BTreeSet<Channel>,
}

impl AddAssign for LeftOut {
    fn add_assign(&mut self, more: Self) {
        let Self { touches, visits, page_views, engaged_pages, engaged_ms, channels } = more;
        self.touches += touches;
        self.visits += visits;
        self.page_views += page_views;
        self.engaged_pages += engaged_pages;
        self.engaged_ms += engaged_ms;
        self.channels.extend(channels);
    }
}

impl Journey {
    /// Derives a journey from page views in any order.
    pub fn derive<'a>(page_views: impl IntoIterator<Item = &'a PageView>) -> Self {
        let mut past = Past::default();
        past.take(page_views);
        past.journey
    }

    /// The number of page views, including those summed up.
    pub fn page_views(&self) -> u32 {
        let kept = self.touches.iter().map(|touch| touch.page_views).sum::<u32>();
        kept + self.left_out.page_views
    }

    fn step(&mut self, view: &PageView, is_paired: bool) {
        let is_active = self.visits.last().is_some_and(|visit| {
            view.at_ms.saturating_sub(visit.active_at_ms) < limits::VISIT_IDLE_MS
        });
        let is_short = self
            .visits
            .last()
            .is_some_and(|visit| view.at_ms.saturating_sub(visit.at_ms) < limits::VISIT_LENGTH_MS);
        let is_repeated = self.has_click(&view.label);
        let origin = match view.label.origin {
            _ if is_paired => Origin::Internal,
            Origin::Marketing if is_repeated => Origin::Nothing,
            origin => origin,
        };
        // A visit that was cut for its length goes on under its source.
        let is_cut = is_active && !is_short && origin == Origin::Nothing;
        let origin = if is_cut { Origin::Internal } else { origin };
        if is_active && is_short {
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
            touch.engaged_pages += u32::from(view.is_engaged());
            touch.engaged_ms += engaged_ms;
        }
    }

    /// Whether an earlier touch came by this label's click. A click id names one click: it comes
    /// again with a bookmark, a restored tab or a copied link.
    fn has_click(&self, label: &Label) -> bool {
        let Some(click) = label.click_id.as_ref().filter(|click| click.names_one_click()) else {
            return false;
        };
        self.touches.iter().any(|touch| touch.label.click_id.as_ref() == Some(click))
    }

    /// Keeps the first touch and the newest ones, `most` in total, and sums up those in between.
    fn sum_up(&mut self, most: usize) {
        if self.touches.len() <= most {
            return;
        }
        let newest = self.touches.len() - (most - 1);
        for touch in self.touches.drain(1..newest) {
            self.left_out.touches += 1;
            self.left_out.page_views += touch.page_views;
            self.left_out.engaged_pages += touch.engaged_pages;
            self.left_out.engaged_ms += touch.engaged_ms;
            self.left_out.channels.insert(touch.label.channel);
        }
        let visits_before = self.visits.len();
        let kept = self.keep_visits();
        self.left_out.visits += (visits_before - kept) as u32;
    }

    /// Removes the visits without a touch; returns how many are left.
    fn keep_visits(&mut self) -> usize {
        let mut kept = Vec::new();
        for touch in &mut self.touches {
            let visit = touch.visit as usize;
            if kept.last() != Some(&visit) {
                kept.push(visit);
            }
            touch.visit = (kept.len() - 1) as u32;
        }
        let visits = std::mem::take(&mut self.visits).into_iter().enumerate();
        let kept = visits.filter(|(place, _)| kept.binary_search(place).is_ok());
        self.visits = kept.map(|(_, visit)| visit).collect();
        self.visits.len()
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
                let by = match (origin, view.only_referrer(), &view.label.click_id) {
                    (Origin::Internal, Some(host), _) => format!("paired:{host}"),
                    (Origin::Nothing, _, Some(click)) => format!("repeated:{}", click.name),
                    _ => "nothing".to_owned(),
                };
                (Began::Direct, view.id, Label::direct(origin, format!("{by}/direct")))
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
            if view.label.is_in_app() {
                // Every page of such a browser shows that; it says nothing about this one.
                return;
            }
            self.push_touch(view, Began::Evidence, view.id, view.label.clone());
        } else {
            // The direct touch takes over the evidence and keeps its time.
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
            engaged_pages: 0,
            engaged_ms: 0,
        });
    }
}

#[cfg(test)]
mod tests;
