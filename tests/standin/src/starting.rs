//! How a stand-in begins: which vendor it plays, its settings, its ids and its clock.

use crate::crm::Profile;
use crate::world::{START_MS, Settings};

/// A stand-in that is about to start.
#[derive(Clone)]
pub struct Starting {
    pub(crate) profile: &'static Profile,
    pub(crate) settings: Settings,
    pub(crate) fixed_ms: Option<i64>,
    pub(crate) seed: u64,
}

impl Starting {
    pub(crate) fn new(profile: &'static Profile) -> Self {
        Self { profile, settings: (profile.settings)(), fixed_ms: Some(START_MS), seed: 0 }
    }

    /// Other settings.
    #[must_use]
    pub fn settings(mut self, adjust: impl FnOnce(&mut Settings)) -> Self {
        adjust(&mut self.settings);
        self
    }

    /// Other ids.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A clock that stands at a time in milliseconds since 1970, or follows the machine's.
    #[must_use]
    pub const fn clock(mut self, fixed_ms: Option<i64>) -> Self {
        self.fixed_ms = fixed_ms;
        self
    }
}
