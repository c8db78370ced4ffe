//! What people typed and nobody can use.

use crate::limits;
use crate::wire::encode::cut;
use serde::{Deserialize, Serialize};

/// A value of a contact that could not be used as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RawValue {
    /// The member: `email`, `phone`, `company`, …
    pub member: String,
    /// The value as typed, at most `limits::RAW_BYTES`.
    pub value: String,
    /// Why it could not be used.
    pub reason: RawReason,
}

/// Why a value could not be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RawReason {
    /// It is not an e-mail address.
    NotAnEmail,
    /// It has no digits.
    NoDigits,
    /// It is longer than `limits::TEXT_BYTES` (`limits::EMAIL_BYTES` for an e-mail). Texts are cut.
    TooLong,
}

impl RawReason {
    /// What it means for the member, as the end of a sentence about the value.
    pub fn as_sentence(self) -> &'static str {
        match self {
            Self::NotAnEmail => "is not an e-mail address; it was kept as typed",
            Self::NoDigits => "has no digits; it was kept as typed",
            Self::TooLong => "is too long; it was cut, and kept as typed beside",
        }
    }
}

impl RawValue {
    pub(super) fn new(member: &str, value: &str, reason: RawReason) -> Self {
        let value = cut(value, limits::RAW_BYTES).to_owned();
        Self { member: member.to_owned(), value, reason }
    }
}
