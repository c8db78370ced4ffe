//! What every vendor's adapter is made from beside its own table, and the checks that all tables share.

use super::adapter::Crm;
use crate::call::Caller;
use crate::transport::Transport;
use crate::vault::Vault;
use anyhow::{Result, ensure};
use shared::fields::naming::Prefix;
use shared::lifecycle::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// Calls that may be made in ten seconds, unless the settings say otherwise.
pub(super) const CALLS_IN_10_SECONDS: u32 = 100;
/// The fewest calls in ten seconds that a connection can work with: with fewer than a hand-off takes,
/// none would ever begin.
const LEAST_CALLS: u32 = 10;

/// What an adapter is made from.
pub struct Settings {
    /// The connection's name.
    pub name: String,
    /// What the names of our fields begin with.
    pub prefix: Prefix,
    /// The address of the connection's webhooks: `PUBLIC_URL/hooks/NAME`.
    pub hook_url: Url,
    /// Our stage for the CRM's word for a person, over the vendor's usual ones.
    pub stages: BTreeMap<String, Stage>,
    /// Our stage for the CRM's word for an open deal.
    pub deal_stages: BTreeMap<String, Stage>,
    /// How requests are made.
    pub transport: Transport,
    /// Where tokens are kept.
    pub vault: Vault,
}

/// An adapter that is ready to be used.
pub struct Adapter {
    /// What it does.
    pub crm: Box<dyn Crm>,
    /// What its calls go through.
    pub caller: Arc<Caller>,
}

pub(super) fn check_calls(setting: &str, calls: u32) -> Result<()> {
    ensure!(calls >= LEAST_CALLS, "{setting}: should be {LEAST_CALLS} at least");
    Ok(())
}

pub(super) fn check_url(setting: &str, url: &Url, allow_private: bool) -> Result<()> {
    let plain_allowed = allow_private && url.scheme() == "http";
    ensure!(
        url.scheme() == "https" || plain_allowed,
        "{setting}: should be https (http only with allow_private)"
    );
    Ok(())
}

/// An address that stands in the code.
pub(super) fn literal(text: &str) -> Url {
    #[expect(clippy::unwrap_used, reason = "texts of the code alone, all of which a test reads")]
    text.parse().unwrap()
}
