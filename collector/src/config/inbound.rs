//! The settings of inbound webhooks: what tools between, or CRMs without a connection, tell of leads.

use super::SiteConfig;
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use shared::ids::SiteId;
use shared::lifecycle::Stage;
use shared::money::Currency;
use std::collections::BTreeMap;

/// Somebody who tells of leads at `/hooks/NAME`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundConfig {
    /// Its name in the address, and as the origin of what it tells.
    pub name: String,
    /// The site whose leads it tells of.
    pub site: SiteId,
    /// `whsec_…`; without it only an API key opens it.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The secret before it, while the sender changes: both open.
    #[serde(default)]
    pub previous_secret: Option<Secret>,
    /// The currency of amounts that come without one.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// Our stage for the sender's word.
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
        ensure!(SiteId::parse(&self.name).is_some(), "a name is 1 to 32 of a-z, 0-9, '-' and '_'");
        ensure!(sites.iter().any(|site| site.name == self.site), "no such site");
        ensure!(
            self.secret.is_some() || self.previous_secret.is_none(),
            "a previous_secret needs a secret"
        );
        for (word, stage) in &self.stages {
            ensure!(
                *stage != Stage::Anonymous,
                "stages: `{word}`: anonymous is not a stage of a lead"
            );
        }
        Ok(())
    }
}
