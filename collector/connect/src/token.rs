//! Access tokens for a CRM: static, or granted and renewed.
//!
//! If several calls meet an expired token concurrently, it is renewed only once, and the others use
//! the new one. A token obtained with a refresh token is stored in the [`Vault`] before it is used,
//! because many vendors accept a refresh token only once.

mod assertion;

pub use assertion::Assertion;

use crate::error::CallError;
use crate::outgoing::judge;
use crate::transport::{Answer, Transport};
use crate::vault::{StoredToken, Vault};
use clew_core::Secret;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

/// How long before its expiry a token is renewed.
const EARLY_MS: i64 = 60_000;

/// How to obtain tokens.
#[derive(Clone, Debug)]
pub enum Grant {
    /// A token that never changes.
    Static(Secret),
    /// With a refresh token (RFC 6749, section 6).
    Refresh {
        /// The token endpoint.
        url: Url,
        /// The app's credentials.
        app: App,
        /// The configured refresh token.
        refresh_token: Secret,
    },
    /// With the app's own credentials (RFC 6749, section 4.4).
    App {
        /// The token endpoint.
        url: Url,
        /// The app's credentials.
        app: App,
    },
    /// With an assertion signed with the app's key (RFC 7523).
    Assertion {
        /// The token endpoint.
        url: Url,
        /// The assertion.
        assertion: Assertion,
    },
}

/// An app registered with the vendor.
#[derive(Clone, Debug)]
pub struct App {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: Secret,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub access: Secret,
    /// The base URL of the account's API, if the token response named one.
    pub instance: Option<Url>,
    /// When the token expires, if known, Unix milliseconds.
    expires_at_ms: Option<i64>,
}

/// The tokens of one connection.
pub struct AccessTokens {
    grant: Grant,
    vault: Vault,
    held: Mutex<TokenState>,
}

#[derive(Default)]
struct TokenState {
    token: Option<Token>,
    /// A token that is not stored yet because the store failed.
    unkept: Option<StoredToken>,
}

impl AccessTokens {
    /// Tokens by this grant. Nothing is requested before the first call.
    pub fn new(grant: Grant, vault: Vault) -> Self {
        Self { grant, vault, held: Mutex::default() }
    }

    /// Returns a token that is not known to be expired.
    ///
    /// # Errors
    /// If the renewal fails.
    pub async fn get(&self, transport: &Transport) -> Result<Token, CallError> {
        let mut held = self.held.lock().await;
        let soon_ms = transport.clock.now_ms() + EARLY_MS;
        self.keep(&mut held).await?;
        let is_good = |token: &&Token| token.expires_at_ms.is_none_or(|at_ms| at_ms > soon_ms);
        if let Some(token) = held.token.as_ref().filter(is_good) {
            return Ok(token.clone());
        }
        // Another collector may have renewed it.
        let kept = self.kept().await?.as_ref().and_then(Token::kept);
        match kept.filter(|token| is_good(&token)) {
            Some(token) => Ok(held.token.insert(token).clone()),
            None => self.grant(&mut held, transport).await,
        }
    }

    /// Returns another token in place of a refused one; `None` if there can be none. Requests a new
    /// one only if nobody else has done so in the meantime.
    ///
    /// # Errors
    /// [`CallError::Auth`] if the grant is refused, or the error of the request.
    pub(super) async fn renew(
        &self,
        transport: &Transport,
        refused: &Token,
    ) -> Result<Option<Token>, CallError> {
        if matches!(self.grant, Grant::Static(_)) {
            return Ok(None);
        }
        let mut held = self.held.lock().await;
        self.keep(&mut held).await?;
        // Another collector may have renewed it first.
        if let Some(kept) = self.kept().await?.as_ref().and_then(Token::kept)
            && kept.access != refused.access
        {
            held.token = Some(kept);
        }
        match &held.token {
            Some(token) if token.access != refused.access => Ok(Some(token.clone())),
            _ => self.grant(&mut held, transport).await.map(Some),
        }
    }

    /// The stored token, if the grant uses a refresh token.
    async fn kept(&self) -> Result<Option<StoredToken>, CallError> {
        let Grant::Refresh { refresh_token, .. } = &self.grant else { return Ok(None) };
        self.vault.load(refresh_token).await.map_err(not_kept)
    }

    async fn keep(&self, held: &mut TokenState) -> Result<(), CallError> {
        if let Some(kept) = &held.unkept {
            self.vault.keep(kept).await.map_err(not_kept)?;
            held.unkept = None;
        }
        Ok(())
    }

    async fn grant(
        &self,
        held: &mut TokenState,
        transport: &Transport,
    ) -> Result<Token, CallError> {
        let now_ms = transport.clock.now_ms();
        let (url, assertion, latest);
        let form: Vec<(&str, &str)> = match &self.grant {
            Grant::Static(access) => {
                let token = Token { access: access.clone(), instance: None, expires_at_ms: None };
                held.token = Some(token.clone());
                return Ok(token);
            }
            Grant::Refresh { url: endpoint, app, refresh_token } => {
                url = endpoint;
                let kept = self.kept().await?;
                latest = kept
                    .map_or_else(|| refresh_token.clone(), |kept| Secret::new(kept.refresh_token));
                vec![
                    ("grant_type", "refresh_token"),
                    ("client_id", &app.id),
                    ("client_secret", app.secret.reveal()),
                    ("refresh_token", latest.reveal()),
                ]
            }
            Grant::App { url: endpoint, app } => {
                url = endpoint;
                vec![
                    ("grant_type", "client_credentials"),
                    ("client_id", &app.id),
                    ("client_secret", app.secret.reveal()),
                ]
            }
            Grant::Assertion { url: endpoint, assertion: stated } => {
                url = endpoint;
                assertion =
                    stated.sign(now_ms).map_err(|error| CallError::Auth(error.to_string()))?;
                vec![
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", &assertion),
                ]
            }
        };
        let answer = transport.post_form(url, &form).await?;
        let granted = TokenResponse::read(&answer, transport.allow_private, now_ms);
        // If two collectors use a refresh token concurrently, one is refused; it uses the other's
        // token.
        if let (Err(CallError::Auth(_)), Grant::Refresh { .. }) = (&granted, &self.grant)
            && let Some(kept) = self.kept().await?
            && form.last().is_some_and(|(_, used)| kept.refresh_token != *used)
            && let Some(token) = Token::kept(&kept)
        {
            return Ok(held.token.insert(token).clone());
        }
        let TokenResponse { token, refresh_token: rotated } = granted?;
        if let Grant::Refresh { refresh_token: configured, .. } = &self.grant {
            let latest = form.last().map(|(_, latest)| Secret::new(*latest));
            if let Some(refresh_token) = rotated.or(latest) {
                held.unkept = Some(StoredToken {
                    instance: token.instance.as_ref().map(Url::to_string),
                    expires_at_ms: token.expires_at_ms,
                    ..StoredToken::new(configured, &refresh_token, &token.access)
                });
            }
        }
        held.token = Some(token.clone());
        self.keep(held).await?;
        Ok(token)
    }
}

impl Token {
    fn kept(kept: &StoredToken) -> Option<Self> {
        Some(Self {
            access: Secret::new(kept.access_token.clone()),
            instance: kept.instance.as_deref().map(str::parse).transpose().ok()?,
            expires_at_ms: kept.expires_at_ms,
        })
    }
}

/// A token that cannot be stored must not be used: a crash would lose it.
fn not_kept(error: impl std::fmt::Display) -> CallError {
    let message = format!("the token could not be stored or read: {error}");
    CallError::Transient { until_ms: None, message }
}

/// The response of a token endpoint.
struct TokenResponse {
    token: Token,
    refresh_token: Option<Secret>,
}

impl TokenResponse {
    fn read(answer: &Answer, allow_private: bool, now_ms: i64) -> Result<Self, CallError> {
        let body = &answer.body;
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        if !answer.status.is_success() {
            // The error members of RFC 6749, then those of HubSpot. The rest of the body is left
            // out: it could contain a token.
            let words = [text("error"), text("status"), text("error_description"), text("message")];
            let words: Vec<&str> = words.into_iter().flatten().collect();
            let status = answer.status.as_u16();
            let message = format!("no token was granted: {status} {}", words.join(": "));
            if status == 429 {
                let until_ms = answer.retry_at_ms(now_ms).unwrap_or(now_ms + 10_000);
                return Err(CallError::RateLimited { until_ms, message });
            }
            return Err(answer.transient(now_ms, &message).unwrap_or(CallError::Auth(message)));
        }
        let strange = |what: &str| CallError::Transient {
            until_ms: None,
            message: format!("the token endpoint's response has no {what}"),
        };
        let access = Secret::new(text("access_token").ok_or_else(|| strange("access_token"))?);
        // Tokens are sent to this address, so it is checked like an address from the configuration.
        let instance = text("instance_url").map(|text| {
            let unsafe_there =
                |why: &dyn std::fmt::Display| CallError::Auth(format!("instance_url: {why}"));
            let url = text.parse::<Url>().map_err(|error| unsafe_there(&error))?;
            judge(&url, allow_private).map(|()| url).map_err(|error| unsafe_there(&error))
        });
        let expires_at_ms = match &body["expires_in"] {
            Value::Number(seconds) => seconds.as_i64(),
            Value::String(seconds) => seconds.parse().ok(),
            _ => None,
        };
        Ok(Self {
            token: Token {
                access,
                instance: instance.transpose()?,
                expires_at_ms: expires_at_ms
                    .map(|seconds| now_ms.saturating_add(seconds.saturating_mul(1000))),
            },
            refresh_token: text("refresh_token").map(Secret::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Tokens are sent only to addresses that would be accepted for a webhook.
    #[test]
    fn instances() {
        for (url, allow_private, expected) in [
            ("https://acme.my.salesforce.com", false, ""),
            ("http://127.0.0.1:1", true, ""),
            ("http://acme.my.salesforce.com", false, "https://"),
            ("https://user@acme.my.salesforce.com", false, "user name"),
            ("https://169.254.169.254/", false, "is not a public address"),
            ("https://[::ffff:127.0.0.1]/", false, "is not a public address"),
            ("https://localhost/", false, "is not a public address"),
            ("file:///etc/passwd", true, "https://"),
            ("acme", false, "instance_url"),
        ] {
            let body = json!({ "access_token": "a", "instance_url": url });
            let read = TokenResponse::read(&Answer::inner(200, body).unwrap(), allow_private, 0);
            let error = match read {
                Ok(granted) => {
                    assert_eq!(granted.token.instance, Some(url.parse().unwrap()));
                    String::new()
                }
                Err(error) => error.to_string(),
            };
            assert!(
                error.contains(expected) && error.is_empty() == expected.is_empty(),
                "{url}: {error}"
            );
        }
    }
}
