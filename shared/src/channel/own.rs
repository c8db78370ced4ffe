//! Channels of the operator's own names, and how a channel is stored.

use super::Channel;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The longest name.
const NAME_BYTES: usize = 40;
/// The most names that one process takes: those of the configuration, and those that stored page
/// views have from earlier ones.
const NAMES: usize = 1_000;
/// What is stored in place of a built-in channel's number.
const NUMBER: u8 = Channel::ALL.len() as u8;

/// A channel that the operator named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnChannel {
    /// Every name is kept once for the whole process, so that channels stay small and are copied.
    name: &'static str,
    /// How many names were known before.
    number: usize,
}

/// The name alone: the number differs between processes, and the hash of the rules must not.
impl fmt::Debug for OwnChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl OwnChannel {
    /// The channel with a name: at most 40 lowercase letters (`a` to `z`), digits and underscores,
    /// beginning with a letter. `None` if the name is not valid, belongs to a built-in channel, or
    /// is one too many.
    pub fn named(name: &str) -> Option<Self> {
        static KNOWN: Mutex<BTreeMap<&str, OwnChannel>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = known.get(name) {
            return Some(*own);
        }
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.len() <= NAME_BYTES
            && name.bytes().all(is_plain)
            && Channel::ALL.into_iter().all(|channel| channel.as_str() != name);
        if !is_name || known.len() >= NAMES {
            return None;
        }
        let own = Self { name: Box::leak(name.into()), number: known.len() };
        known.insert(own.name, own);
        drop(known);
        Some(own)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        self.name
    }
}

impl Channel {
    /// A small number of its own, the same for as long as the process runs.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Own(own) => Self::ALL.len() + own.number,
            built_in => Self::ALL.iter().position(|one| *one == built_in).unwrap_or_default(),
        }
    }
}

/// In JSON, the name. In binary rows, the place in [`Channel::ALL`] as one byte, or one more than
/// the last place, followed by the name.
impl Serialize for Channel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return to.serialize_str(self.as_str());
        }
        match self {
            Self::Own(own) => {
                let mut pair = to.serialize_tuple(2)?;
                pair.serialize_element(&NUMBER)?;
                pair.serialize_element(own.as_str())?;
                pair.end()
            }
            built_in => to.serialize_u8(built_in.index() as u8),
        }
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.is_human_readable() {
            true => from.deserialize_str(Stored),
            false => from.deserialize_tuple(2, Stored),
        }
    }
}

struct Stored;

impl<'de> Visitor<'de> for Stored {
    type Value = Channel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Channel, E> {
        let own = || OwnChannel::named(name).map(Channel::Own);
        let channel = Channel::parse(name).or_else(own);
        channel.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(name), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Channel, A::Error> {
        let wrong = || A::Error::custom("a channel is cut off");
        let place: u8 = parts.next_element()?.ok_or_else(wrong)?;
        if let Some(channel) = Channel::ALL.get(usize::from(place)) {
            return Ok(*channel);
        }
        if place != NUMBER {
            return Err(A::Error::custom(format!("unknown channel {place}")));
        }
        let name: String = parts.next_element()?.ok_or_else(wrong)?;
        self.visit_str(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, valid) in [
            ("partner_portal", true),
            ("a", true),
            ("tv2", true),
            ("", false),
            ("2tv", false),
            ("Partner", false),
            ("partner portal", false),
            ("caf\u{e9}", false),
            // One of Clew's own.
            ("paid_search", false),
            (&"a".repeat(NAME_BYTES), true),
            (&"a".repeat(NAME_BYTES + 1), false),
        ] {
            let own = OwnChannel::named(name);
            assert_eq!(own.map(OwnChannel::as_str), Some(name).filter(|_| valid));
            assert_eq!(own, OwnChannel::named(name));
        }
    }

    #[test]
    fn what_was_stored_is_read() {
        let own = Channel::Own(OwnChannel::named("partner_portal").unwrap());
        for channel in Channel::ALL.into_iter().chain([own]) {
            let text = serde_json::to_string(&channel).unwrap();
            assert_eq!(text, format!("\"{}\"", channel.as_str()));
            assert_eq!(serde_json::from_str::<Channel>(&text).unwrap(), channel);
            let row = postcard::to_allocvec(&(channel, 7u8)).unwrap();
            assert_eq!(postcard::from_bytes::<(Channel, u8)>(&row).unwrap(), (channel, 7));
            let number = Channel::ALL.iter().position(|one| *one == channel);
            assert_eq!(usize::from(row[0]), number.unwrap_or(Channel::ALL.len()));
        }
        assert!(serde_json::from_str::<Channel>("\"No Channel\"").is_err());
        assert!(postcard::from_bytes::<Channel>(&[NUMBER + 1]).is_err());
        assert!(postcard::from_bytes::<Channel>(&[NUMBER]).is_err());
    }
}
