//! The base that every part of the collector builds on: store, clock, random numbers and metrics,
//! plus secrets, memos, leases and pauses, which need nothing else.
//!
//! A service holds [`Core`] and the services that it uses. This crate knows nothing of
//! destinations, vendors or HTTP.

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

pub use clock::{Clock, Random, is_ahead};
pub use metrics::Metrics;
pub use pause::Pause;
pub use quiet::Quiet;
pub use refusal::Refusal;
pub use secret::Secret;

use clew_store::Store;
use refusal::Logged;
use std::sync::Arc;

/// What all services share.
pub struct Core {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Clock,
    /// The random number generator.
    pub random: Random,
    /// The metrics.
    pub metrics: Metrics,
    /// Identifies this process as the holder of leases.
    pub holder: u64,
    logged: Logged,
}

impl Core {
    /// Wraps an open store; all counters start at zero.
    pub fn new(store: Arc<dyn Store>, clock: Clock, random: Random) -> Arc<Self> {
        let holder = u64::from_be_bytes(random.bytes());
        let (metrics, logged) = (Metrics::default(), Logged::default());
        Arc::new(Self { store, clock, random, metrics, holder, logged })
    }

    /// The current time, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Counts a refusal. If a log line is due, returns the number of refusals of this kind since
    /// the last line.
    pub fn refused(&self, refusal: Refusal) -> Option<u64> {
        self.metrics.refused(refusal);
        self.logged.of(refusal).note(self.now_ms())
    }
}
