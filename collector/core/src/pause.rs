//! Paused destinations. Nothing is delivered to one until an operator fixes the cause or a probe
//! shows that it is fixed. Deliveries wait until then.

use crate::{Core, is_ahead};
use clew_store::{MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// How long a paused destination is left alone before the next probe.
pub const LOOK_AGAIN_MS: i64 = 300_000;

/// Why and since when a destination is paused.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pause {
    /// When the pause began, Unix milliseconds.
    pub since_ms: i64,
    /// What went wrong.
    pub error: String,
    /// When the destination is probed again, Unix milliseconds; `None` if only an operator can end
    /// the pause.
    pub look_at_ms: Option<i64>,
}

impl Pause {
    /// The pause of a destination, looked up by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn of(core: &Core, destination: &str) -> Result<Option<Self>, StoreError> {
        // A pause that cannot be parsed counts as absent: the next failure writes a new one.
        Ok(core.recall(MemoKind::Pause, destination).await?.value)
    }

    /// Pauses a destination, or updates the reason if it is already paused.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn begin(
        core: &Core,
        destination: &str,
        error: String,
        looks_again: bool,
    ) -> Result<(), StoreError> {
        let now_ms = core.now_ms();
        let pause = core.recall::<Self>(MemoKind::Pause, destination).await?;
        let since_ms = pause.value.map_or(now_ms, |pause| pause.since_ms);
        let look_at_ms = looks_again.then_some(now_ms + LOOK_AGAIN_MS);
        tracing::error!(destination, error, "a destination is paused");
        let value = Self { since_ms, error, look_at_ms };
        // If someone else changed the pause in the meantime, theirs stays.
        core.remember(MemoKind::Pause, destination, pause.stamp, Some(&value)).await.map(drop)
    }

    /// Whether the destination should not be probed yet.
    pub fn is_left_alone(&self, now_ms: i64) -> bool {
        self.look_at_ms.is_none_or(|at_ms| is_ahead(at_ms, LOOK_AGAIN_MS, now_ms))
    }

    /// Ends a pause. Does nothing if the destination is not paused.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn end(core: &Core, destination: &str) -> Result<(), StoreError> {
        let pause = core.recall::<Self>(MemoKind::Pause, destination).await?;
        if pause.value.is_none() {
            return Ok(());
        }
        tracing::info!(destination, "a destination is no longer paused");
        let none: Option<&Self> = None;
        core.remember(MemoKind::Pause, destination, pause.stamp, none).await.map(drop)
    }
}
