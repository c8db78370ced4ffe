//! The inputs of every vendor's adapter, beside its own table, and the checks that all vendors
//! share.

use super::adapter::CrmAdapter;
use crate::call::Caller;
use crate::transport::Transport;
use crate::vault::Vault;
use anyhow::{Result, ensure};
use shared::fields::naming::Prefix;
use shared::lifecycle::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// The default number of calls per ten seconds.
pub(super) const CALLS_IN_10_SECONDS: u32 = 100;
/// The fewest calls per ten seconds that a connection can work with. With fewer calls than a
/// hand-off takes, none would ever begin.
const LEAST_CALLS: u32 = 10;

/// The inputs of an adapter.
pub struct AdapterSettings {
    /// The connection's name.
    pub name: String,
    /// The prefix of our fields' names.
    pub prefix: Prefix,
    /// The address of the connection's webhooks: `PUBLIC_URL/hooks/NAME`.
    pub hook_url: Url,
    /// Maps the CRM's lifecycle stages of a person to our stages; overrides the vendor's defaults.
    pub stages: BTreeMap<String, Stage>,
    /// Maps the CRM's stages of an open deal to our stages.
    pub deal_stages: BTreeMap<String, Stage>,
    /// Sends the requests.
    pub transport: Transport,
    /// Stores tokens.
    pub vault: Vault,
}

/// An adapter that is ready for use.
pub struct ConnectedCrm {
    /// The adapter.
    pub crm: Box<dyn CrmAdapter>,
    /// Makes its calls.
    pub caller: Arc<Caller>,
}

pub(super) fn check_calls(setting: &str, calls: u32) -> Result<()> {
    ensure!(calls >= LEAST_CALLS, "{setting}: should be at least {LEAST_CALLS}");
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

/// Parses a URL literal.
pub(super) fn literal(text: &str) -> Url {
    #[expect(clippy::unwrap_used, reason = "only literals, all of which a test parses")]
    text.parse().unwrap()
}
