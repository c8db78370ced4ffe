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
