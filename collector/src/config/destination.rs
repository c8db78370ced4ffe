//! Settings of webhooks: `[[destinations]]`, and `[hooks]` for subscriptions, which programs order
//! by API.

use super::SiteConfig;
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use clew_store::DeliveryKind;
use serde::Deserialize;
use shared::ids::SiteId;
use url::Url;

/// A webhook that leads are delivered to.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// Its name in deliveries.
    pub name: String,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// The webhook's URL.
    pub url: Url,
    /// The signing secret, `whsec_…`.
    pub secret: Secret,
    /// The previous secret while the receiver switches: both sign.
    #[serde(default)]
    pub previous_secret: Option<Secret>,
    /// The kinds of deliveries it gets.
    #[serde(default = "everything")]
    pub events: Vec<DeliveryKind>,
    /// Whether the URL may point to a private network and use plain http.
    #[serde(default)]
    pub allow_private: bool,
}

/// Settings of all subscriptions.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HooksConfig {
    /// Whether their URLs may point to private networks and use plain http.
    pub allow_private: bool,
}

fn everything() -> Vec<DeliveryKind> {
    DeliveryKind::ALL.to_vec()
}

impl DestinationConfig {
    pub(super) fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String> + Copy,
    ) -> Result<()> {
        let Self { name, secret, previous_secret, .. } = self;
        for secret in [Some(secret), previous_secret.as_mut()].into_iter().flatten() {
            secret.resolve(lookup).with_context(|| format!("destination `{name}`"))?;
        }
        Ok(())
    }

    pub(super) fn check(&self, sites: &[SiteConfig]) -> Result<()> {
        self.check_parts(sites).with_context(|| format!("destination `{}`", self.name))
    }

    fn check_parts(&self, sites: &[SiteConfig]) -> Result<()> {
        let is_name = SiteId::parse(&self.name).is_some();
        ensure!(is_name, "name: should be 1 to 32 characters of a-z, 0-9, '-' and '_'");
        let is_site = sites.iter().any(|site| site.name == self.site);
        ensure!(is_site, "site `{}` is not configured", self.site);
        let plain_allowed = self.allow_private && self.url.scheme() == "http";
        ensure!(
            self.url.scheme() == "https" || plain_allowed,
            "url: should begin with https:// (http:// needs allow_private)"
        );
        ensure!(!self.events.is_empty(), "events: should name at least one event");
        Ok(())
    }
}
