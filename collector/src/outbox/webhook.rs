//! A delivery to a webhook: its frozen body posted, and what the receiver's answer says of the
//! delivery and of the receiver. And the test of a webhook, which is posted at once.

use super::body;
use super::client::{Attempt, Client, Reply};
use super::destinations::{Destination, Form};
use super::receivers::{resume, stop};
use crate::app::App;
use crate::settings::Settings;
use crate::store::{Delivery, StoreError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared::time::rfc3339;
use std::time::{Duration, Instant};

/// Posts a delivery.
pub(super) async fn post(
    app: &App,
    settings: &Settings,
    to: &Destination,
    delivery: &Delivery,
) -> Result<Attempt, StoreError> {
    let body = match app.store.delivery_body(delivery.id).await? {
        Some(frozen) => frozen,
        None => match body::build(app, settings, delivery, to.form).await? {
            Some(body) => app.store.freeze_delivery(delivery.id, body).await?,
            None => return Ok(Attempt::Hopeless("the lead is gone".into())),
        },
    };
    let client = Client::new(app.outgoing.clone());
    let id = delivery.id.to_text();
    let reply = client.post(to, &id, body, app.clock.now_ms(), longest(settings)).await;
    judge(app, &to.name, reply).await
}

/// What a reply says of the delivery, and of who gave it.
async fn judge(app: &App, name: &str, reply: Reply) -> Result<Attempt, StoreError> {
    let now_ms = app.clock.now_ms();
    let told = reply.to_string();
    let attempt = match reply {
        Reply::NotCalled(error) => return Ok(Attempt::Hopeless(error)),
        Reply::Answered { status: 200..300, .. } => {
            app.receivers.took(app, name).await?;
            return Ok(Attempt::Accepted);
        }
        Reply::Answered { status: 410, .. } => {
            let reason = format!("{told}: it wants no more");
            stop(app, name, &reason).await?;
            return Ok(Attempt::PutOff { until_ms: now_ms, reason });
        }
        Reply::Answered { status: 429, retry_at_ms } => {
            let until_ms = app.receivers.slow_down(name, now_ms, retry_at_ms);
            Attempt::PutOff { until_ms, reason: told }
        }
        Reply::Answered { status, retry_at_ms } => {
            if retry_at_ms.is_some() || matches!(status, 502 | 504) {
                app.receivers.slow_down(name, now_ms, retry_at_ms);
            }
            Attempt::Failed { error: told, not_before_ms: retry_at_ms }
        }
        Reply::Silent(error) => Attempt::Failed { error, not_before_ms: None },
    };
    if app.receivers.failed(app, name).await? {
        stop(app, name, "it has taken nothing for five days").await?;
    }
    Ok(attempt)
}

/// Sends a `ping` now. What it comes to, as the API answers it; one that is accepted ends what
/// keeps the webhook from being tried.
///
/// # Errors
/// The store's.
pub async fn test(app: &App, settings: &Settings, to: &Destination) -> Result<Value, StoreError> {
    let now_ms = app.clock.now_ms();
    let id = format!("ping_{}", URL_SAFE_NO_PAD.encode(app.dice.roll::<16>()));
    let body = match to.form {
        Form::Enveloped => {
            json!({ "type": "ping", "timestamp": rfc3339(now_ms), "data": { "id": id } })
        }
        Form::Flat => json!({ "id": id, "event": "ping", "occurred_at": rfc3339(now_ms) }),
    };
    let client = Client::new(app.outgoing.clone());
    let begun = Instant::now();
    let reply = client.post(to, &id, body.to_string().into(), now_ms, longest(settings)).await;
    let milliseconds = begun.elapsed().as_millis() as u64;
    let status = match reply {
        Reply::Answered { status, .. } => Some(status),
        _ => None,
    };
    let accepted = matches!(status, Some(200..300));
    if accepted {
        app.receivers.took(app, &to.name).await?;
        resume(app, &to.name).await?;
    }
    let error = (!accepted).then(|| reply.to_string());
    Ok(json!({
        "accepted": accepted,
        "status": status,
        "milliseconds": milliseconds,
        "error": error,
        "webhook_id": id,
    }))
}

fn longest(settings: &Settings) -> Duration {
    Duration::from_secs(settings.config.delivery.timeout_seconds.into())
}
