//! Webhooks of tools between: signed as Standard Webhooks says, or with an API key.

use super::api_key::{Holder, LeadsWrite};
use super::body::{self, Sender, UnreadBody};
use crate::problem::ApiError;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use clew_api::{InboundAccepted, InboundDuplicate};
use clew_core::{Core, Refusal};
use collector::feedback::Feedback;
use collector::settings::{Inbound, Settings};
use collector::signing::SigningKeys;

/// `POST /hooks/{name}` for an inbound of the configuration: 202, or 200 where all of it was reported
/// before. The key, or the form of the signature, is judged before the body is read.
pub(super) async fn receive(
    core: &Core,
    feedback: &Feedback,
    settings: &Settings,
    inbound: &Inbound,
    request: &HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let (id, body) = match request.headers().contains_key(header::AUTHORIZATION) {
        true => {
            let holder = Holder::<LeadsWrite>::extract(request).await?;
            holder.on(Some(inbound.config.site.as_str()))?;
            (body::idempotency_key(request)?, body::read(body).await?)
        }
        false => {
            let keys = inbound.keys.as_ref().ok_or(ApiError::Unauthorized)?;
            let refused = |why| refused(core, inbound, why);
            let signed = Signed::of(request, core.now_ms()).map_err(refused)?;
            let body = body.read(Sender::Tool).await?;
            // Judged by the time at which all of it is here.
            signed.check(keys, &body, core.now_ms()).map_err(refused)?;
            (Some(signed.id), body)
        }
    };
    let taken = feedback.inbound(settings, inbound, &body, id).await?;
    Ok(match taken.repeated {
        true => HttpResponse::Ok().json(InboundDuplicate { duplicate: true, lead_id: taken.lead }),
        false => {
            HttpResponse::Accepted().json(InboundAccepted { accepted: true, lead_id: taken.lead })
        }
    })
}

fn refused(core: &Core, inbound: &Inbound, why: &str) -> ApiError {
    core.metrics.refused(Refusal::Webhook);
    if let Some(count) = inbound.refused.note(core.now_ms()) {
        tracing::warn!(inbound = inbound.config.name, count, why, "a webhook was refused");
    }
    ApiError::NotSigned(format!("The webhook is not signed as it should be: {why}."))
}

/// The headers of a signature.
struct Signed<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
}

impl<'a> Signed<'a> {
    /// Those of a request, where they can be right.
    fn of(request: &'a HttpRequest, now_ms: i64) -> Result<Self, &'static str> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let id = header("webhook-id").ok_or("it has no webhook-id")?;
        let timestamp = header("webhook-timestamp").ok_or("it has no webhook-timestamp")?;
        let signatures = header("webhook-signature").ok_or("it has no webhook-signature")?;
        SigningKeys::check_head(timestamp, signatures, now_ms)?;
        Ok(Self { id, timestamp, signatures })
    }

    fn check(&self, keys: &SigningKeys, body: &[u8], now_ms: i64) -> Result<(), &'static str> {
        keys.check(self.id, self.timestamp, self.signatures, body, now_ms)
    }
}
