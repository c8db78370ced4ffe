//! One attempt to post a webhook: signed, and bounded in time.

use crate::settings::Webhook;
use clew_connect::outgoing::{Outgoing, describe, retry_at_ms};
use reqwest::{Method, StatusCode, header};
use std::fmt;
use std::time::Duration;

/// What a receiver did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// When it may be tried again, where the answer says so, Unix milliseconds.
        retry_at_ms: Option<i64>,
    },
    /// No answer, and why.
    Silent(String),
    /// The address is not one that we call.
    NotCalled(String),
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => {
                let reason = StatusCode::from_u16(*status).ok();
                let reason = reason.and_then(|status| status.canonical_reason());
                write!(
                    formatter,
                    "the destination answered {status} {}",
                    reason.unwrap_or_default()
                )
            }
            Self::Silent(error) | Self::NotCalled(error) => formatter.write_str(error),
        }
    }
}

/// Posts a body as it is frozen, with the timestamp of now. Of the answer the head is read and no more.
pub(super) async fn post(
    outgoing: &Outgoing,
    webhook: &Webhook,
    id: &str,
    body: Vec<u8>,
    now_ms: i64,
    timeout: Duration,
) -> Reply {
    let request = match outgoing.request(Method::POST, &webhook.url, webhook.allow_private) {
        Ok(request) => request,
        Err(error) => return Reply::NotCalled(error.to_string()),
    };
    let timestamp_s = now_ms.div_euclid(1000);
    let signatures = webhook.keys.sign(id, timestamp_s, &body);
    let request = request
        .timeout(timeout)
        .header(header::CONTENT_TYPE, "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp_s.to_string())
        .header("webhook-signature", signatures)
        .body(body);
    match request.send().await {
        Ok(response) => Reply::Answered {
            status: response.status().as_u16(),
            retry_at_ms: retry_at_ms(response.headers(), now_ms),
        },
        Err(error) => Reply::Silent(describe(error)),
    }
}
