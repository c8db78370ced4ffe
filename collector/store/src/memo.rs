//! Memos: runtime data kept beside journeys and leads.
//!
//! Examples: rotated tokens, poll cursors, paused destinations, subscriptions, records that a CRM
//! sent and that are not processed yet, and leases.
//!
//! A memo is changed by compare-and-swap: the change names the stamp that the caller read. Of two
//! concurrent changes, one is told that it came too late.

use crate::error::StoreError;
use serde::{Deserialize, Serialize};

/// The most bytes in a memo's name, which is part of store keys.
pub const NAME_BYTES: usize = 512;

/// The kind of a memo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoKind {
    /// A connection's token; its value is sealed.
    Token,
    /// How far a connection has been polled.
    Cursor,
    /// A destination is paused.
    Pause,
    /// Since when a webhook's receiver has been failing.
    Failing,
    /// A subscription that was ordered by API.
    Hook,
    /// What a CRM sent that is not processed yet.
    Inbox,
    /// A lease. It expires, so exports do not contain it.
    Lease,
}

/// A stored memo.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Memo {
    /// The kind.
    pub kind: MemoKind,
    /// The name within its kind; at most [`NAME_BYTES`].
    pub name: String,
    /// Changes with every change of the memo.
    pub stamp: u64,
    /// JSON text.
    pub value: String,
}

/// A compare-and-swap of a memo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoChange {
    /// The kind.
    pub kind: MemoKind,
    /// The name within its kind; at most [`NAME_BYTES`].
    pub name: String,
    /// The stamp that the stored memo must have; `None` if there must be no memo.
    pub was: Option<u64>,
    /// The new stamp: random, so that nobody else chooses the same.
    pub stamp: u64,
    /// JSON text; `None` removes the memo.
    pub value: Option<String>,
}

impl MemoChange {
    /// A change to `value`, which is stored as JSON text; `None` removes the memo.
    ///
    /// # Errors
    /// If the value cannot be serialised as JSON.
    pub fn new<T: Serialize>(
        kind: MemoKind,
        name: impl Into<String>,
        (was, stamp): (Option<u64>, u64),
        value: Option<&T>,
    ) -> Result<Self, StoreError> {
        let value = value.map(serde_json::to_string).transpose();
        let value = value.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Self { kind, name: name.into(), was, stamp, value })
    }
}

impl MemoKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Token,
        Self::Cursor,
        Self::Pause,
        Self::Failing,
        Self::Hook,
        Self::Inbox,
        Self::Lease,
    ];

    /// The name in keys and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Cursor => "cursor",
            Self::Pause => "pause",
            Self::Failing => "failing",
            Self::Hook => "hook",
            Self::Inbox => "inbox",
            Self::Lease => "lease",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kinds that exports contain.
    pub(super) fn carried() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Lease)
    }
}

impl MemoChange {
    /// Checks that every backend can store it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with the reason.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let (kind, bytes) = (self.kind.as_str(), self.name.len());
        if bytes == 0 || bytes > NAME_BYTES {
            let message =
                format!("a {kind}'s name must have 1 to {NAME_BYTES} bytes; this one has {bytes}");
            return Err(StoreError::Refused(message));
        }
        // PostgreSQL's text type cannot hold it. (JSON escapes it.)
        if self.name.contains('\0') || self.value.as_ref().is_some_and(|value| value.contains('\0'))
        {
            return Err(StoreError::Refused(format!("a {kind}'s name or value contains U+0000")));
        }
        Ok(())
    }

    /// The memo after the change.
    pub(super) fn memo(self) -> Option<Memo> {
        let Self { kind, name, stamp, value, .. } = self;
        value.map(|value| Memo { kind, name, stamp, value })
    }

    /// Whether the change applies to the stored memo.
    pub(super) fn fits(&self, stored: Option<&Memo>) -> bool {
        self.was == stored.map(|memo| memo.stamp)
    }

    /// Whether the stored memo is already the result of this change: a change whose response was
    /// lost is sent again.
    pub(super) fn is_made(&self, stored: Option<&Memo>) -> bool {
        match (&self.value, stored) {
            (Some(value), Some(memo)) => (self.stamp, value) == (memo.stamp, &memo.value),
            (None, None) => self.was.is_none(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, was: Option<u64>, value: Option<&str>) -> MemoChange {
        let (name, value) = (name.into(), value.map(Into::into));
        MemoChange { kind: MemoKind::Cursor, name, was, stamp: 9, value }
    }

    #[test]
    fn names_and_values_that_can_be_stored() {
        let check = |name: &str, value: Option<&str>, stored: bool| {
            assert_eq!(change(name, None, value).check().is_ok(), stored, "{name:?} {value:?}");
        };
        check("a", Some("1"), true);
        check("a", None, true);
        check(&"é".repeat(NAME_BYTES / 2), Some("1"), true);
        check(&"é".repeat(NAME_BYTES / 2 + 1), Some("1"), false);
        check("", Some("1"), false);
        check("a\0b", Some("1"), false);
        check("a", Some("\0"), false);
    }

    #[test]
    fn changes_that_fit_and_that_are_made() {
        let check = |was, value, stored: Option<(u64, &str)>, fits: bool, is_made: bool| {
            let stored = stored.map(|(stamp, value)| {
                let (kind, name) = (MemoKind::Cursor, "a".into());
                Memo { kind, name, stamp, value: value.into() }
            });
            let change = change("a", was, value);
            let found = (change.fits(stored.as_ref()), change.is_made(stored.as_ref()));
            assert_eq!(found, (fits, is_made), "{change:?} over {stored:?}");
        };
        check(None, Some("1"), None, true, false);
        check(None, Some("1"), Some((3, "0")), false, false);
        check(Some(3), Some("1"), Some((3, "0")), true, false);
        check(Some(4), Some("1"), Some((3, "0")), false, false);
        check(Some(3), Some("1"), None, false, false);
        check(Some(3), Some("1"), Some((9, "1")), false, true);
        check(Some(3), Some("1"), Some((9, "0")), false, false);
        check(Some(3), None, Some((3, "0")), true, false);
        check(Some(3), None, None, false, false);
        check(None, None, None, true, true);
    }

    #[test]
    fn kinds_by_their_names() {
        for kind in MemoKind::ALL {
            assert_eq!(MemoKind::parse(kind.as_str()), Some(kind));
            let serialized = serde_json::to_string(&kind).unwrap();
            assert_eq!(serialized, format!("\"{}\"", kind.as_str()));
        }
    }
}
