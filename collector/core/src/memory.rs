//! Memos as values: what arises at run time and must outlive the process, read and changed by whoever
//! knows what stands there.

use crate::Core;
use clew_store::{MemoChange, MemoKind, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is remembered under a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Memory<T> {
    /// The value; `None` where nothing is remembered, or something that cannot be read.
    pub value: Option<T>,
    /// The stamp that a change must name; `None` where nothing is remembered.
    pub stamp: Option<u64>,
}

impl Core {
    /// Reads a memo.
    ///
    /// # Errors
    /// The store's.
    pub async fn recall<T: DeserializeOwned>(
        &self,
        kind: MemoKind,
        name: &str,
    ) -> Result<Memory<T>, StoreError> {
        let memo = self.store.memo(kind, name).await?;
        let value = memo.as_ref().and_then(|memo| serde_json::from_str(&memo.value).ok());
        Ok(Memory { value, stamp: memo.map(|memo| memo.stamp) })
    }

    /// Changes a memo that still has the stamp `was`; a value of `None` removes it. Returns the new
    /// stamp, or `None` where somebody else changed the memo first.
    ///
    /// # Errors
    /// The store's.
    pub async fn remember<T: Serialize>(
        &self,
        kind: MemoKind,
        name: &str,
        was: Option<u64>,
        value: Option<&T>,
    ) -> Result<Option<u64>, StoreError> {
        let stamp = u64::from_be_bytes(self.dice.roll());
        let change = MemoChange::new(kind, name, (was, stamp), value)?;
        Ok(self.store.change_memo(change).await?.then_some(stamp))
    }
}
