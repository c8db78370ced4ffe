//! The configuration table `[crm.salesforce]`.

use crate::crm::settings::{CALLS_IN_10_SECONDS, check_calls, check_url};
use anyhow::{Result, anyhow, ensure};
use clew_core::Secret;
use serde::Deserialize;
use url::Url;

/// The settings specific to Salesforce.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SalesforceConfig {
    /// The login URL, where tokens are granted: `https://NAME.my.salesforce.com`.
    pub login_url: Url,
    /// The app's client id (consumer key).
    pub client_id: String,
    /// The app's client secret, for client credentials and refresh tokens.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A refresh token, used instead of client credentials.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// The app's private key (PEM), used instead of a secret: the JWT bearer flow.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// The user that the app acts for; required with a private key.
    #[serde(default)]
    pub user: Option<String>,
    /// The audience of assertions signed with the private key: `https://test.salesforce.com` for a
    /// sandbox.
    #[serde(default = "audience")]
    pub audience: String,
    /// The version of the API.
    #[serde(default = "api")]
    pub api: String,
    /// The id of the permission set to which `clew crm setup` adds the new fields.
    #[serde(default)]
    pub permission_set: Option<String>,
    /// The last part of the URL for outbound messages, `/hooks/NAME/SECRET`; at least 32
    /// characters.
    #[serde(default)]
    pub hook_secret: Option<Secret>,
    /// The organization's id, which outbound messages contain.
    #[serde(default)]
    pub organization: Option<String>,
    /// The most calls in ten seconds.
    #[serde(default = "calls")]
    pub calls_in_10_seconds: u32,
}

fn audience() -> String {
    "https://login.salesforce.com".into()
}

fn api() -> String {
    "v68.0".into()
}

fn calls() -> u32 {
    CALLS_IN_10_SECONDS
}

impl SalesforceConfig {
    /// The secrets, which may be `env:` references.
    pub(in crate::crm) fn secrets(&mut self) -> impl Iterator<Item = &mut Secret> {
        let Self { client_secret, refresh_token, private_key, hook_secret, .. } = self;
        [client_secret, refresh_token, private_key, hook_secret].into_iter().flatten()
    }

    /// Checks that the settings are consistent.
    ///
    /// # Errors
    /// A message that names the setting at fault.
    pub(in crate::crm) fn check(&self, allow_private: bool) -> Result<()> {
        check_url("salesforce.login_url", &self.login_url, allow_private)?;
        check_calls("salesforce.calls_in_10_seconds", self.calls_in_10_seconds)?;
        match (&self.private_key, &self.client_secret) {
            (Some(_), _) => {
                ensure!(self.user.is_some(), "salesforce: private_key requires user");
                ensure!(
                    self.refresh_token.is_none(),
                    "salesforce: set either private_key or refresh_token"
                );
            }
            (None, Some(_)) => {}
            (None, None) => {
                return Err(anyhow!("salesforce: set client_secret, or private_key with user"));
            }
        }
        let version = self.api.strip_prefix('v').and_then(|version| version.parse::<f32>().ok());
        ensure!(version.is_some(), "salesforce.api: should be like \"v68.0\"");
        if let Some(secret) = &self.hook_secret {
            ensure!(
                secret.reveal().len() >= 32,
                "salesforce.hook_secret: should be at least 32 random characters"
            );
        }
        Ok(())
    }
}
