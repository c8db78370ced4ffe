//! `[[sites]]`: a tracked web site.

use super::{AttributionConfig, Network};
use anyhow::{Result, ensure};
use serde::Deserialize;
use shared::ids::SiteId;
use shared::lead::Country;
use shared::source::parse_host;

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
    /// Whether `clew('identify', …)` makes leads.
    #[serde(default = "yes")]
    pub identify: bool,
    /// How a lead's `attributed_…` fields are found.
    #[serde(default)]
    pub attribution: AttributionConfig,
}

fn yes() -> bool {
    true
}

impl SiteConfig {
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn check(&self) -> Result<()> {
        let Self { name, hosts, .. } = self;
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
