//! What every part of the collector stands on: the store, the time, the dice, the counters; and what
//! needs no more than these: secrets, memos, leases and pauses.
//!
//! A service holds [`Core`] and what else it works with. Nothing here knows a destination, a vendor or
//! HTTP.

#![forbid(unsafe_code)]

pub mod clock;
pub mod quiet;
pub mod refusal;
pub mod metrics;
pub mod json;
pub mod secret;
pub mod seal;
pub mod memory;
pub mod lease;
pub mod pause;

pub use clock::{Clock, Dice, is_ahead};
pub use metrics::Metrics;
pub use pause::Pause;
pub use quiet::Quiet;
pub use refusal::Refusal;
pub use secret::Secret;

use clew_store::Store;
use refusal::Logged;
use std::sync::Arc;

/// What services share. It knows none of them.
pub struct Core {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Clock,
    /// The dice.
    pub dice: Dice,
    /// The counters.
    pub metrics: Metrics,
    /// The name of this process where it takes a lease.
    pub holder: u64,
    logged: Logged,
}

impl Core {
    /// Around an open store, with counters at zero.
    pub fn new(store: Arc<dyn Store>, clock: Clock, dice: Dice) -> Arc<Self> {
        let holder = u64::from_be_bytes(dice.roll());
        let (metrics, logged) = (Metrics::default(), Logged::default());
        Arc::new(Self { store, clock, dice, metrics, holder, logged })
    }

    /// The time, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Counts what a stranger was refused. Where it is time for a line of the log, returns how many
    /// refusals of the kind there were since the last line.
    pub fn refused(&self, refusal: Refusal) -> Option<u64> {
        self.metrics.refused(refusal);
        self.logged.of(refusal).note(self.now_ms())
    }
}
