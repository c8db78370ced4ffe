//! Settings that are read from a text into a type that cannot be wrong.

use serde::{Deserialize, Deserializer};
use std::fmt::Display;
use std::str::FromStr;

/// For `#[serde(deserialize_with)]`.
pub(super) fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// The same for a setting that an empty text leaves out.
pub(super) fn parsed_unless_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    let parsed = (!text.is_empty()).then(|| text.parse()).transpose();
    parsed.map_err(serde::de::Error::custom)
}
