//! `[[sites]]`: a tracked web site.

use super::{AttributionConfig, Network, SiteRatesConfig};
use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use serde::Deserialize;
use shared::ids::SiteId;
use shared::lead::{Country, SharedBrowser};
use shared::source::{InternalTags, parse_host};

/// The minimum length of a secret; a shorter one could be guessed.
const SECRET_BYTES: usize = 16;

/// One web site.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its name in `data-site`.
    pub name: SiteId,
    /// Its hosts; each includes its subdomains.
    pub hosts: Vec<String>,
    /// Whether to drop events with Global Privacy Control.
    #[serde(default)]
    pub honour_gpc: bool,
    /// Whether to drop events with Do Not Track.
    #[serde(default)]
    pub honour_dnt: bool,
    /// Networks of the company's own staff, whose page views are flagged.
    #[serde(default)]
    pub own_traffic: Vec<Network>,
    /// The country of phone numbers without a country code.
    #[serde(default)]
    pub country: Option<Country>,
    /// Whether campaign tags on links within the site are an origin.
    #[serde(default)]
    pub internal_tags: InternalTags,
    /// What a second lead in one browser shows of what the browser did before.
    #[serde(default)]
    pub shared_browser: SharedBrowser,
    /// What `clew('identify', …)` in a page does.
    #[serde(default)]
    pub identify: Identify,
    /// The secret with which the site's server signs an e-mail, to prove who the visitor is.
    #[serde(default)]
    pub identify_secret: Option<Secret>,
    /// Whether proposed leads are delivered to the site's destinations.
    #[serde(default)]
    pub deliver_proposed: bool,
    /// Overrides of the rate limits.
    #[serde(default)]
    pub rates: SiteRatesConfig,
    /// How a lead's `attributed_…` fields are computed.
    #[serde(default)]
    pub attribution: AttributionConfig,
}

/// What happens when a page names its visitor. Any script in the page, and anyone who can reach the
/// collector, can do that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identify {
    /// Nothing.
    Off,
    /// The page proposes a new lead; existing leads do not change.
    #[default]
    Propose,
    /// The page creates a lead, or joins the visitor to the lead with that e-mail or phone number.
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
    /// If a setting is not valid; the error names it.
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
        ensure!(!hosts.is_empty(), "site `{name}`: hosts should name at least one host");
        Ok(())
    }
}
