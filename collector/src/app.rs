//! The application: everything that requests and the outbox share. All state hangs here.

use crate::clock::{Clock, Dice};
use crate::config::{Config, DestinationConfig, SiteConfig};
use crate::metrics::Metrics;
use crate::outbox::sign::SigningKey;
use crate::store::postgres::{self, Migrated, PostgresOptions, PostgresStore};
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{Store, StoreError};
use crate::token::Tokens;
use crate::tracker::Tracker;
use anyhow::{Context, Result, anyhow, bail, ensure};
use shared::ids::SiteId;
use shared::source::{OwnHosts, Rules};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Shared by all workers and the outbox.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The rules that label page views.
    pub rules: Rules,
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The dice.
    pub dice: Dice,
    /// Sealed tokens.
    pub tokens: Tokens,
    /// The files for browsers, where they were built in.
    pub tracker: Option<Tracker>,
    sites: HashMap<SiteId, Site>,
    destinations: Vec<Destination>,
}

/// A place that leads are delivered to, with its key ready.
pub struct Destination {
    /// The settings.
    pub config: DestinationConfig,
    /// What its webhooks are signed with.
    pub key: SigningKey,
}

impl Destination {
    /// Its name in deliveries.
    pub fn name(&self) -> &str {
        &self.config.name
    }
}

/// A site with what is computed from its settings once.
pub struct Site {
    /// The settings.
    pub config: SiteConfig,
    /// Its hosts in the form that they are compared in.
    pub hosts: OwnHosts,
}

impl App {
    /// Puts the application together around an open store.
    ///
    /// # Errors
    /// A token key or destination secret that cannot be used.
    pub fn new(
        config: Config,
        store: Arc<dyn Store>,
        clock: Clock,
        dice: Dice,
    ) -> Result<Arc<Self>> {
        let tokens = Tokens::new(&config.token_keys).map_err(anyhow::Error::msg)?;
        let site = |site: &SiteConfig| {
            let hosts = OwnHosts::new(site.hosts.iter().map(String::as_str));
            (site.name.clone(), Site { config: site.clone(), hosts })
        };
        let sites = config.sites.iter().map(site).collect();
        let destination = |config: &DestinationConfig| {
            let key = SigningKey::parse(&config.secret);
            let key = key.map_err(|error| anyhow!("destination `{}`: {error}", config.name))?;
            Ok(Destination { config: config.clone(), key })
        };
        let destinations = config.destinations.iter().map(destination).collect::<Result<_>>()?;
        Ok(Arc::new(Self {
            rules: Rules::built_in(),
            store,
            metrics: Metrics::default(),
            clock,
            dice,
            tokens,
            tracker: Tracker::built_in(),
            sites,
            destinations,
            config,
        }))
    }

    /// A site by the name that a browser sent.
    pub fn site(&self, name: &str) -> Option<&Site> {
        SiteId::parse(name).and_then(|name| self.sites.get(&name))
    }

    /// The destinations of a site's leads.
    pub fn destinations(&self, site: &SiteId) -> impl Iterator<Item = &Destination> {
        self.destinations.iter().filter(move |destination| destination.config.site == *site)
    }

    /// The destinations of all sites.
    pub fn every_destination(&self) -> &[Destination] {
        &self.destinations
    }
}

/// Opens the store that the settings name: the one place that chooses a backend.
///
/// # Errors
/// An unknown scheme, or what the backend says.
pub fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    let url = config.store.url.reveal();
    let opened: Result<Arc<dyn Store>, StoreError> = match url.split_once(':') {
        Some(("sled", folder)) if !folder.is_empty() => {
            let options = SledOptions {
                cache_bytes: config.store.cache_mib * 1024 * 1024,
                queue: config.store.queue,
            };
            SledStore::open(Path::new(folder), options).map(|store| Arc::new(store) as _)
        }
        Some(("postgres" | "postgresql", _)) => {
            PostgresStore::open(&postgres_options(config)).map(|store| Arc::new(store) as _)
        }
        _ => {
            bail!("store.url: should be like \"sled:./data\" or \"postgres://user@host/database\"")
        }
    };
    opened.with_context(|| format!("the store {} did not open", config.store.shown_url()))
}

/// Brings a database's schema up to date; with `citus`, distributes it over the cluster.
///
/// # Errors
/// Where the store is no database, or what it says.
pub fn migrate_store(config: &Config, citus: bool) -> Result<Migrated> {
    let url = config.store.shown_url();
    ensure!(
        url.starts_with("postgres:") || url.starts_with("postgresql:"),
        "store.url: {url} is no PostgreSQL database, and nothing else has a schema to migrate"
    );
    let migrated = postgres::migrate(&postgres_options(config), citus);
    migrated.with_context(|| format!("the store {url} could not be migrated"))
}

fn postgres_options(config: &Config) -> PostgresOptions {
    let store = &config.store;
    PostgresOptions {
        url: store.url.reveal().to_owned(),
        connections: store.connections,
        statement_seconds: store.statement_seconds,
        tls_ca: store.tls_ca.clone(),
        queue: store.queue,
    }
}
