//! The configuration: `clew.example.toml` has the defaults, a file overrides them, `CLEW_…`
//! overrides both.
//!
//! It is parsed into types that admit only valid values, at the start and on SIGHUP; the
//! environment is an argument. Sites, keys and destinations exist only in the configuration, so any
//! number of collectors can share one file.

mod attribution;
pub mod change;
mod destination;
mod inbound;
mod key;
mod limits;
mod network;
mod rates;
mod rules;
mod site;
mod store;
mod text;

pub use attribution::AttributionConfig;
pub use destination::{DestinationConfig, HooksConfig};
pub use inbound::InboundConfig;
pub use key::{Expiry, KeyConfig, Scope, Scopes};
pub use limits::LimitsConfig;
pub use network::Network;
pub use rates::{RatesConfig, SiteRatesConfig};
pub use rules::RulesConfig;
pub use site::{Identify, SiteConfig};
pub use store::StoreConfig;

use anyhow::{Context, Result, bail, ensure};
use clew_connect::crm::CrmConfig;
use clew_core::secret::TokenKey;
use figment::Figment;
use figment::providers::{Format, Toml};
use serde::Deserialize;
use shared::fields::naming::Prefix;
use shared::ids::SiteId;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// The commented example file, which also holds the defaults.
pub const EXAMPLE: &str = include_str!("../../clew.example.toml");

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the collector listens.
    pub listen: SocketAddr,
    /// Address for health and metrics; `None`: they are served at `listen`.
    #[serde(deserialize_with = "text::parsed_unless_empty")]
    pub operator_listen: Option<SocketAddr>,
    /// The URL under which browsers and CRMs reach the collector.
    pub public_url: Url,
    /// The path prefix of everything for browsers; begins with a slash and does not end with one.
    pub prefix: String,
    /// The log filter.
    pub log: String,
    /// Threads that handle requests; 0 means one per core.
    pub workers: usize,
    /// The proxies in front of the collector, trusted to report clients' addresses.
    pub trusted_proxies: Vec<Network>,
    /// Prefix of our field names in a CRM.
    #[serde(deserialize_with = "text::parsed")]
    pub field_prefix: Prefix,
    /// Limits for clients of the public address.
    pub limits: LimitsConfig,
    /// The store.
    pub store: StoreConfig,
    /// Rate limits for clients, visitors, persons and sites.
    pub rates: RatesConfig,
    /// When and how often leads are delivered.
    pub delivery: DeliveryConfig,
    /// Additions to the rules that label page views.
    #[serde(default)]
    pub rules: RulesConfig,
    /// The keys of the sealed token.
    #[serde(default)]
    pub token_keys: Vec<TokenKey>,
    /// Tracked web sites.
    #[serde(default)]
    pub sites: Vec<SiteConfig>,
    /// API keys.
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// Webhooks that leads are delivered to.
    #[serde(default)]
    pub destinations: Vec<DestinationConfig>,
    /// Settings of all subscriptions.
    pub hooks: HooksConfig,
    /// The CRMs that leads are handed off to.
    #[serde(default)]
    pub crm: Vec<CrmConfig>,
    /// Inbound webhooks, which report stages and deals.
    #[serde(default)]
    pub inbound: Vec<InboundConfig>,
}

/// When and how often leads are delivered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Time from a conversion to the first attempt.
    pub settle_seconds: u32,
    /// Waits between attempts.
    pub retry_seconds: Vec<u32>,
    /// The longest call to a receiver or CRM.
    pub timeout_seconds: u32,
    /// Concurrent attempts per destination.
    pub concurrency: usize,
}

/// Where the settings are read from; fixed for the life of the process.
pub struct Source {
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// The environment variables.
    pub environment: Vec<(String, String)>,
}

impl Source {
    /// Reads the file over the defaults, then `CLEW_…` variables over both, and resolves `env:NAME`
    /// from the environment.
    ///
    /// # Errors
    /// If the file cannot be read or a setting is not valid; the error names both.
    pub fn read(&self) -> Result<Config> {
        let text = match &self.file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))?,
            None => String::new(),
        };
        let mut config =
            Config::parse(&text, &self.environment).with_context(|| self.is_wrong())?;
        if let Some(folder) = self.file.as_deref().and_then(Path::parent) {
            config.rules.resolve(folder);
        }
        Ok(config)
    }

    /// The context for errors about settings.
    pub fn is_wrong(&self) -> String {
        match &self.file {
            Some(path) => format!("the configuration {} is not valid", path.display()),
            None => "the configuration is not valid".to_owned(),
        }
    }
}

impl Config {
    /// Parses `text` over the defaults, then `CLEW_…` variables over both.
    ///
    /// # Errors
    /// If a setting is not valid; the error names it.
    pub fn parse(text: &str, environment: &[(String, String)]) -> Result<Self> {
        let mut figment = Figment::from(Toml::string(EXAMPLE)).merge(Toml::string(text));
        for (name, value) in environment {
            // Other variables, such as CLEW_DEMO_…, belong to other programs of this workspace.
            let Some(key) = name.strip_prefix("CLEW_") else { continue };
            let key = key.to_lowercase().replace("__", ".");
            if OVERRIDABLE.contains(&key.as_str()) {
                figment = figment.merge((key, scalar(value)));
            }
        }
        let mut config: Self = figment.extract()?;
        config.resolve_secrets(environment)?;
        config.check()?;
        Ok(config)
    }

    fn resolve_secrets(&mut self, environment: &[(String, String)]) -> Result<()> {
        let lookup = |name: &str| {
            let found = environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        self.store.url.resolve(lookup).context("store.url")?;
        match &mut self.store.password {
            Some(password) => password.resolve(lookup).context("store.password")?,
            // As PostgreSQL's own programs do.
            none => *none = lookup("PGPASSWORD").map(clew_core::Secret::new),
        }
        for key in &mut self.token_keys {
            key.secret.resolve(lookup).context("token_keys")?;
        }
        for site in &mut self.sites {
            site.resolve_secrets(lookup)?;
        }
        for destination in &mut self.destinations {
            destination.resolve_secrets(lookup)?;
        }
        for inbound in &mut self.inbound {
            inbound.resolve_secrets(lookup)?;
        }
        for crm in &mut self.crm {
            let resolved = crm.resolve_secrets(lookup);
            resolved.with_context(|| format!("crm `{}`", crm.name))?;
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let prefix = &self.prefix;
        let segments = prefix.strip_prefix('/').unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
        ensure!(
            !segments.is_empty() && !prefix.ends_with('/') && segments.bytes().all(plain),
            "prefix: `{prefix}` should be a path such as \"/c\""
        );
        ensure!(!prefix.starts_with("/v1"), "prefix: /v1 is reserved for the API");
        ensure!(
            matches!(self.public_url.scheme(), "http" | "https"),
            "public_url: should begin with http:// or https://"
        );
        ensure!(
            self.delivery.timeout_seconds > 0,
            "delivery.timeout_seconds: should be at least 1"
        );
        self.limits.check()?;
        self.store.check()?;
        self.rates.check()?;
        ensure!(self.delivery.concurrency > 0, "delivery.concurrency: should be at least 1");
        unique("sites", self.sites.iter().map(|site| site.name.as_str()))?;
        unique(
            "destinations",
            self.destinations
                .iter()
                .map(|destination| destination.name.as_str())
                .chain(self.crm.iter().map(|crm| crm.name.as_str())),
        )?;
        // Both kinds have paths under /hooks.
        let crms = self.crm.iter().map(|crm| crm.name.as_str());
        unique("inbound", crms.chain(self.inbound.iter().map(|inbound| inbound.name.as_str())))?;
        for site in &self.sites {
            site.check()?;
            let rates = self.rates.of_site(site.rates);
            rates.check().with_context(|| format!("site `{}`", site.name))?;
        }
        KeyConfig::check_all(&self.keys, &self.sites)?;
        for destination in &self.destinations {
            destination.check(&self.sites)?;
        }
        for inbound in &self.inbound {
            inbound.check(&self.sites)?;
        }
        let mut vendors = HashSet::new();
        for crm in &self.crm {
            let name = &crm.name;
            crm.check().with_context(|| format!("crm `{name}`"))?;
            let is_missing = || format!("crm `{name}`: site `{}` is not configured", crm.site);
            self.site(&crm.site).with_context(is_missing)?;
            // CRM records are identified by vendor, kind and id.
            ensure!(
                vendors.insert((&crm.site, crm.naming())),
                "crm `{name}`: the site already has a connection to this vendor"
            );
        }
        Ok(())
    }

    /// Looks up a site by its name.
    pub fn site(&self, name: &SiteId) -> Option<&SiteConfig> {
        self.sites.iter().find(|site| site.name == *name)
    }
}

/// Settings that `CLEW_…` variables may override: single values outside of double-bracketed tables.
const OVERRIDABLE: &[&str] = &[
    "listen",
    "operator_listen",
    "public_url",
    "prefix",
    "log",
    "workers",
    "field_prefix",
    "limits.connections",
    "limits.connections_per_client",
    "limits.request_seconds",
    "store.url",
    "store.queue",
    "store.cache_mib",
    "store.warn_free_mib",
    "store.min_free_mib",
    "store.connections",
    "store.statement_seconds",
    "store.tls_ca",
    "delivery.settle_seconds",
    "delivery.timeout_seconds",
    "delivery.concurrency",
];

fn scalar(value: &str) -> figment::value::Value {
    match value.parse::<u64>() {
        Ok(number) => number.into(),
        Err(_) => value.into(),
    }
}

fn unique<'a>(what: &str, mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    match names.find(|name| !seen.insert(*name)) {
        Some(twice) => bail!("{what}: the name `{twice}` is used twice"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "[[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n";

    fn check(text: &str, environment: &[(&str, &str)], expected: Result<(), &str>) {
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let result = Config::parse(text, &environment).map_err(|error| format!("{error:#}"));
        match (&result, expected) {
            (Ok(_), Ok(())) => {}
            (Err(message), Err(part)) if message.contains(part) => {}
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn good_and_bad_settings() {
        check("", &[], Ok(()));
        check(
            SITE,
            &[("CLEW_LISTEN", "0.0.0.0:1"), ("CLEW_STORE__QUEUE", "5"), ("CLEW_DEMO_API_KEY", "x")],
            Ok(()),
        );
        check("listne = 1", &[], Err("listne"));
        check("", &[("CLEW_LISTEN", "nowhere")], Err("listen"));
        check("operator_listen = \"\"", &[], Ok(()));
        check("", &[("CLEW_OPERATOR_LISTEN", "")], Ok(()));
        check("operator_listen = \"nowhere\"", &[], Err("operator_listen"));
        check("[limits]\nconnections = 0", &[], Err("limits.connections"));
        check("[limits]\nconnections_per_client = 0", &[], Err("at least 1"));
        check("", &[("CLEW_LIMITS__REQUEST_SECONDS", "0")], Err("limits.request_seconds"));
        check("[store]\ncache_mib = 0", &[], Err("store.cache_mib"));
        check("[store]\nwarn_free_mib = 511", &[], Err("store.warn_free_mib"));
        check("[store]\nwarn_free_mib = 0\nmin_free_mib = 0", &[], Ok(()));
        check("[delivery]\ntimeout_seconds = 0", &[], Err("delivery.timeout_seconds"));
        check("prefix = \"c\"", &[], Err("prefix"));
        check("field_prefix = \"acme\"", &[], Ok(()));
        check("field_prefix = \"Acme_\"", &[], Err("`Acme_` should be 1 to 7"));
        check("", &[("CLEW_FIELD_PREFIX", "")], Err("field_prefix"));
        check("trusted_proxies = [\"127.0.0.1/32\", \"::1\"]", &[], Ok(()));
        check("trusted_proxies = [\"proxy\"]", &[], Err("`proxy` should be a network"));
        check(&format!("{SITE}own_traffic = [\"203.0.113.0/24\"]"), &[], Ok(()));
        check(&format!("{SITE}own_traffic = [\"1.2.3.4/40\"]"), &[], Err("own_traffic"));
        check("prefix = \"/v1\"", &[], Err("/v1"));
        check(&format!("{SITE}{SITE}"), &[], Err("`demo` is used twice"));
        check("[[sites]]\nname = \"Demo\"\nhosts = []", &[], Err("a site name must be"));
        check(&SITE.replace("example.com", "https://example.com"), &[], Err("without scheme"));
        check(&SITE.replace("example.com", "localhost:3000"), &[], Err("without scheme"));
        check(&SITE.replace("example.com", "*.example.com"), &[], Ok(()));
        check(&SITE.replace("example.com", "bücher.example"), &[], Ok(()));
        check(&format!("{SITE}country = \"FR\""), &[], Ok(()));
        check(&format!("{SITE}country = \"France\""), &[], Err("`France` is not a country"));
        check(&SITE.replace("example.com", ""), &[], Err("without scheme"));
        check("[rules]\nsource = []", &[], Err("source"));
        check("[[keys]]\nname = \"a\"\nsite = \"b\"\nhash = \"x\"", &[], Err("sha256:"));
        let destination = "[[destinations]]\nname = \"crm\"\nsite = \"demo\"\nsecret = \"env:S\"\n";
        let plain = format!("{SITE}{destination}url = \"http://crm.example.com\"");
        check(&plain, &[], Err("S is not set"));
        check(&plain, &[("S", "whsec_x")], Err("https"));
        check(&format!("{plain}\nallow_private = true"), &[("S", "whsec_x")], Ok(()));
    }

    fn check_shown(url: &str, expected: &str) {
        let config = Config::parse(&format!("[store]\nurl = \"{url}\""), &[]).unwrap();
        assert_eq!(config.store.shown_url(), expected);
    }

    #[test]
    fn passwords_are_never_shown() {
        check_shown("sled:./data", "sled:./data");
        check_shown("sled:///srv/a@b", "sled:///srv/a@b");
        check_shown("postgres://host/clew", "postgres://host/clew");
        check_shown("postgres://user@host/clew", "postgres://user@host/clew");
        check_shown("postgres://user:p%40ss@host:1/clew", "postgres://user:***@host:1/clew");
        check_shown("postgres://user:p/a?s:s@w@host/clew", "postgres://user:***@host/clew");
        check_shown("postgres://user@host/clew?password=x", "postgres://user@host/clew?***");
        check_shown("postgres:/user:secret@host/clew", "postgres:***");
        check_shown("postgres://host/clew?sslmode=require", "postgres://host/clew?sslmode=require");
    }

    #[test]
    fn the_environment_wins() {
        let environment = [("CLEW_STORE__QUEUE".to_owned(), "5".to_owned())];
        assert_eq!(Config::parse("[store]\nqueue = 4", &environment).unwrap().store.queue, 5);
    }
}
