//! The configuration table `[crm.hubspot]`.

use crate::crm::settings::{CALLS_IN_10_SECONDS, check_calls, check_url, literal};
use anyhow::{Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use url::Url;

/// The settings specific to HubSpot.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubspotConfig {
    /// A service key, or the access token of a private app or a project's app.
    #[serde(default)]
    pub token: Option<Secret>,
    /// The client id of an app with OAuth, used instead of a token.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The app's client secret. HubSpot signs webhooks with it.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// The app's refresh token.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// The app's id. Changes made by the app itself are ignored when a webhook reports them.
    #[serde(default)]
    pub app_id: Option<u64>,
    /// The account's id, for links to its records.
    #[serde(default)]
    pub account: Option<u64>,
    /// The base URL of the API.
    #[serde(default = "base_url")]
    pub base_url: Url,
    /// The base URL of HubSpot's web pages.
    #[serde(default = "app_url")]
    pub app_url: Url,
    /// `2026-09` or a later dated version, or `v3`.
    #[serde(default = "api")]
    pub api: String,
    /// The address configured in HubSpot for webhooks, if it is not `PUBLIC_URL/hooks/NAME`.
    #[serde(default)]
    pub webhook_url: Option<Url>,
    /// Whether signatures of versions 1 and 2, which have no timestamp, are accepted.
    #[serde(default)]
    pub allow_legacy_signature: bool,
    /// The rate limit of the account's plan; at least 10.
    #[serde(default = "calls")]
    pub calls_in_10_seconds: u32,
}

fn base_url() -> Url {
    literal("https://api.hubapi.com")
}

fn app_url() -> Url {
    literal("https://app.hubspot.com")
}

fn api() -> String {
    "2026-09".into()
}

fn calls() -> u32 {
    CALLS_IN_10_SECONDS
}

impl HubspotConfig {
    /// The secrets, which may be `env:` references.
    pub(in crate::crm) fn secrets(&mut self) -> impl Iterator<Item = &mut Secret> {
        let Self { token, client_secret, refresh_token, .. } = self;
        [token, client_secret, refresh_token].into_iter().flatten()
    }

    /// Checks that the settings are consistent.
    ///
    /// # Errors
    /// A message that names the setting at fault.
    pub(in crate::crm) fn check(&self, allow_private: bool) -> Result<()> {
        check_url("hubspot.base_url", &self.base_url, allow_private)?;
        check_calls("hubspot.calls_in_10_seconds", self.calls_in_10_seconds)?;
        let oauth =
            [self.client_id.is_some(), self.client_secret.is_some(), self.refresh_token.is_some()];
        match self.token {
            Some(_) => ensure!(
                self.refresh_token.is_none(),
                "hubspot: set either token, or refresh_token with client_id and client_secret"
            ),
            None => ensure!(
                oauth == [true; 3],
                "hubspot: set token, or client_id, client_secret and refresh_token"
            ),
        }
        let digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let dated =
            self.api.split_once('-').is_some_and(|(year, month)| digits(year) && digits(month));
        ensure!(dated || self.api == "v3", "hubspot.api: should be like \"2026-09\", or \"v3\"");
        Ok(())
    }
}
