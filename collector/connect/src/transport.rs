//! One HTTP request to somebody else's server and its answer: bounded in time and size, never into our
//! own network unless that is allowed.

use crate::error::CallError;
use crate::outgoing::{Outgoing, describe, read, retry_at_ms};
use clew_core::Clock;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The longest answer that can be meant: a page of records.
const ANSWER_BYTES: usize = 16 << 20;
/// The longest part of an answer that stands in an error.
const EXCERPT_CHARACTERS: usize = 500;

/// How requests of one connection are made.
#[derive(Clone)]
pub struct Transport {
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// Whether the address may be private, and plain http.
    pub allow_private: bool,
    /// The longest request.
    pub timeout: Duration,
    /// The time.
    pub clock: Clock,
}

/// What was answered, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a text that is not valid JSON as a string, an empty body as null.
    pub body: Value,
}

impl Transport {
    /// Begins a request.
    ///
    /// # Errors
    /// [`CallError::Invalid`] where the address is private and that is not allowed.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, CallError> {
        let request = self.outgoing.request(method, url, self.allow_private);
        let request = request.map_err(|error| CallError::Invalid(error.to_string()))?;
        Ok(request.timeout(self.timeout))
    }

    /// Sends a request and reads its answer. No HTTP status is treated as an error.
    ///
    /// # Errors
    /// [`CallError::Transient`] where no whole answer came.
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

    /// Posts a form.
    ///
    /// # Errors
    /// Those of [`Self::request`] and [`Self::send`].
    pub async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, CallError> {
        // Finished here: a serializer that is kept over the call could not change threads.
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.request(Method::POST, url)?;
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body)).await
    }
}

impl Answer {
    /// One that stands in the body of another; `None` where the number is not a status.
    pub fn inner(status: u16, body: Value) -> Option<Self> {
        let status = StatusCode::from_u16(status).ok()?;
        Some(Self { status, headers: HeaderMap::new(), body })
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// When it may be tried again, where the answer says it in seconds or as a date.
    pub fn retry_at_ms(&self, now_ms: i64) -> Option<i64> {
        retry_at_ms(&self.headers, now_ms)
    }

    /// What usually holds of any vendor: 408, 423, 425, 477 and 5xx may go better another time. `None`
    /// where the status says something else.
    pub fn transient(&self, now_ms: i64, message: &str) -> Option<CallError> {
        let status = self.status.as_u16();
        let passes = matches!(status, 408 | 423 | 425 | 477) || status >= 500;
        passes.then(|| CallError::Transient {
            until_ms: self.retry_at_ms(now_ms),
            message: format!("{status}: {message}"),
        })
    }

    /// The beginning of the body, for an error where nothing better is known.
    pub fn excerpt(&self) -> String {
        let text = match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        text.chars().take(EXCERPT_CHARACTERS).collect()
    }
}
