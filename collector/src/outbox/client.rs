//! One attempt to post a webhook: signed, and bounded in time.

use super::destinations::Destination;
use crate::outgoing::{Outgoing, retry_at_ms, told};
use reqwest::{Method, StatusCode, header};
use std::fmt;
use std::time::Duration;

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Attempt {
    /// 2xx.
    Accepted,
    /// Anything that may go better another time.
    Failed {
        /// What went wrong.
        error: String,
        /// The server asked for nothing before this time, Unix milliseconds.
        not_before_ms: Option<i64>,
    },
    /// It was not tried, or refused for a reason that has nothing to do with it: it does not count.
    PutOff {
        /// Until when, Unix milliseconds.
        until_ms: i64,
        /// Why.
        reason: String,
    },
    /// Trying again cannot help.
    Hopeless(String),
}

/// What came of a post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Reply {
    /// An answer.
    Answered {
        /// Its status.
        status: u16,
        /// When it may be tried again, where it says so, Unix milliseconds.
        retry_at_ms: Option<i64>,
    },
    /// No answer, and why.
    Silent(String),
    /// The address is not one that is called.
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

/// Posts webhooks.
pub(super) struct Client(Outgoing);

impl Client {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        Self(outgoing)
    }

    /// One attempt: the body as frozen, the timestamp of now, and how long it may take. Of the answer
    /// its head is read and no more.
    pub(super) async fn post(
        &self,
        destination: &Destination,
        id: &str,
        body: Vec<u8>,
        now_ms: i64,
        timeout: Duration,
    ) -> Reply {
        let Destination { url, allow_private, keys, .. } = destination;
        let request = match self.0.request(Method::POST, url, *allow_private) {
            Ok(request) => request,
            Err(error) => return Reply::NotCalled(error.to_string()),
        };
        let timestamp_s = now_ms.div_euclid(1000);
        let signatures = keys.sign(id, timestamp_s, &body);
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
            Err(error) => Reply::Silent(told(error)),
        }
    }
}
