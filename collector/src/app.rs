//! The application: everything that requests and the outbox share. All state hangs here.

use crate::clock::{Clock, Dice};
use crate::config::Config;
use crate::crm::connection::Connections;
use crate::metrics::Metrics;
use crate::outbox::receivers::Receivers;
use crate::outgoing::Outgoing;
use crate::settings::Settings;
use crate::store::postgres::{self, COLLECTOR, Migrated, PostgresOptions, PostgresStore};
use crate::store::sled::{SledOptions, SledStore};
use crate::store::{Holding, Store, StoreError};
use crate::subscription::Subscriptions;
use crate::tracker::Tracker;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Shared by all workers and the outbox.
pub struct App {
    /// The rows.
    pub store: Arc<dyn Store>,
    /// The counters.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// The dice.
    pub dice: Dice,
    /// The files for browsers, where they were built in.
    pub tracker: Option<Tracker>,
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// The connections to CRMs.
    pub connections: Connections,
    /// The subscriptions, as they were read last.
    pub subscriptions: Subscriptions,
    /// How the receivers of webhooks do.
    pub receivers: Receivers,
    /// What this collector calls itself where it takes a lease.
    pub holder: u64,
    settings: watch::Sender<Arc<Settings>>,
}

impl App {
    /// Puts the application together around an open store.
    ///
    /// # Errors
    /// A token key, destination secret or connection that cannot be used.
    pub fn new(
        config: Config,
        store: Arc<dyn Store>,
        clock: Clock,
        dice: Dice,
    ) -> Result<Arc<Self>> {
        let settings = Settings::new(config)?;
        let outgoing = Outgoing::new()?;
        let connections = Connections::new(outgoing.clone(), clock.clone(), Arc::clone(&store));
        connections.check(&settings)?;
        Ok(Arc::new(Self {
            store,
            metrics: Metrics::default(),
            clock,
            holder: u64::from_be_bytes(dice.roll()),
            dice,
            tracker: Tracker::built_in(),
            outgoing,
            connections,
            subscriptions: Subscriptions::default(),
            receivers: Receivers::default(),
            settings: watch::Sender::new(Arc::new(settings)),
        }))
    }

    /// The settings as they are now. Whoever begins a piece of work asks once and keeps them to its
    /// end, so that no work sees two readings of the configuration.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    /// Puts other settings in force for all work that begins from now on.
    ///
    /// # Errors
    /// A connection that cannot be used; the settings before stay in force.
    pub fn change_settings(&self, settings: Settings) -> Result<()> {
        self.connections.check(&settings)?;
        self.settings.send_replace(Arc::new(settings));
        Ok(())
    }

    /// Tells of every change of the settings.
    pub fn watch_settings(&self) -> watch::Receiver<Arc<Settings>> {
        self.settings.subscribe()
    }
}

/// Opens the store that the settings name: the one place that chooses a backend.
///
/// # Errors
/// An unknown scheme, or what the backend says.
pub fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, COLLECTOR)
}

/// The same for a command that must not meet a collector there.
///
/// # Errors
/// Those of [`open_store`].
pub fn open_store_to_import(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, "clew import")
}

fn open(config: &Config, application: &'static str) -> Result<Arc<dyn Store>> {
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
            PostgresStore::open(&postgres_options(config, application))
                .map(|store| Arc::new(store) as _)
        }
        _ => {
            bail!("store.url: should be like \"sled:./data\" or \"postgres://user@host/database\"")
        }
    };
    opened.with_context(|| format!("the store {} did not open", config.store.shown_url()))
}

/// The same for what is to be there already: a folder that is missing is not made.
///
/// # Errors
/// Where it is missing, and those of [`open_store`].
pub fn open_existing_store(config: &Config) -> Result<Arc<dyn Store>> {
    if let Some(folder) = sled_folder(config) {
        ensure!(
            folder.is_dir(),
            "there is no store in {}: is this the folder and the configuration that you mean?",
            folder.display()
        );
    }
    open(config, "clew command")
}

/// Sees that the store does not hold the first part of an import alone, which nothing may take for
/// the whole.
///
/// # Errors
/// Where it does, with what to do; and the store's own.
pub async fn ensure_whole(store: &dyn Store) -> Result<()> {
    if let Holding::Import(state) = store.holding().await? {
        bail!(
            "an import into this store was cut off after {} entities: run `clew import` with the same file \
             again, it goes on from there",
            state.entities
        );
    }
    Ok(())
}

/// Where a running collector answers commands, for stores that let one process in.
pub fn operator_socket(config: &Config) -> Option<PathBuf> {
    sled_folder(config).map(|folder| folder.join("operator"))
}

fn sled_folder(config: &Config) -> Option<&Path> {
    config.store.url.reveal().strip_prefix("sled:").map(Path::new)
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
    let migrated = postgres::migrate(&postgres_options(config, "clew migrate"), citus);
    migrated.with_context(|| format!("the store {url} could not be migrated"))
}

fn postgres_options(config: &Config, application: &'static str) -> PostgresOptions {
    let store = &config.store;
    PostgresOptions {
        url: store.url.reveal().to_owned(),
        connections: store.connections,
        statement_seconds: store.statement_seconds,
        tls_ca: store.tls_ca.clone(),
        queue: store.queue,
        application,
    }
}
