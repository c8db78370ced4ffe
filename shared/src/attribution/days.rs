//! Durations in days: a rule's half-life and look-back window.

use crate::limits::DAY_MS;
use std::str::FromStr;

/// A positive number of days, not necessarily whole.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Days(f64);

impl Days {
    /// The default half-life.
    pub(super) const HALF_LIFE: Self = Self(7.0);
    /// The default look-back window.
    pub(super) const LOOK_BACK: Self = Self(90.0);

    /// `None` if `days` is not a finite number above 0.
    pub fn new(days: f64) -> Option<Self> {
        (days.is_finite() && days > 0.0).then_some(Self(days))
    }

    /// The duration in milliseconds.
    pub fn ms(self) -> f64 {
        self.0 * DAY_MS as f64
    }
}

/// The error of a text that is not a number of days above 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a number of days above 0")]
pub struct DaysError(String);

impl FromStr for Days {
    type Err = DaysError;

    fn from_str(text: &str) -> Result<Self, DaysError> {
        let days = text.parse().ok().and_then(Self::new);
        days.ok_or_else(|| DaysError(text.to_owned()))
    }
}
