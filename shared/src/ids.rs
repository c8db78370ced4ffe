//! Identifiers of visitors, events, leads, conversions and sites.
//!
//! Each is its own type, so the compiler catches a mix-up. This module reads no clock and rolls no
//! dice: the time and the random bytes are arguments.

use alloc::string::String;
use core::fmt;
use uuid::{Builder, Uuid};

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "rules", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, format = "uuid"))]
        pub struct $name(pub Uuid);

        impl $name {
            /// Parses the 36-character hyphenated form, in either case. Any other form, and the nil
            /// UUID, gives `None`.
            pub fn parse(text: &str) -> Option<Self> {
                read_uuid(text).filter(|id| !id.is_nil()).map(Self)
            }

            /// The 16 bytes used in store keys.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The 36-character form. It avoids `core::fmt`, which would make the browser module
            /// larger.
            pub fn to_text(self) -> String {
                write_uuid(self.0.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A browser: the random UUID (version 4) in its first-party cookie.
    VisitorId
}
uuid_id! {
    /// An event: a UUIDv7 that the browser makes from its own clock. It never changes, so a
    /// repeated event has the same key in every store.
    EventId
}
uuid_id! {
    /// A lead: a UUIDv7, which is also the lead's external id in every CRM.
    LeadId
}
uuid_id! {
    /// One conversion of a lead: a UUIDv7, or the id of the browser event that identified the
    /// person.
    ConversionId
}

impl VisitorId {
    /// A new visitor from 16 random bytes.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(Builder::from_random_bytes(random).into_uuid())
    }
}

impl EventId {
    /// A new event id from Unix milliseconds and ten random bytes.
    pub fn new(now_ms: i64, random: [u8; 10]) -> Self {
        Self(uuid_v7(now_ms, random))
    }

    /// When the id was made by the browser's clock, Unix milliseconds. Meaningless if the id is not
    /// a UUIDv7.
    pub fn made_at_ms(self) -> i64 {
        let [a, b, c, d, e, f, ..] = *self.as_bytes();
        i64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl LeadId {
    /// A new lead id from Unix milliseconds and ten random bytes.
    pub fn new(now_ms: i64, random: [u8; 10]) -> Self {
        Self(uuid_v7(now_ms, random))
    }
}

impl ConversionId {
    /// A new conversion id from Unix milliseconds and ten random bytes.
    pub fn new(now_ms: i64, random: [u8; 10]) -> Self {
        Self(uuid_v7(now_ms, random))
    }
}

/// A time before 1970 counts as 1970, so that the id stays valid; the collector judges the time.
fn uuid_v7(now_ms: i64, random: [u8; 10]) -> Uuid {
    Builder::from_unix_timestamp_millis(now_ms.max(0).unsigned_abs(), &random).into_uuid()
}

/// Written by hand, because the parser of `uuid` accepts many forms and is larger than the rest of
/// this module.
fn read_uuid(text: &str) -> Option<Uuid> {
    let mut bytes = [0; 16];
    let mut digits = 0;
    for (index, character) in text.bytes().enumerate() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if character != b'-' {
                return None;
            }
        } else {
            let byte: &mut u8 = bytes.get_mut(digits / 2)?;
            *byte = *byte << 4 | nibble(character)?;
            digits += 1;
        }
    }
    (digits == 32).then(|| Uuid::from_bytes(bytes))
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn write_uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text += "-";
        }
        text += digit(usize::from(byte >> 4));
        text += digit(usize::from(byte & 15));
    }
    text
}

/// A hexadecimal or decimal digit as text; empty for values above 15. It does not index, because a
/// possible panic would pull `core::fmt` into the browser module.
pub(crate) fn digit(value: usize) -> &'static str {
    "0123456789abcdef".get(value..=value).unwrap_or_default()
}

/// One tracked web site, by its name in the configuration: 1 to 32 of `a-z`, `0-9`, `-`, `_`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "rules", derive(serde::Serialize), serde(transparent))]
pub struct SiteId(String);

impl SiteId {
    /// `None` if the text is not a valid site name.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        let fits = (1..=32).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "rules")]
impl<'de> serde::Deserialize<'de> for SiteId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "a site name must be 1 to 32 characters of a-z, 0-9, '-' and '_'",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";
        assert_eq!(VisitorId::parse(id).unwrap().to_text(), id);
        assert_eq!(VisitorId::parse(&id.to_uppercase()).unwrap().to_string(), id);
        for bad in [
            "",
            "x",
            "0197a2b47c1e7d8a9f005b2f6f1f0c11",
            "{0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11}",
            "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c1",
            "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c111",
            "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c1g",
            "0197a2b4-7c1e-7d8a-9f005-b2f6f1f0c11",
            "+197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11",
        ] {
            assert_eq!(VisitorId::parse(bad), None, "{bad}");
        }
        assert_eq!(VisitorId::parse("00000000-0000-0000-0000-000000000000"), None);
    }

    #[test]
    fn event_ids_sort_by_their_time() {
        assert!(EventId::new(1_000, [255; 10]) < EventId::new(1_001, [0; 10]));
        assert_eq!(EventId::new(-5, [1; 10]), EventId::new(0, [1; 10]));
        assert_eq!(EventId::new(0, [0; 10]).0.get_version_num(), 7);
        assert_eq!(VisitorId::from_random([0; 16]).0.get_version_num(), 4);
    }

    #[test]
    fn site_names() {
        for good in ["demo", "a", "shop-fr_2"] {
            assert!(SiteId::parse(good).is_some(), "{good}");
        }
        for bad in ["", "Demo", "a b", "a/b", "é", &"x".repeat(33)] {
            assert!(SiteId::parse(bad).is_none(), "{bad}");
        }
    }
}
