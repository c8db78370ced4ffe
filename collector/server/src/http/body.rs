//! What requests that write bring: a body within its limit, and a key for repeats.

use crate::problem::ApiError;
use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};
use shared::limits;

/// The whole body.
pub(super) async fn read(payload: Payload) -> Result<Bytes, ApiError> {
    match payload.to_bytes_limited(limits::BODY_BYTES).await {
        Ok(body) => body.map_err(|_| ApiError::Malformed("The body broke off.".into())),
        Err(_) => Err(ApiError::TooLarge),
    }
}

/// The whole body of a CRM's webhook, which may tell of a hundred things.
pub(super) async fn read_webhook(payload: Payload) -> Result<Bytes, ApiError> {
    match payload.to_bytes_limited(limits::WEBHOOK_IN_BYTES).await {
        Ok(body) => body.map_err(|_| ApiError::Malformed("The body broke off.".into())),
        Err(_) => Err(ApiError::TooLarge),
    }
}

/// The header `Idempotency-Key`.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, ApiError> {
    let unreadable = |_| ApiError::Invalid("Idempotency-Key should be ASCII.".into());
    let key = request.headers().get("Idempotency-Key").map(|value| value.to_str());
    key.transpose().map_err(unreadable)
}
