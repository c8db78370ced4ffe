//! A single HTTP request to another server, limited in time and size of the response. Private
//! addresses are refused unless allowed.

use crate::error::CallError;
use crate::outgoing::{Outgoing, describe, read, retry_at_ms};
use clew_core::Clock;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The size limit of responses. The largest legitimate ones are pages of records.
const ANSWER_BYTES: usize = 16 << 20;
/// How much of a response an error may contain.
const EXCERPT_CHARACTERS: usize = 500;

/// Sends the requests of one connection.
#[derive(Clone)]
pub struct Transport {
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// Whether private addresses and plain http are allowed.
    pub allow_private: bool,
    /// The timeout of a request.
    pub timeout: Duration,
    /// The clock.
    pub clock: Clock,
}

/// A response of any status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON: a string if it is not valid JSON, null if it is empty.
    pub body: Value,
}

impl Transport {
    /// Starts a request.
    ///
    /// # Errors
    /// [`CallError::Invalid`] if the address is private and that is not allowed.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, CallError> {
        let request = self.outgoing.request(method, url, self.allow_private);
        let request = request.map_err(|error| CallError::Invalid(error.to_string()))?;
        Ok(request.timeout(self.timeout))
    }

    /// Sends a request and reads the response. No HTTP status is treated as an error.
    ///
    /// # Errors
    /// [`CallError::Transient`] if no complete response arrives.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, CallError> {
        let failed = |message: String| CallError::Transient { until_ms: None, message };
        let response = request.send().await.map_err(|error| failed(describe(error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, ANSWER_BYTES).await.map_err(|error| failed(error.to_string()))?;
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
        };
        Ok(Answer { status, headers, body })
    }

    /// Sends a form by POST.
    ///
    /// # Errors
    /// The errors of [`Self::request`] and [`Self::send`].
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, CallError> {
        // Finished here because a serializer held across an `await` would make the future not
        // `Send`.
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.request(Method::POST, url)?;
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body)).await
    }
}

impl Answer {
    /// A response contained in the body of another; `None` if the number is not a valid status.
    pub fn inner(status: u16, body: Value) -> Option<Self> {
        let status = StatusCode::from_u16(status).ok()?;
        Some(Self { status, headers: HeaderMap::new(), body })
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// When to try again, if the response says so in seconds or as a date.
    pub fn retry_at_ms(&self, now_ms: i64) -> Option<i64> {
        retry_at_ms(&self.headers, now_ms)
    }

    /// The error for a status that usually means a temporary failure at any vendor: 408, 423, 425,
    /// 477 or 5xx. `None` for other statuses.
    pub fn transient(&self, now_ms: i64, message: &str) -> Option<CallError> {
        let status = self.status.as_u16();
        let passes = matches!(status, 408 | 423 | 425 | 477) || status >= 500;
        passes.then(|| CallError::Transient {
            until_ms: self.retry_at_ms(now_ms),
            message: format!("{status}: {message}"),
        })
    }

    /// The beginning of the body, for errors without a better description.
    pub fn excerpt(&self) -> String {
        let text = match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        text.chars().take(EXCERPT_CHARACTERS).collect()
    }
}
