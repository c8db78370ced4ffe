//! A time in JSON.

use serde::{Serialize, Serializer};
use shared::time::rfc3339;
use utoipa::ToSchema;

/// A time: RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-21T09:00:00Z")]
pub struct Timestamp(
    /// Unix milliseconds.
    pub i64,
);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}
