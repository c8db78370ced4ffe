//! Errors in JSON.

use serde::Serialize;
use utoipa::ToSchema;

/// Why a request failed (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem. It is stable and meant for programs.
    #[schema(example = "/problems/invalid")]
    pub r#type: String,
    /// The HTTP status in words.
    #[schema(example = "Unprocessable Entity")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong and what to do: a sentence for people, which may change.
    #[schema(example = "The lead was not stored: contact needs an email or a phone.")]
    pub detail: String,
    /// The request's id, by which the operator finds it in the log.
    #[schema(required = true)]
    pub request_id: Option<String>,
}
