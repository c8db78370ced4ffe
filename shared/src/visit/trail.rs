//! A visitor's page views as they are kept: the newest one by one, the older ones summed up.

use super::{Journey, Past};
use crate::page_view::PageView;

/// What is kept of one visitor's page views.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trail {
    /// What the older ones came to, where there are any.
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

    /// The same as it stood at a moment, Unix milliseconds, and only what was at times that `holds`
    /// names. Of page views that are summed up, the touch is what is shown or not: one that began
    /// before the moment is shown with all its page views.
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
