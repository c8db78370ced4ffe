//! What deliveries go to, whatever it is: a webhook, a CRM, and in time an analytics tool.

use async_trait::async_trait;
use clew_store::{Delivery, StoreError};
use std::time::Duration;

/// One destination, ready to be delivered to.
#[async_trait]
pub trait Target: Send + Sync {
    /// The longest that an attempt takes.
    fn longest(&self) -> Duration;

    /// How many deliveries may begin now beside those that are under way: none where the target is
    /// paused, held back, or another collector's.
    ///
    /// # Errors
    /// The store's.
    async fn room(&self, under_way: usize) -> Result<usize, StoreError>;

    /// Makes one attempt.
    ///
    /// # Errors
    /// The store's; the delivery is then tried again when its claim ends.
    async fn deliver(&self, delivery: &Delivery) -> Result<Attempt, StoreError>;

    /// Keeps what an attempt says of the target itself: that it works, that it is too busy, that it is
    /// to be paused. Returns the time before which the delivery is not tried again, Unix milliseconds,
    /// where the target names one.
    ///
    /// # Errors
    /// The store's.
    async fn after(&self, attempt: &Attempt) -> Result<Option<i64>, StoreError>;
}

/// How an attempt ended, by what it says of the delivery and of the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Accepted.
    Accepted,
    /// It may succeed later.
    Failed {
        /// What went wrong.
        error: String,
        /// The target asked for nothing before this time, Unix milliseconds.
        not_before_ms: Option<i64>,
        /// Whether the target is overloaded, so that others should wait too.
        overloaded: bool,
    },
    /// The target takes nothing for now. It does not count as an attempt.
    Busy {
        /// Until when, where the target says so, Unix milliseconds.
        until_ms: Option<i64>,
        /// What it said.
        reason: String,
    },
    /// The target takes nothing until somebody changes something there. It does not count as an attempt.
    Refused(String),
    /// Trying again cannot help.
    Hopeless(String),
}
