//! What arises at run time and is kept beside journeys and leads.
//!
//! Rotated tokens, how far a poll has come, destinations that are paused, subscriptions, what a CRM sent
//! and nobody has worked yet, and who does what only one may do.
//!
//! A memo is changed by whoever knows what stands there: of two that change it at the same time, one
//! learns that it came too late.

use crate::error::StoreError;
use serde::{Deserialize, Serialize};

/// Bytes of a name, at most: it is part of keys.
pub const NAME_BYTES: usize = 512;

/// What a memo is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoKind {
    /// A token of a connection; its value is sealed.
    Token,
    /// How far a connection was polled.
    Cursor,
    /// That a destination gets nothing for now.
    Pause,
    /// Since when a webhook's receiver takes nothing.
    Failing,
    /// A subscription that was made by API.
    Hook,
    /// What a CRM sent and nobody has worked yet.
    Inbox,
    /// Who does for a while what only one may do. It ends by itself, so no export has it.
    Lease,
}

/// Something that was remembered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Memo {
    /// What it is about.
    pub kind: MemoKind,
    /// Of what of that kind; at most [`NAME_BYTES`].
    pub name: String,
    /// Another one with each change.
    pub stamp: u64,
    /// JSON text.
    pub value: String,
}

/// A change of a memo, made where there stands what the caller knows of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemoChange {
    /// What it is about.
    pub kind: MemoKind,
    /// Of what of that kind; at most [`NAME_BYTES`].
    pub name: String,
    /// The stamp that must stand there; `None` where nothing may.
    pub was: Option<u64>,
    /// The stamp that is to stand there: random, so that nobody else's is the same.
    pub stamp: u64,
    /// JSON text; `None` removes what stands there.
    pub value: Option<String>,
}

impl MemoChange {
    /// A change to a value, which is kept as JSON text, or (`None`) to nothing.
    ///
    /// # Errors
    /// Where the value is none that JSON has.
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

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The kinds that an export has.
    pub(super) fn carried() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Lease)
    }
}

impl MemoChange {
    /// Whether it can be stored, on every store.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with what is wrong.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let (kind, bytes) = (self.kind.as_str(), self.name.len());
        if bytes == 0 || bytes > NAME_BYTES {
            let told = format!("a {kind}'s name has 1 to {NAME_BYTES} bytes, this one has {bytes}");
            return Err(StoreError::Refused(told));
        }
        // No text of PostgreSQL holds it, and JSON writes it in other characters.
        if self.name.contains('\0') || self.value.as_ref().is_some_and(|value| value.contains('\0'))
        {
            return Err(StoreError::Refused(format!("a {kind}'s name or value holds U+0000")));
        }
        Ok(())
    }

    /// What stands there once it is made.
    pub(super) fn memo(self) -> Option<Memo> {
        let Self { kind, name, stamp, value, .. } = self;
        value.map(|value| Memo { kind, name, stamp, value })
    }

    /// Whether it may be made over what stands there.
    pub(super) fn fits(&self, standing: Option<&Memo>) -> bool {
        self.was == standing.map(|memo| memo.stamp)
    }

    /// Whether what stands there is what it makes: one that was made, and whose answer was lost, is
    /// asked for again.
    pub(super) fn is_made(&self, standing: Option<&Memo>) -> bool {
        match (&self.value, standing) {
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
        let check = |was, value, standing: Option<(u64, &str)>, fits: bool, is_made: bool| {
            let standing = standing.map(|(stamp, value)| {
                let (kind, name) = (MemoKind::Cursor, "a".into());
                Memo { kind, name, stamp, value: value.into() }
            });
            let change = change("a", was, value);
            let found = (change.fits(standing.as_ref()), change.is_made(standing.as_ref()));
            assert_eq!(found, (fits, is_made), "{change:?} over {standing:?}");
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
