//! `clew openapi`: the OpenAPI document, as `GET /openapi.json` serves it.

use crate::say::say;
use anyhow::Result;

/// Prints the document.
pub(crate) fn run() -> Result<()> {
    say(&serde_json::to_string_pretty(clew_server::http::document())?);
    Ok(())
}
