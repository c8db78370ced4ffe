//! Tokens: the service key, and OAuth access tokens that last half an hour.

use super::error;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{Settings, World};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// How long an access token is valid, in seconds.
const LIFE_S: i64 = 1800;
/// The account's id.
pub(super) const PORTAL: u64 = 62515;
/// The id of the application that webhooks name.
pub(super) const APP: u64 = 54321;

/// The valid tokens.
pub(super) struct Tokens {
    /// Access tokens, with their ends.
    access: BTreeMap<String, i64>,
    refresh: BTreeSet<String>,
    codes: BTreeSet<String>,
    is_service_key_good: bool,
}

impl Tokens {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            access: BTreeMap::new(),
            refresh: BTreeSet::from([settings.refresh_token.clone()]),
            codes: BTreeSet::from([settings.authorization_code.clone()]),
            is_service_key_good: true,
        }
    }

    /// Whether the bearer token is the service key. Refuses an unknown or expired token.
    pub(super) fn check(&self, world: &mut World, request: &Request) -> Result<bool, Answer> {
        let message = match request.bearer() {
            Some(token) if token == world.settings.service_key && self.is_service_key_good => {
                return Ok(true);
            }
            Some(token) => match self.access.get(token) {
                Some(until_ms) if *until_ms > world.now_ms() => return Ok(false),
                Some(_) => "The OAuth token used to make this call expired.",
                None => "Authentication credentials not found. The token is not known.",
            },
            None => {
                "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            }
        };
        Err(error::error(world, 401, "INVALID_AUTHENTICATION", message))
    }

    pub(super) fn expire(&mut self, all: bool) {
        // An end before any possible time.
        self.access.values_mut().for_each(|until_ms| *until_ms = i64::MIN);
        if all {
            self.refresh.clear();
            self.is_service_key_good = false;
        }
    }

    /// `POST /oauth/…/token`.
    pub(super) fn issue(&mut self, world: &mut World, request: &Request) -> Outcome {
        error::only(world, request, "POST")?;
        let Some(form) = request.form() else {
            let message = "Content-Type must be application/x-www-form-urlencoded";
            return Err(error::error(world, 415, "VALIDATION_ERROR", message));
        };
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let settings = &world.settings;
        if field("client_id") != settings.client_id
            || field("client_secret") != settings.client_secret
        {
            return Err(refuse(
                world,
                "BAD_CLIENT_SECRET",
                "missing or invalid client credentials",
            ));
        }
        let rotate = settings.rotate_refresh_tokens;
        let refresh = match field("grant_type") {
            "refresh_token" => {
                let given = field("refresh_token");
                if !self.refresh.contains(given) {
                    let message = "missing or invalid refresh token";
                    return Err(refuse(world, "BAD_REFRESH_TOKEN", message));
                }
                if rotate {
                    self.refresh.remove(given);
                    format!("na1-{}", world.uuid())
                } else {
                    given.to_owned()
                }
            }
            "authorization_code" => {
                if field("redirect_uri").is_empty() || !self.codes.remove(field("code")) {
                    return Err(refuse(world, "BAD_AUTH_CODE", "missing or unknown auth code"));
                }
                format!("na1-{}", world.uuid())
            }
            _ => return Err(refuse(world, "BAD_GRANT_TYPE", "missing or unknown grant type")),
        };
        self.refresh.insert(refresh.clone());
        let access = format!("CN{}", world.uuid());
        self.access.insert(access.clone(), world.now_ms() + LIFE_S * 1000);
        let scopes = world.settings.scopes.clone().map_or(json!(SCOPES), Value::from);
        Ok(Answer::json(
            200,
            json!({
                "access_token": access, "refresh_token": refresh, "expires_in": LIFE_S,
                "token_type": "bearer", "token_use": "access_token", "hub_id": PORTAL,
                "user_id": 9_586_504, "scopes": scopes
            }),
        ))
    }
}

const SCOPES: [&str; 6] = [
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.objects.deals.read",
    "crm.schemas.deals.read",
];

/// The token endpoint's own form of a refusal: the reason is in `status`.
fn refuse(world: &mut World, status: &str, message: &str) -> Answer {
    let correlation_id = world.uuid();
    let body = json!({ "status": status, "message": message, "correlationId": correlation_id });
    Answer::json(400, body)
}

/// Refuses the request unless the settings grant a scope.
pub(super) fn need(world: &mut World, scope: &str) -> Result<(), Answer> {
    let scopes = world.settings.scopes.as_ref();
    if scopes.is_none_or(|scopes| scopes.iter().any(|granted| granted == scope)) {
        return Ok(());
    }
    let message = format!(
        "This app hasn't been granted all required scopes to make this call. Missing: {scope}"
    );
    Err(error::error(world, 403, "MISSING_SCOPES", &message))
}
