//! Webhooks of tools between: signed as Standard Webhooks says, or with an API key.

use super::api_key::{Holder, LeadsWrite};
use super::body;
use crate::problem::ApiError;
use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use clew_core::Core;
use collector::feedback::Feedback;
use collector::settings::{Inbound, Settings};
use collector::signing::SigningKeys;
use serde_json::json;

/// `POST /hooks/{name}` for an inbound of the configuration: 202, or 200 where all of it was reported before.
pub(super) async fn receive(
    core: &Core,
    feedback: &Feedback,
    settings: &Settings,
    inbound: &Inbound,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let id = match request.headers().contains_key(header::AUTHORIZATION) {
        true => {
            let holder = Holder::<LeadsWrite>::extract(request).await?;
            holder.on(Some(inbound.config.site.as_str()))?;
            body::idempotency_key(request)?
        }
        false => {
            let keys = inbound.keys.as_ref().ok_or(ApiError::Unauthorized)?;
            // Judged by the time at which all of it is here.
            Some(signed(request, keys, &body, core.now_ms()).map_err(|why| {
                tracing::warn!(inbound = inbound.config.name, why, "a webhook was refused");
                ApiError::NotSigned(format!("The webhook is not signed as it should be: {why}."))
            })?)
        }
    };
    let taken = feedback.inbound(settings, inbound, &body, id).await?;
    Ok(match taken.repeated {
        true => HttpResponse::Ok().json(json!({ "duplicate": true, "lead_id": taken.lead })),
        false => HttpResponse::Accepted().json(json!({ "accepted": true, "lead_id": taken.lead })),
    })
}

/// The webhook's id, once its signature holds.
fn signed<'a>(
    request: &'a HttpRequest,
    keys: &SigningKeys,
    body: &[u8],
    now_ms: i64,
) -> Result<&'a str, &'static str> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let id = header("webhook-id").ok_or("it has no webhook-id")?;
    let timestamp = header("webhook-timestamp").ok_or("it has no webhook-timestamp")?;
    let signatures = header("webhook-signature").ok_or("it has no webhook-signature")?;
    keys.check(id, timestamp, signatures, body, now_ms)?;
    Ok(id)
}
