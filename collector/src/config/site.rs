//! `[[sites]]`: a tracked web site.

use super::{AttributionConfig, Network, SiteRatesConfig};
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use shared::ids::SiteId;
use shared::lead::Country;
use shared::source::parse_host;

/// A shorter secret could be guessed.
const SECRET_BYTES: usize = 16;

/// One web site.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its name in `data-site`.
    pub name: SiteId,
    /// Its hosts; each also stands for its subdomains.
    pub hosts: Vec<String>,
    /// Whether Global Privacy Control forbids keeping events.
    #[serde(default)]
    pub honour_gpc: bool,
    /// Whether Do Not Track forbids keeping events.
    #[serde(default)]
    pub honour_dnt: bool,
    /// Where the company's own people visit from; their page views are flagged.
    #[serde(default)]
    pub own_traffic: Vec<Network>,
    /// Where phone numbers are from that do not say it.
    #[serde(default)]
    pub country: Option<Country>,
    /// What `clew('identify', …)` in a page does.
    #[serde(default)]
    pub identify: Identify,
    /// What the site's server signs an e-mail with, so that a page may name its person for sure.
    #[serde(default)]
    pub identify_secret: Option<Secret>,
    /// Whether leads that only a page proposed are delivered to the site's destinations.
    #[serde(default)]
    pub deliver_proposed: bool,
    /// How much may be sent, where that differs from what holds for every site.
    #[serde(default)]
    pub rates: SiteRatesConfig,
    /// How a lead's `attributed_…` fields are found.
    #[serde(default)]
    pub attribution: AttributionConfig,
}

/// What a page may say of who its visitor is. Any script of the page, and anybody who writes to the
/// collector, can say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// Nothing.
    Off,
    /// It proposes a lead of its own, which changes nothing that is known.
    #[default]
    Propose,
    /// It makes a lead, or joins the browser to the lead with that e-mail or phone.
    Trust,
}

impl SiteConfig {
    pub(super) fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let Self { name, identify_secret, .. } = self;
        let Some(secret) = identify_secret else { return Ok(()) };
        secret.resolve(lookup).with_context(|| format!("site `{name}`: identify_secret"))
    }

    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn check(&self) -> Result<()> {
        let Self { name, hosts, identify_secret, .. } = self;
        if let Some(secret) = identify_secret {
            ensure!(
                secret.reveal().len() >= SECRET_BYTES,
                "site `{name}`: identify_secret should have at least {SECRET_BYTES} characters"
            );
        }
        for host in hosts {
            ensure!(
                parse_host(host.strip_prefix("*.").unwrap_or(host)).is_some(),
                "site `{name}`: host `{host}` should be a name like \"example.com\", without scheme, port or path"
            );
        }
        ensure!(!hosts.is_empty(), "site `{name}`: hosts is empty, so no page could report");
        Ok(())
    }
}
