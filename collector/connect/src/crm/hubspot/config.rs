//! `[crm.hubspot]`.

use crate::crm::settings::{CALLS_IN_10_SECONDS, check_calls, check_url, literal};
use anyhow::{Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use url::Url;

/// What is particular to HubSpot.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubspotConfig {
    /// A service key, or the token of a private or a project app.
    #[serde(default)]
    pub token: Option<Secret>,
    /// An app with OAuth, in place of a token.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The app's secret; webhooks are signed with it.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// Its refresh token.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// The app's id: its own changes are ignored when they come back.
    #[serde(default)]
    pub app_id: Option<u64>,
    /// The account's id, for links to its records.
    #[serde(default)]
    pub account: Option<u64>,
    /// Where its API is.
    #[serde(default = "base_url")]
    pub base_url: Url,
    /// Where its pages are.
    #[serde(default = "app_url")]
    pub app_url: Url,
    /// `2026-09` or a later dated version, or `v3`.
    #[serde(default = "api")]
    pub api: String,
    /// The address that it was told to send webhooks to, unless that is `PUBLIC_URL/hooks/NAME`.
    #[serde(default)]
    pub webhook_url: Option<Url>,
    /// Whether signatures of versions 1 and 2 are accepted, which carry no timestamp.
    #[serde(default)]
    pub allow_legacy_signature: bool,
    /// What the plan allows, 10 at least.
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
    /// The secrets that may be references.
    pub(in crate::crm) fn secrets(&mut self) -> impl Iterator<Item = &mut Secret> {
        let Self { token, client_secret, refresh_token, .. } = self;
        [token, client_secret, refresh_token].into_iter().flatten()
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(in crate::crm) fn check(&self, allow_private: bool) -> Result<()> {
        check_url("hubspot.base_url", &self.base_url, allow_private)?;
        check_calls("hubspot.calls_in_10_seconds", self.calls_in_10_seconds)?;
        let oauth =
            [self.client_id.is_some(), self.client_secret.is_some(), self.refresh_token.is_some()];
        match self.token {
            Some(_) => ensure!(
                self.refresh_token.is_none(),
                "hubspot: either token, or refresh_token with client_id and client_secret"
            ),
            None => ensure!(
                oauth == [true; 3],
                "hubspot: it needs token, or client_id, client_secret and refresh_token"
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
