//! One HubSpot account: its address, its settings, and calls with checked responses.

use super::config::HubspotConfig;
use super::error::{self, HubspotError};
use super::paths::Paths;
use super::stages;
use super::walk::Interrupted;
use super::webhook::Subscriber;
use crate::call::{Caller, Request};
use crate::crm::settings::AdapterSettings;
use crate::throttle::Throttle;
use crate::token::{AccessTokens, App, Grant};
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use shared::fields::catalogue;
use shared::fields::naming::{Crm, Prefix};
use shared::lifecycle::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// One account.
pub(super) struct Hubspot {
    pub(super) caller: Arc<Caller>,
    pub(super) paths: Paths,
    pub(super) prefix: Prefix,
    /// The property that contains our lead's id; its values are unique.
    pub(super) lead_property: String,
    /// Our stage for a contact's `lifecyclestage`.
    pub(super) stages: BTreeMap<String, Stage>,
    /// Our stage for a deal's `dealstage`.
    pub(super) deal_stages: BTreeMap<String, Stage>,
    /// The URL of a contact's page without the contact's id.
    pub(super) pages: Option<String>,
    pub(super) subscriber: Subscriber,
    pub(super) interrupted: Interrupted,
}

impl Hubspot {
    /// Creates the account from a connection's settings. Makes no calls yet.
    ///
    /// # Errors
    /// If the credentials are incomplete.
    pub(super) fn new(own: &HubspotConfig, settings: AdapterSettings) -> Result<Self> {
        let AdapterSettings { prefix, hook_url, stages, deal_stages, transport, vault, .. } =
            settings;
        let paths = Paths::new(&own.api);
        let grant = match (&own.token, &own.client_id, &own.client_secret) {
            (Some(token), ..) => Grant::Static(token.clone()),
            (None, Some(id), Some(secret)) => Grant::Refresh {
                url: under(&own.base_url, paths.token)?,
                app: App { id: id.clone(), secret: secret.clone() },
                refresh_token: own.refresh_token.clone().context("there is no refresh_token")?,
            },
            _ => return Err(anyhow!("there is neither a token nor a client")),
        };
        let lead_id = catalogue::find("lead_id").context("there is no field lead_id")?;
        let page = |account| {
            let base = own.app_url.as_str().trim_end_matches('/');
            format!("{base}/contacts/{account}/record/0-1/")
        };
        Ok(Self {
            caller: Arc::new(Caller {
                base: own.base_url.clone(),
                tokens: AccessTokens::new(grant, vault),
                throttle: Throttle::new(own.calls_in_10_seconds, 10_000),
                transport,
            }),
            paths,
            lead_property: Crm::Hubspot.field_name(&prefix, lead_id),
            stages: stages::all(&stages),
            deal_stages,
            pages: own.account.map(page),
            subscriber: Subscriber {
                url: own.webhook_url.as_ref().unwrap_or(&hook_url).to_string(),
                secret: own.client_secret.clone(),
                allow_legacy: own.allow_legacy_signature,
                app_id: own.app_id,
                own_properties: format!("{prefix}_"),
            },
            prefix,
            interrupted: Interrupted::default(),
        })
    }

    /// Makes a call, obeys the rate limit in the response, and returns the body of a successful
    /// response. In a batch, inner errors of the category `tolerated` are ignored.
    pub(super) async fn ask(
        &self,
        request: &Request<'_>,
        tolerated: &str,
    ) -> Result<Value, HubspotError> {
        let answer = self.caller.call(request).await.map_err(HubspotError::Other)?;
        let now_ms = self.caller.now_ms();
        if let Some(until_ms) = error::held_until_ms(&answer, now_ms) {
            self.caller.throttle.hold(until_ms);
        }
        error::judge(&answer, tolerated, now_ms)?;
        Ok(answer.body)
    }

    /// Sends a body by `POST`. Every inner error counts.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, HubspotError> {
        self.ask(&Request::post(path, body), "").await
    }
}

/// Appends a path to a base URL, which may have a path of its own.
fn under(base: &Url, path: &str) -> Result<Url> {
    let whole = format!("{}{path}", base.as_str().trim_end_matches('/'));
    whole.parse().with_context(|| format!("{whole} is not an address"))
}
