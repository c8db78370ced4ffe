//! Settings of inbound webhooks, by which other tools, or CRMs without a connection, report stages
//! and deals.

use super::SiteConfig;
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use shared::ids::SiteId;
use shared::lifecycle::Stage;
use shared::money::Currency;
use std::collections::BTreeMap;

/// A sender that reports stages and deals to `/hooks/NAME`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundConfig {
    /// Its name, used in the path and as the origin of its records.
    pub name: String,
    /// The site whose leads it reports about.
    pub site: SiteId,
    /// The signing secret, `whsec_…`; without it, requests need an API key.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The previous secret while the sender switches: both are accepted.
    #[serde(default)]
    pub previous_secret: Option<Secret>,
    /// The currency of amounts that do not name one.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// Our stages by the sender's names for them.
    #[serde(default)]
    pub stages: BTreeMap<String, Stage>,
}

impl InboundConfig {
    pub(super) fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String> + Copy,
    ) -> Result<()> {
        let Self { name, secret, previous_secret, .. } = self;
        for secret in [secret, previous_secret].into_iter().flatten() {
            secret.resolve(lookup).with_context(|| format!("inbound `{name}`"))?;
        }
        Ok(())
    }

    pub(super) fn check(&self, sites: &[SiteConfig]) -> Result<()> {
        self.check_parts(sites).with_context(|| format!("inbound `{}`", self.name))
    }

    fn check_parts(&self, sites: &[SiteConfig]) -> Result<()> {
        let is_name = SiteId::parse(&self.name).is_some();
        ensure!(is_name, "name: should be 1 to 32 characters of a-z, 0-9, '-' and '_'");
        let is_site = sites.iter().any(|site| site.name == self.site);
        ensure!(is_site, "site `{}` is not configured", self.site);
        ensure!(
            self.secret.is_some() || self.previous_secret.is_none(),
            "previous_secret: needs a secret"
        );
        for (word, stage) in &self.stages {
            ensure!(
                *stage != Stage::Anonymous,
                "stages: `{word}`: a lead cannot have the stage anonymous"
            );
        }
        Ok(())
    }
}
