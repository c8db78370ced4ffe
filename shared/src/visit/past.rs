//! The state of the fold after some page views. It is also what remains of page views too old to be
//! kept one by one.

use super::Journey;
use crate::host::registrable;
use crate::ids::EventId;
use crate::limits;
use crate::page_view::PageView;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The result of some page views.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Past {
    /// Their visits and touches.
    pub journey: Journey,
    /// The position of the newest of them.
    until: Option<(i64, EventId)>,
    /// Departures by registrable domain, as far as a later page view may be the return from one:
    /// payment services send visitors back from another host of theirs.
    departures: BTreeMap<String, BTreeSet<i64>>,
}

impl Past {
    /// Adds page views. They must be newer than those added before, and may be in any order among
    /// themselves.
    pub fn take<'a>(&mut self, page_views: impl IntoIterator<Item = &'a PageView>) {
        let mut ordered: Vec<&PageView> = page_views.into_iter().collect();
        ordered.sort_unstable_by_key(|view| view.position());
        for view in ordered {
            let is_paired = view.only_referrer().is_some_and(|host| {
                let earliest_ms = view.at_ms.saturating_sub(limits::PAIRED_MS - 1);
                let left = self.departures.get(registrable(host));
                left.is_some_and(|left| left.range(earliest_ms..=view.at_ms).next().is_some())
            });
            self.journey.step(view, is_paired);
            self.until = Some(view.position());
            for departure in &view.totals.departures {
                let host = registrable(&departure.host).to_owned();
                self.departures.entry(host).or_default().insert(departure.at_ms);
            }
        }
    }

    /// Limits what is kept: `touches` touches, the first and the newest ones (at least two), and
    /// the departures of the last hour.
    pub fn sum_up(&mut self, touches: usize) {
        self.journey.sum_up(touches.max(2));
        let Some((until_ms, _)) = self.until else { return };
        let mut recent: Vec<(i64, String)> = Vec::new();
        for (host, left) in std::mem::take(&mut self.departures) {
            let left = left.range(until_ms.saturating_sub(limits::PAIRED_MS)..);
            recent.extend(left.map(|at_ms| (*at_ms, host.clone())));
        }
        recent.sort_unstable();
        for (at_ms, host) in recent.into_iter().rev().take(limits::PAST_DEPARTURES) {
            self.departures.entry(host).or_default().insert(at_ms);
        }
    }

    /// A copy with only the touches at times that `holds` accepts. The totals of what was summed up
    /// stay if the touches on both sides of them stay.
    pub(super) fn only(&self, holds: impl Fn(i64) -> bool) -> Self {
        let mut past = self.clone();
        let place = |place: usize| self.journey.touches.get(place);
        if [place(0), place(1)].iter().flatten().any(|touch| !holds(touch.at_ms)) {
            past.journey.left_out = super::LeftOut::default();
        }
        past.journey.touches.retain(|touch| holds(touch.at_ms));
        past.journey.keep_visits();
        past
    }
}
