//! `[crm.salesforce]`.

use crate::crm::settings::{CALLS_IN_10_SECONDS, check_calls, check_url};
use anyhow::{Result, anyhow, ensure};
use clew_core::Secret;
use serde::Deserialize;
use url::Url;

/// What is particular to Salesforce.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SalesforceConfig {
    /// Where tokens are granted: `https://NAME.my.salesforce.com`.
    pub login_url: Url,
    /// The app's id (consumer key).
    pub client_id: String,
    /// The app's secret; for client credentials and refresh tokens.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// A refresh token, in place of client credentials.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// The app's private key (PEM), in place of a secret: the JWT bearer flow.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// As whom it acts; with a private key.
    #[serde(default)]
    pub user: Option<String>,
    /// To whom a statement of the private key is addressed: `https://test.salesforce.com` for a sandbox.
    #[serde(default = "audience")]
    pub audience: String,
    /// The version of the API.
    #[serde(default = "api")]
    pub api: String,
    /// The id of the permission set that `clew crm setup` gives the new fields to.
    #[serde(default)]
    pub permission_set: Option<String>,
    /// The last part of the address of outbound messages: `/hooks/NAME/SECRET`, at least 32 characters.
    #[serde(default)]
    pub hook_secret: Option<Secret>,
    /// The organization's id, which outbound messages name.
    #[serde(default)]
    pub organization: Option<String>,
    /// Calls that may be made in ten seconds.
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
    /// The secrets that may be references.
    pub(in crate::crm) fn secrets(&mut self) -> impl Iterator<Item = &mut Secret> {
        let Self { client_secret, refresh_token, private_key, hook_secret, .. } = self;
        [client_secret, refresh_token, private_key, hook_secret].into_iter().flatten()
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(in crate::crm) fn check(&self, allow_private: bool) -> Result<()> {
        check_url("salesforce.login_url", &self.login_url, allow_private)?;
        check_calls("salesforce.calls_in_10_seconds", self.calls_in_10_seconds)?;
        match (&self.private_key, &self.client_secret) {
            (Some(_), _) => {
                ensure!(self.user.is_some(), "salesforce: a private_key needs the user");
                ensure!(
                    self.refresh_token.is_none(),
                    "salesforce: either private_key or refresh_token"
                );
            }
            (None, Some(_)) => {}
            (None, None) => {
                return Err(anyhow!(
                    "salesforce: it needs client_secret, or private_key with user"
                ));
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
