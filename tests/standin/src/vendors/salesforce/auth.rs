//! Sessions: started by one of the grants, valid until a test ends them. They do not expire.

use super::error;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{Settings, World};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The organization's id.
pub(super) const ORGANISATION: &str = "00DB00000000000EAC";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest validity of an assertion, in seconds.
const LONGEST_ASSERTION_S: i64 = 180;

/// The valid sessions and tokens.
pub(super) struct Sessions {
    good: BTreeSet<String>,
    refresh: BTreeSet<String>,
    codes: BTreeSet<String>,
    may_begin: bool,
}

impl Sessions {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            good: BTreeSet::new(),
            refresh: BTreeSet::from([settings.refresh_token.clone()]),
            codes: BTreeSet::from([settings.authorization_code.clone()]),
            may_begin: true,
        }
    }

    pub(super) fn check(&self, request: &Request) -> Result<(), Answer> {
        if request.bearer().is_some_and(|token| self.good.contains(token)) {
            return Ok(());
        }
        Err(error::error(401, "INVALID_SESSION_ID", "Session expired or invalid"))
    }

    pub(super) fn expire(&mut self, all: bool) {
        self.good.clear();
        if all {
            self.refresh.clear();
            self.may_begin = false;
        }
    }

    /// `POST /services/oauth2/token`.
    pub(super) fn issue(&mut self, world: &mut World, request: &Request, url: &str) -> Outcome {
        if request.method != "POST" {
            return Err(error::wrong_method(request));
        }
        let Some(form) = request.form() else {
            return Err(refuse("unsupported_grant_type", "grant type not supported"));
        };
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let grant = field("grant_type");
        let settings = &world.settings;
        let is_client = field("client_id") == settings.client_id
            && field("client_secret") == settings.client_secret;
        // An assertion names the client, and its signature replaces the secret.
        if grant != JWT_BEARER && !is_client {
            return Err(refuse("invalid_client", "invalid client credentials"));
        }
        let mut refresh = None;
        match grant {
            "client_credentials" if self.may_begin => {}
            "refresh_token" if self.refresh.contains(field("refresh_token")) => {
                if settings.rotate_refresh_tokens {
                    self.refresh.remove(field("refresh_token"));
                    refresh = Some(format!("5Aep{}", world.uuid()));
                }
            }
            "refresh_token" => {
                return Err(refuse("invalid_grant", "expired access/refresh token"));
            }
            "authorization_code"
                if !field("redirect_uri").is_empty() && self.codes.remove(field("code")) =>
            {
                refresh = Some(format!("5Aep{}", world.uuid()));
            }
            "authorization_code" => {
                return Err(refuse("invalid_grant", "invalid authorization code"));
            }
            JWT_BEARER if self.may_begin => {
                check_assertion(world, field("assertion"), url)
                    .map_err(|reason| refuse("invalid_grant", reason))?;
            }
            "client_credentials" | JWT_BEARER => {
                return Err(refuse("invalid_grant", "user hasn't approved this consumer"));
            }
            _ => return Err(refuse("unsupported_grant_type", "grant type not supported")),
        }
        let session = format!("{}!AQEAQ{}", &ORGANISATION[..15], world.uuid().replace('-', ""));
        self.good.insert(session.clone());
        let mut body = json!({
            "access_token": session, "signature": world.uuid(), "token_format": "opaque",
            "instance_url": url, "id": format!("{url}/id/{ORGANISATION}/005B0000000user1AA"),
            "token_type": "Bearer", "issued_at": world.now_ms().to_string(), "scope": "api"
        });
        if let Some(refresh) = refresh {
            body["refresh_token"] = json!(refresh);
            self.refresh.insert(refresh);
        }
        Ok(Answer::json(200, body))
    }
}

/// The token endpoint's own form of a refusal.
fn refuse(code: &str, description: &str) -> Answer {
    Answer::json(400, json!({ "error": code, "error_description": description }))
}

/// Checks the claims of a signed assertion. The signature is not verified, because the stand-in has
/// no certificate.
fn check_assertion(world: &World, assertion: &str, url: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        return Err("invalid assertion");
    };
    let read = |part: &str| -> Option<BTreeMap<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (Some(head), Some(claims)) = (read(head), read(claims)) else {
        return Err("invalid assertion");
    };
    let signed = URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| bytes.len() >= 256);
    if head.get("alg") != Some(&json!("RS256")) || !signed {
        return Err("invalid assertion: RS256 is expected");
    }
    let claim = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if claim("iss") != world.settings.client_id {
        return Err("client identifier invalid");
    }
    if claim("sub") != world.settings.username {
        return Err("user hasn't approved this consumer");
    }
    if !["https://login.salesforce.com", "https://test.salesforce.com", url].contains(&claim("aud"))
    {
        return Err("audience is invalid");
    }
    let until = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
    let now = world.now_ms().div_euclid(1000);
    if until <= now || until > now + LONGEST_ASSERTION_S {
        return Err("assertion expired, or good for more than three minutes");
    }
    Ok(())
}
