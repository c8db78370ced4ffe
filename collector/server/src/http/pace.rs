//! Who sends too much is answered slowly: asking again at once costs the sender's time, and not ours.

use std::time::Duration;
use tokio::sync::Semaphore;

/// How long such an answer waits.
const DELAY: Duration = Duration::from_millis(250);
/// Answers that wait at the same time. Further ones go at once, so that waiting takes no more connections
/// than these from everybody else.
const PLACES: usize = 256;

/// The places.
pub(crate) struct Pace(Semaphore);

impl Pace {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(PLACES))
    }

    /// Waits, where there is a place.
    pub(super) async fn wait(&self) {
        if let Ok(_place) = self.0.try_acquire() {
            #[expect(clippy::disallowed_methods, reason = "to wait is what this is for")]
            let delay = tokio::time::sleep(DELAY);
            delay.await;
        }
    }
}
