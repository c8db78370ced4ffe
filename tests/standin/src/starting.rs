//! How a stand-in starts: its vendor, settings, ids and clock.

use crate::crm::Profile;
use crate::world::{START_MS, Settings};

/// A stand-in that has not started yet.
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

    /// Changes its settings.
    #[must_use]
    pub fn settings(mut self, adjust: impl FnOnce(&mut Settings)) -> Self {
        adjust(&mut self.settings);
        self
    }

    /// Sets the seed of its ids.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Fixes its clock at a time in milliseconds since 1970; `None` follows the machine's.
    #[must_use]
    pub const fn clock(mut self, fixed_ms: Option<i64>) -> Self {
        self.fixed_ms = fixed_ms;
        self
    }
}
