//! API keys in JSON.

use crate::Timestamp;
use serde::Serialize;
use shared::ids::SiteId;
use utoipa::ToSchema;

/// The API key that sent the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct Key<'a> {
    /// The key's name in the configuration.
    #[schema(example = "website forms")]
    pub key_name: &'a str,
    /// The sites that it opens.
    #[schema(value_type = Vec<String>, example = json!(["demo"]))]
    pub sites: &'a [SiteId],
    /// The scopes that it grants.
    #[schema(example = json!(["leads:write"]))]
    pub scopes: Vec<&'static str>,
    /// When the key expires; `null` if it does not.
    #[schema(required = true)]
    pub expires_at: Option<Timestamp>,
}
