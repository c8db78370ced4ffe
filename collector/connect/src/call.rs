//! Calls to a vendor's API, with a valid token and within rate limits.

use crate::error::CallError;
use crate::throttle::Throttle;
use crate::token::{AccessTokens, Token};
use crate::transport::{Answer, Transport};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use url::Url;

/// Calls one account at one vendor.
pub struct Caller {
    /// The base URL of its API, unless the token response names another address.
    pub base: Url,
    /// The account's access tokens.
    pub tokens: AccessTokens,
    /// The account's rate limit.
    pub throttle: Throttle,
    /// Sends the requests.
    pub transport: Transport,
}

/// A request to an API.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path, with its query, percent-encoded.
    pub path: &'a str,
    /// The JSON body.
    pub body: Option<&'a Value>,
    /// Additional headers.
    pub headers: &'a [(&'static str, &'static str)],
}

impl<'a> Request<'a> {
    /// A GET request.
    pub fn get(path: &'a str) -> Self {
        Self { method: Method::GET, path, body: None, headers: &[] }
    }

    /// A POST request.
    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::POST, path, body: Some(body), headers: &[] }
    }

    /// A PATCH request.
    pub fn patch(path: &'a str, body: &'a Value) -> Self {
        Self { method: Method::PATCH, path, body: Some(body), headers: &[] }
    }
}

impl Caller {
    /// The current time, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.transport.clock.now_ms()
    }

    /// Makes a call. If the token is refused, renews it once and repeats the call; the second
    /// response is final. No HTTP status is treated as an error, because its meaning is up to the
    /// vendor's adapter.
    ///
    /// # Errors
    /// [`CallError::RateLimited`] if our own rate limit is reached, [`CallError::Auth`] if there is
    /// no valid token, [`CallError::Transient`] if there is no response.
    pub async fn call(&self, request: &Request<'_>) -> Result<Answer, CallError> {
        let token = self.tokens.get(&self.transport).await?;
        let answer = self.attempt(request, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.tokens.renew(&self.transport, &token).await? {
            Some(renewed) => self.attempt(request, &renewed).await,
            None => Ok(answer),
        }
    }

    async fn attempt(&self, request: &Request<'_>, token: &Token) -> Result<Answer, CallError> {
        let base = token.instance.as_ref().unwrap_or(&self.base);
        let url = join(base, request.path)?;
        self.throttle.take(self.now_ms()).map_err(|until_ms| CallError::RateLimited {
            until_ms,
            message: "no call may be made yet".into(),
        })?;
        let call = self.transport.request(request.method.clone(), &url)?;
        let mut call = call.bearer_auth(token.access.reveal());
        for (name, value) in request.headers {
            call = call.header(*name, *value);
        }
        if let Some(body) = request.body {
            call = call.json(body);
        }
        self.transport.send(call).await
    }
}

/// Appends a path to a base URL, which may have a path of its own.
fn join(base: &Url, path: &str) -> Result<Url, CallError> {
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    whole.parse().map_err(|error| CallError::Invalid(format!("{path} is not a path: {error}")))
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
