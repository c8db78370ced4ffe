//! A destination that is paused: nothing is handed off until somebody has mended what is wrong, or
//! until a look shows that it is mended. What waits, waits.

use crate::app::App;
use crate::store::{MemoChange, MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// How long a paused destination is left alone before the next look.
pub const LOOK_AGAIN_MS: i64 = 300_000;

/// That a destination is paused, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pause {
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// What went wrong.
    pub error: String,
    /// When it is looked at again by itself, Unix milliseconds; `None` where only somebody's hand ends
    /// it.
    pub look_at_ms: Option<i64>,
}

impl Pause {
    /// Whether a destination is paused.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(app: &App, destination: &str) -> Result<Option<Self>, StoreError> {
        let memo = app.store.memo(MemoKind::Pause, destination).await?;
        // One that cannot be read is as good as none: the next failure writes a new one.
        Ok(memo.and_then(|memo| serde_json::from_str(&memo.value).ok()))
    }

    /// Pauses a destination, or says what is wrong now with one that is paused.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(
        app: &App,
        destination: &str,
        error: String,
        looks_again: bool,
    ) -> Result<(), StoreError> {
        let now_ms = app.clock.now_ms();
        let since_ms = Self::of(app, destination).await?.map_or(now_ms, |pause| pause.since_ms);
        let look_at_ms = looks_again.then_some(now_ms + LOOK_AGAIN_MS);
        tracing::error!(destination, error, "a destination is paused");
        Self::put(app, destination, Some(&Self { since_ms, error, look_at_ms })).await
    }

    /// Ends a pause; nothing where there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn end(app: &App, destination: &str) -> Result<(), StoreError> {
        match Self::of(app, destination).await? {
            None => Ok(()),
            Some(_) => {
                tracing::info!(destination, "a destination is no longer paused");
                Self::put(app, destination, None).await
            }
        }
    }

    async fn put(app: &App, destination: &str, pause: Option<&Self>) -> Result<(), StoreError> {
        let was = app.store.memo(MemoKind::Pause, destination).await?.map(|memo| memo.stamp);
        let stamps = (was, u64::from_be_bytes(app.dice.roll()));
        let change = MemoChange::new(MemoKind::Pause, destination, stamps, pause)?;
        // Where somebody else changed it meanwhile, they know better.
        app.store.change_memo(change).await.map(drop)
    }
}
