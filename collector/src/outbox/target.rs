//! The interface of everything that deliveries go to: webhooks and CRMs.

use async_trait::async_trait;
use clew_store::{Delivery, StoreError};
use std::time::Duration;

/// One destination, ready to be delivered to.
#[async_trait]
pub trait Target: Send + Sync {
    /// The longest time that an attempt can take.
    fn longest_attempt(&self) -> Duration;

    /// How many deliveries may start now in addition to those in progress. 0 if the target is
    /// paused, asked for a wait, or is served by another collector.
    ///
    /// # Errors
    /// The store's errors.
    async fn capacity(&self, in_flight: usize) -> Result<usize, StoreError>;

    /// Makes one attempt.
    ///
    /// # Errors
    /// The store's errors; the delivery is then attempted again when its claim ends.
    async fn deliver(&self, delivery: &Delivery) -> Result<Attempt, StoreError>;

    /// Records what an attempt shows about the target itself: that it works, is too busy or has to
    /// be paused. Returns the time before which the delivery must not be retried, Unix
    /// milliseconds, if the target gives one.
    ///
    /// # Errors
    /// The store's errors.
    async fn after_attempt(&self, attempt: &Attempt) -> Result<Option<i64>, StoreError>;
}

/// The result of an attempt, and what it means for the delivery and the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// The target accepted the delivery.
    Accepted,
    /// The attempt failed, but a later one may succeed.
    Failed {
        /// The error.
        error: String,
        /// The target asked for no further attempt before this time, Unix milliseconds.
        not_before_ms: Option<i64>,
        /// Whether the target is overloaded, so that other deliveries should wait too.
        overloaded: bool,
    },
    /// The target accepts nothing for now. This does not count as an attempt.
    Busy {
        /// Until when, if the target says so, Unix milliseconds.
        until_ms: Option<i64>,
        /// The target's reason.
        reason: String,
    },
    /// The target accepts nothing until its owner fixes something. This does not count as an
    /// attempt.
    Refused(String),
    /// Retrying cannot help.
    Hopeless(String),
}
