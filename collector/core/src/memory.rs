//! Typed memos: runtime data that must outlive the process. A change must name the stamp that the
//! caller read (compare-and-swap).

use crate::Core;
use clew_store::{MemoChange, MemoKind, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A memo's value and stamp.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory<T> {
    /// The value; `None` if there is no memo or it cannot be parsed.
    pub value: Option<T>,
    /// The stamp that a change must name; `None` if there is no memo.
    pub stamp: Option<u64>,
}

impl Core {
    /// Reads a memo.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn recall<T: DeserializeOwned>(
        &self,
        kind: MemoKind,
        name: &str,
    ) -> Result<Memory<T>, StoreError> {
        let memo = self.store.memo(kind, name).await?;
        let value = memo.as_ref().and_then(|memo| serde_json::from_str(&memo.value).ok());
        Ok(Memory { value, stamp: memo.map(|memo| memo.stamp) })
    }

    /// Changes a memo whose stamp is still `was`; a value of `None` removes it. Returns the new
    /// stamp, or `None` if someone else changed the memo first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remember<T: Serialize>(
        &self,
        kind: MemoKind,
        name: &str,
        was: Option<u64>,
        value: Option<&T>,
    ) -> Result<Option<u64>, StoreError> {
        let stamp = u64::from_be_bytes(self.random.bytes());
        let change = MemoChange::new(kind, name, (was, stamp), value)?;
        Ok(self.store.change_memo(change).await?.then_some(stamp))
    }
}
