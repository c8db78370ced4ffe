//! The settings of a connection to a CRM. What does not depend on the vendor stands in `[[crm]]`, the
//! rest in the table of the vendor below it.

use crate::secret::Secret;
use anyhow::{Context, Result, anyhow, ensure};
use serde::Deserialize;
use shared::fields::catalogue;
use shared::fields::naming::Crm;
use shared::ids::SiteId;
use shared::lifecycle::Stage;
use shared::money::Currency;
use std::collections::BTreeMap;
use url::Url;

/// One connection to a CRM.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmConfig {
    /// Its name in deliveries, in `/hooks/NAME` and for `clew crm`.
    pub name: String,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// The currency of deals whose record names none.
    pub currency: Currency,
    /// The canonical fields that it gets; the core set where it is empty.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Whether the first click there is overwritten.
    #[serde(default)]
    pub overwrite_first_click: bool,
    /// Whether each conversion's journey is attached as a note.
    #[serde(default = "yes")]
    pub notes: bool,
    /// Our stage for the CRM's word, for a person's record; over the vendor's usual ones.
    #[serde(default)]
    pub stages: BTreeMap<String, Stage>,
    /// Our stage for the CRM's word, for a deal.
    #[serde(default)]
    pub deal_stages: BTreeMap<String, Stage>,
    /// How often it is asked for what changed; 0 for never.
    #[serde(default = "five")]
    pub poll_minutes: u32,
    /// Whether its address may lie in a private network, and be plain http.
    #[serde(default)]
    pub allow_private: bool,
    /// HubSpot.
    #[serde(default)]
    pub hubspot: Option<HubspotConfig>,
    /// Salesforce.
    #[serde(default)]
    pub salesforce: Option<SalesforceConfig>,
}

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
    /// The app's id: what it changed itself is no news.
    #[serde(default)]
    pub app_id: Option<u64>,
    /// The account's id, for links to its records.
    #[serde(default)]
    pub account: Option<u64>,
    /// Where its API is.
    #[serde(default = "hubspot_base")]
    pub base_url: Url,
    /// Where its pages are.
    #[serde(default = "hubspot_pages")]
    pub app_url: Url,
    /// `2026-09` or a later dated version, or `v3`.
    #[serde(default = "hubspot_version")]
    pub api: String,
    /// The address that it was told to send webhooks to, where that is not `PUBLIC_URL/hooks/NAME`.
    #[serde(default)]
    pub webhook_url: Option<Url>,
    /// Whether signatures of versions 1 and 2 are taken, which hold no time.
    #[serde(default)]
    pub allow_legacy_signature: bool,
    /// What the plan allows, 10 at least.
    #[serde(default = "hubspot_calls")]
    pub calls_in_10_seconds: u32,
}

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
    #[serde(default = "salesforce_audience")]
    pub audience: String,
    /// The version of the API.
    #[serde(default = "salesforce_version")]
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
    #[serde(default = "salesforce_calls")]
    pub calls_in_10_seconds: u32,
}

fn yes() -> bool {
    true
}

fn five() -> u32 {
    5
}

fn url(text: &str) -> Url {
    #[expect(clippy::unwrap_used, reason = "the three texts below, which a test reads")]
    text.parse().unwrap()
}

fn hubspot_base() -> Url {
    url("https://api.hubapi.com")
}

fn hubspot_pages() -> Url {
    url("https://app.hubspot.com")
}

fn hubspot_version() -> String {
    "2026-09".into()
}

/// The fewest calls in ten seconds that a connection can work with.
const LEAST_CALLS: u32 = 10;

fn hubspot_calls() -> u32 {
    100
}

fn salesforce_audience() -> String {
    "https://login.salesforce.com".into()
}

fn salesforce_version() -> String {
    "v68.0".into()
}

fn salesforce_calls() -> u32 {
    100
}

impl CrmConfig {
    /// The vendor.
    pub fn vendor(&self) -> Crm {
        match self.hubspot {
            Some(_) => Crm::Hubspot,
            None => Crm::Salesforce,
        }
    }

    pub(super) fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String> + Copy,
    ) -> Result<()> {
        let name = self.name.clone();
        let mut secrets = Vec::new();
        if let Some(hubspot) = &mut self.hubspot {
            let HubspotConfig { token, client_secret, refresh_token, .. } = hubspot;
            secrets.extend([token, client_secret, refresh_token]);
        }
        if let Some(salesforce) = &mut self.salesforce {
            let SalesforceConfig { client_secret, refresh_token, private_key, hook_secret, .. } =
                salesforce;
            secrets.extend([client_secret, refresh_token, private_key, hook_secret]);
        }
        for secret in secrets.into_iter().flatten() {
            let unset = |unset| anyhow!("crm `{name}`: the environment has no {unset}");
            secret.resolve(lookup).map_err(unset)?;
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<()> {
        self.check_parts().with_context(|| format!("crm `{}`", self.name))
    }

    fn check_parts(&self) -> Result<()> {
        ensure!(SiteId::parse(&self.name).is_some(), "a name is 1 to 32 of a-z, 0-9, '-' and '_'");
        for name in &self.fields {
            catalogue::find(name).with_context(|| {
                format!("fields: there is no field `{name}`; `GET /v1/fields` lists them")
            })?;
        }
        match (&self.hubspot, &self.salesforce) {
            (Some(hubspot), None) => {
                self.check_url("hubspot.base_url", &hubspot.base_url)?;
                hubspot.check()
            }
            (None, Some(salesforce)) => {
                self.check_url("salesforce.login_url", &salesforce.login_url)?;
                salesforce.check()
            }
            _ => Err(anyhow!("it needs one table of a vendor: [crm.hubspot] or [crm.salesforce]")),
        }
    }

    fn check_url(&self, setting: &str, url: &Url) -> Result<()> {
        let plain_allowed = self.allow_private && url.scheme() == "http";
        ensure!(
            url.scheme() == "https" || plain_allowed,
            "{setting}: should be https (http only with allow_private)"
        );
        Ok(())
    }
}

/// With fewer than a hand-off takes, none would ever begin.
fn check_calls(setting: &str, calls: u32) -> Result<()> {
    ensure!(calls >= LEAST_CALLS, "{setting}: should be {LEAST_CALLS} at least");
    Ok(())
}

impl HubspotConfig {
    fn check(&self) -> Result<()> {
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

impl SalesforceConfig {
    fn check(&self) -> Result<()> {
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

#[cfg(test)]
mod tests;
