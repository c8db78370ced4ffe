//! How a stand-in begins: which vendor it plays, its settings, its ids and its clock.

use crate::vendor::Vendor;
use crate::world::{START_MS, Settings, World};

/// Makes an empty vendor.
pub(crate) type Make = fn(&str, &mut World) -> Box<dyn Vendor>;

/// A stand-in that is about to start.
#[derive(Clone)]
pub struct Starting {
    pub(crate) make: Make,
    pub(crate) settings: Settings,
    pub(crate) fixed_ms: Option<i64>,
    pub(crate) seed: u64,
}

impl Starting {
    pub(crate) const fn new(make: Make, settings: Settings) -> Self {
        Self { make, settings, fixed_ms: Some(START_MS), seed: 0 }
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
