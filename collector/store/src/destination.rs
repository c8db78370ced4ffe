//! The ids of destinations.

use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// A destination's id. Its text form appears in rows, in the API and in logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum DestinationId {
    /// A webhook or CRM from the configuration, by its name.
    Configured(String),
    /// A subscription that was ordered by API.
    Subscription(SubscriptionId),
}

/// A subscription's id: `hk_` and the 32 hex digits of a UUIDv7. Names in the configuration are
/// always shorter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionId(Uuid);

/// A text that is not a subscription's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a subscription id: it must be hk_ and 32 lowercase hex digits")]
pub struct NotASubscriptionId;

impl SubscriptionId {
    /// Wraps a UUID that the caller generated.
    pub fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for SubscriptionId {
    type Err = NotASubscriptionId;

    fn from_str(text: &str) -> Result<Self, NotASubscriptionId> {
        let digits = text.strip_prefix("hk_").ok_or(NotASubscriptionId)?;
        let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 32 || !digits.bytes().all(plain) {
            return Err(NotASubscriptionId);
        }
        Uuid::try_parse(digits).map(Self).map_err(|_| NotASubscriptionId)
    }
}

impl TryFrom<String> for SubscriptionId {
    type Error = NotASubscriptionId;

    fn try_from(text: String) -> Result<Self, NotASubscriptionId> {
        text.parse()
    }
}

impl From<SubscriptionId> for String {
    fn from(id: SubscriptionId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hk_{}", self.0.simple())
    }
}

impl DestinationId {
    /// Whether leads are handed off to this destination; a subscription is only notified of them.
    pub fn keeps_leads(&self) -> bool {
        match self {
            Self::Configured(_) => true,
            Self::Subscription(_) => false,
        }
    }
}

impl FromStr for DestinationId {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl From<&str> for DestinationId {
    fn from(text: &str) -> Self {
        match text.parse() {
            Ok(id) => Self::Subscription(id),
            Err(NotASubscriptionId) => Self::Configured(text.to_owned()),
        }
    }
}

impl From<String> for DestinationId {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<DestinationId> for String {
    fn from(id: DestinationId) -> Self {
        id.to_string()
    }
}

impl From<SubscriptionId> for DestinationId {
    fn from(id: SubscriptionId) -> Self {
        Self::Subscription(id)
    }
}

impl fmt::Display for DestinationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(name) => f.write_str(name),
            Self::Subscription(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_text() {
        for (text, is_subscription) in [
            ("crm", false),
            ("hk_crm", false),
            ("hk_0197a2b47c1e7d8a9f005b2f6f1f0c11", true),
            ("hk_0197A2B47C1E7D8A9F005B2F6F1F0C11", false),
            ("hk_0197a2b47c1e7d8a9f005b2f6f1f0c1", false),
            ("hk_0197a2b4-7c1e-7d8a-9f00-5b2f6f1f", false),
            ("", false),
        ] {
            let id = DestinationId::from(text);
            assert_eq!(matches!(id, DestinationId::Subscription(_)), is_subscription, "{text}");
            assert_eq!(id.to_string(), text);
            let json = serde_json::to_string(&id).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<DestinationId>(&json).unwrap(), id);
        }
    }
}
