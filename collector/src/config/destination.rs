//! The settings of webhooks: the destinations that the configuration names, and what holds for
//! subscriptions that are made by API.

use super::SiteConfig;
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use clew_store::DeliveryKind;
use serde::Deserialize;
use shared::ids::SiteId;
use url::Url;

/// One place that leads are delivered to.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// Its name in deliveries.
    pub name: String,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// The webhook's address.
    pub url: Url,
    /// `whsec_…`
    pub secret: Secret,
    /// The secret before it, while receivers change: both sign.
    #[serde(default)]
    pub previous_secret: Option<Secret>,
    /// What it is told of.
    #[serde(default = "everything")]
    pub events: Vec<DeliveryKind>,
    /// Whether the address may lie in a private network, and be plain http.
    #[serde(default)]
    pub allow_private: bool,
}

/// What holds for all subscriptions.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HooksConfig {
    /// Whether their addresses may lie in a private network, and be plain http.
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
        ensure!(SiteId::parse(&self.name).is_some(), "a name is 1 to 32 of a-z, 0-9, '-' and '_'");
        ensure!(sites.iter().any(|site| site.name == self.site), "no such site");
        let plain_allowed = self.allow_private && self.url.scheme() == "http";
        ensure!(
            self.url.scheme() == "https" || plain_allowed,
            "the url should be https (http only with allow_private)"
        );
        ensure!(!self.events.is_empty(), "events: the list is empty");
        Ok(())
    }
}
