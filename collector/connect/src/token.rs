//! Who we are at a CRM: a static token, or one that is granted and renewed.
//!
//! However many calls meet an expired token at once, it is renewed once: whoever comes second finds
//! the new one. What a refresh token brought is kept in the [`Vault`] before it is used, because many a
//! vendor takes a refresh token once.

mod assertion;

pub use assertion::Assertion;

use crate::error::CallError;
use crate::outgoing::judge;
use crate::transport::{Answer, Transport};
use crate::vault::{Kept, Vault};
use clew_core::Secret;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

/// Renewed so long before it expires.
const EARLY_MS: i64 = 60_000;

/// How tokens are got.
#[derive(Clone, Debug)]
pub enum Grant {
    /// It never changes.
    Static(Secret),
    /// By a refresh token (RFC 6749, 6).
    Refresh {
        /// The token endpoint.
        url: Url,
        /// The app.
        app: App,
        /// The refresh token of the configuration.
        refresh_token: Secret,
    },
    /// The app for itself (RFC 6749, 4.4).
    App {
        /// The token endpoint.
        url: Url,
        /// The app.
        app: App,
    },
    /// A statement signed with the app's key (RFC 7523).
    Assertion {
        /// The token endpoint.
        url: Url,
        /// What is stated.
        assertion: Assertion,
    },
}

/// An app, as the vendor knows it.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub access: Secret,
    /// Where the account's API is, where the token's answer said so.
    pub instance: Option<Url>,
    /// When it expires, where that is known, Unix milliseconds.
    expires_at_ms: Option<i64>,
}

/// The tokens of one connection.
pub struct Tokens {
    grant: Grant,
    vault: Vault,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    /// What is not kept yet, because the store could not take it.
    unkept: Option<Kept>,
}

impl Tokens {
    /// Of a grant; nothing is asked for before the first call.
    pub fn new(grant: Grant, vault: Vault) -> Self {
        Self { grant, vault, held: Mutex::default() }
    }

    /// A token that is not known to have expired.
    ///
    /// # Errors
    /// Those of a renewal.
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

    /// Another token in place of one that was refused; `None` where there can be none. It is asked for
    /// only where nobody else has done so meanwhile.
    ///
    /// # Errors
    /// [`CallError::Auth`] where the grant is refused, or the call's.
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
        // Another collector may have been there first.
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

    /// What a refresh token brought, where there is one.
    async fn kept(&self) -> Result<Option<Kept>, CallError> {
        let Grant::Refresh { refresh_token, .. } = &self.grant else { return Ok(None) };
        self.vault.load(refresh_token).await.map_err(not_kept)
    }

    async fn keep(&self, held: &mut Held) -> Result<(), CallError> {
        if let Some(kept) = &held.unkept {
            self.vault.keep(kept).await.map_err(not_kept)?;
            held.unkept = None;
        }
        Ok(())
    }

    async fn grant(&self, held: &mut Held, transport: &Transport) -> Result<Token, CallError> {
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
        let granted = Granted::read(&answer, transport.allow_private, now_ms);
        // Of two that use a refresh token at once one is refused; the other's renewal is as good.
        if let (Err(CallError::Auth(_)), Grant::Refresh { .. }) = (&granted, &self.grant)
            && let Some(kept) = self.kept().await?
            && form.last().is_some_and(|(_, used)| kept.refresh_token != *used)
            && let Some(token) = Token::kept(&kept)
        {
            return Ok(held.token.insert(token).clone());
        }
        let Granted { token, refresh_token: rotated } = granted?;
        if let Grant::Refresh { refresh_token: configured, .. } = &self.grant {
            let latest = form.last().map(|(_, latest)| Secret::new(*latest));
            if let Some(refresh_token) = rotated.or(latest) {
                held.unkept = Some(Kept {
                    instance: token.instance.as_ref().map(Url::to_string),
                    expires_at_ms: token.expires_at_ms,
                    ..Kept::new(configured, &refresh_token, &token.access)
                });
            }
        }
        held.token = Some(token.clone());
        self.keep(held).await?;
        Ok(token)
    }
}

impl Token {
    fn kept(kept: &Kept) -> Option<Self> {
        Some(Self {
            access: Secret::new(kept.access_token.clone()),
            instance: kept.instance.as_deref().map(str::parse).transpose().ok()?,
            expires_at_ms: kept.expires_at_ms,
        })
    }
}

/// A token that could not be kept or read is used by nobody: a crash would lose it.
fn not_kept(error: impl std::fmt::Display) -> CallError {
    let message = format!("the token could not be kept, or read where it is kept: {error}");
    CallError::Transient { until_ms: None, message }
}

/// What a token endpoint answered.
struct Granted {
    token: Token,
    refresh_token: Option<Secret>,
}

impl Granted {
    fn read(answer: &Answer, allow_private: bool, now_ms: i64) -> Result<Self, CallError> {
        let body = &answer.body;
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        if !answer.status.is_success() {
            // RFC 6749's members, then HubSpot's. The body is not told: it could hold a token.
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
            message: format!("the token endpoint's answer has no {what}"),
        };
        let access = Secret::new(text("access_token").ok_or_else(|| strange("access_token"))?);
        // The token is sent there: it is judged as an address of the configuration is.
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

    /// The token goes to no address that a webhook would not go to.
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
            let read = Granted::read(&Answer::inner(200, body).unwrap(), allow_private, 0);
            let told = match read {
                Ok(granted) => {
                    assert_eq!(granted.token.instance, Some(url.parse().unwrap()));
                    String::new()
                }
                Err(error) => error.to_string(),
            };
            assert!(
                told.contains(expected) && told.is_empty() == expected.is_empty(),
                "{url}: {told}"
            );
        }
    }
}
