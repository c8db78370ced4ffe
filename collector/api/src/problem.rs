//! Errors in JSON.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a request failed (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem. It is stable: programs may rely on it.
    #[schema(example = "/problems/invalid")]
    pub r#type: String,
    /// The HTTP status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong and what to do, in a sentence for people.
    #[schema(example = "The lead was not stored: contact needs an email or a phone.")]
    pub detail: String,
    /// The id of the request, which is also in the collector's log.
    #[schema(required = true)]
    pub request_id: Option<String>,
}
