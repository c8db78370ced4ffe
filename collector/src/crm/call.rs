//! One call to a CRM: with a valid token, within its limits, bounded in time and size.

use super::CrmError;
use super::throttle::Throttle;
use super::token::Tokens;
use crate::clock::Clock;
use crate::outgoing::{Outgoing, read, retry_at_ms, told};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// The longest answer that can be meant: a page of records.
const ANSWER_BYTES: usize = 16 << 20;
/// The longest part of an answer that stands in an error.
const TOLD_CHARACTERS: usize = 500;

/// Calls one account of one vendor.
pub struct Caller {
    /// Where its paths begin, where the token's answer does not say it.
    pub base: Url,
    /// Who we are there.
    pub tokens: Tokens,
    /// How much it allows.
    pub throttle: Throttle,
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// Whether the address may be private, and plain http.
    pub allow_private: bool,
    /// The time.
    pub clock: Clock,
    /// The longest call.
    pub timeout: Duration,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path, with its query, percent-encoded.
    pub path: &'a str,
    /// JSON to be sent.
    pub body: Option<&'a Value>,
    /// Further headers.
    pub headers: &'a [(&'static str, &'static str)],
}

/// What was answered, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; a text that is no JSON as a string, nothing as null.
    pub body: Value,
}

impl<'a> Request<'a> {
    /// Without a body.
    pub fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, body: None, headers: &[] }
    }

    /// With a body.
    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::POST, path, body: Some(body), headers: &[] }
    }

    /// With a body.
    pub fn patch(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::PATCH, path, body: Some(body), headers: &[] }
    }
}

impl Caller {
    /// Makes a call. A token that is refused is renewed once, and the call made again; what is
    /// answered then is the answer.
    ///
    /// # Errors
    /// [`CrmError::RateLimited`] where our own count says so, [`CrmError::Auth`] where there is no
    /// valid token, [`CrmError::Transient`] where nothing was answered. An answer is none, whatever its
    /// status: what it means is the vendor's module to say.
    pub async fn call(&self, request: &Request<'_>) -> Result<Answer, CrmError> {
        let token = self.tokens.get(self).await?;
        let answer = self.attempt(request, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.tokens.renew(self, &token).await? {
            Some(renewed) => self.attempt(request, &renewed).await,
            None => Ok(answer),
        }
    }

    async fn attempt(
        &self,
        request: &Request<'_>,
        token: &super::token::Token,
    ) -> Result<Answer, CrmError> {
        let base = token.instance.as_ref().unwrap_or(&self.base);
        let url = join(base, request.path)?;
        self.throttle.take(self.clock.now_ms()).map_err(|until_ms| CrmError::RateLimited {
            until_ms,
            message: "no call may be made yet".into(),
        })?;
        let mut call = self
            .outgoing
            .request(request.method.clone(), &url, self.allow_private)
            .map_err(|error| CrmError::Invalid(error.to_string()))?
            .bearer_auth(token.access.reveal())
            .timeout(self.timeout);
        for (name, value) in request.headers {
            call = call.header(*name, *value);
        }
        if let Some(body) = request.body {
            call = call.json(body);
        }
        answer(call).await
    }

    /// Sends a form to the token endpoint, which knows no token and no limit.
    ///
    /// # Errors
    /// Those of [`Caller::call`].
    pub(super) async fn form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, CrmError> {
        // Finished here: a serializer that is kept over the call could not change threads.
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = self
            .outgoing
            .request(Method::POST, url, self.allow_private)
            .map_err(|error| CrmError::Invalid(error.to_string()))?
            .header("content-type", "application/x-www-form-urlencoded")
            .timeout(self.timeout)
            .body(body);
        answer(call).await
    }
}

impl Answer {
    /// One that stands in the body of another; `None` where the number is no status.
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
    pub fn transient(&self, now_ms: i64, message: &str) -> Option<CrmError> {
        let status = self.status.as_u16();
        let passes = matches!(status, 408 | 423 | 425 | 477) || status >= 500;
        passes.then(|| CrmError::Transient {
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
        text.chars().take(TOLD_CHARACTERS).collect()
    }
}

async fn answer(call: reqwest::RequestBuilder) -> Result<Answer, CrmError> {
    let failed = |message: String| CrmError::Transient { until_ms: None, message };
    let response = call.send().await.map_err(|error| failed(told(error)))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = read(response, ANSWER_BYTES).await.map_err(failed)?;
    let body = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
    };
    Ok(Answer { status, headers, body })
}

/// A path under a base that may have a path of its own, such as a stand-in's.
fn join(base: &Url, path: &str) -> Result<Url, CrmError> {
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    whole.parse().map_err(|error| CrmError::Invalid(format!("{path} is no path: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_base() {
        for (base, path, expected) in [
            ("https://api.hubapi.com", "/crm/x?y=%20", "https://api.hubapi.com/crm/x?y=%20"),
            ("http://127.0.0.1:1/hubspot/", "/crm/x", "http://127.0.0.1:1/hubspot/crm/x"),
        ] {
            let joined = join(&base.parse().unwrap(), path).unwrap();
            assert_eq!(joined.as_str(), expected);
        }
    }
}
