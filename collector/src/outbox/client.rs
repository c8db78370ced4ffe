//! One attempt to post a webhook: signed, bounded in time, and what its answer means.

use super::destinations::Destination;
use crate::outgoing::{Outgoing, retry_at_ms, told};
use reqwest::{Method, header};
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

/// Posts webhooks.
pub(super) struct Client(Outgoing);

impl Client {
    pub(super) fn new(outgoing: Outgoing) -> Self {
        Self(outgoing)
    }

    /// One attempt: the body as frozen, the timestamp of now, and how long it may take.
    pub(super) async fn post(
        &self,
        destination: &Destination,
        id: &str,
        body: Vec<u8>,
        now_ms: i64,
        timeout: Duration,
    ) -> Attempt {
        let Destination { url, allow_private, keys, .. } = destination;
        let request = match self.0.request(Method::POST, url, *allow_private) {
            Ok(request) => request,
            Err(error) => return Attempt::Hopeless(error.to_string()),
        };
        let timestamp_s = now_ms.div_euclid(1000);
        let signature = keys.sign(id, timestamp_s, &body);
        let request = request
            .timeout(timeout)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(response) => judge(&response, now_ms),
            Err(error) => Attempt::Failed { error: told(error), not_before_ms: None },
        }
    }
}

fn judge(response: &reqwest::Response, now_ms: i64) -> Attempt {
    let status = response.status();
    if status.is_success() {
        return Attempt::Accepted;
    }
    if status == reqwest::StatusCode::GONE {
        return Attempt::Hopeless("410: the destination says that it is gone".into());
    }
    let not_before_ms = retry_at_ms(response.headers(), now_ms);
    Attempt::Failed { error: format!("the destination answered {status}"), not_before_ms }
}
