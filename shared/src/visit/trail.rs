//! A visitor's page views as stored: the newest one by one, the older ones summed up.

use super::{Journey, Past};
use crate::page_view::PageView;

/// The stored page views of one visitor.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trail {
    /// The sum of the older ones, if there are any.
    pub past: Option<Past>,
    /// The newer ones, in any order.
    pub views: Vec<PageView>,
}

impl Trail {
    /// The whole journey.
    pub fn journey(&self) -> Journey {
        let mut past = self.past.clone().unwrap_or_default();
        past.take(&self.views);
        past.journey
    }

    /// The trail as it was at `until_ms` (Unix milliseconds), with only what happened at times that
    /// `holds` accepts. What is summed up can only be shown by whole touches: a touch that began
    /// before that time is shown with all its page views.
    pub fn up_to(&self, until_ms: i64, holds: impl Fn(i64) -> bool) -> Self {
        let past =
            self.past.as_ref().map(|past| past.only(|at_ms| at_ms <= until_ms && holds(at_ms)));
        let past = past.filter(|past| !past.journey.touches.is_empty());
        let held = self.views.iter().filter(|view| holds(view.at_ms));
        Self { past, views: held.filter_map(|view| view.up_to(until_ms)).collect() }
    }
}

impl FromIterator<PageView> for Trail {
    fn from_iter<I: IntoIterator<Item = PageView>>(views: I) -> Self {
        Self { past: None, views: views.into_iter().collect() }
    }
}
