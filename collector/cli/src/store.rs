//! Opens the configured store for a collector, an import or another command.

use anyhow::{Context, Result, bail, ensure};
use clew_store::postgres::{self, Migrated};
use clew_store::{Contents, Opener, Store};
use collector::config::Config;
use std::path::PathBuf;
use std::sync::Arc;

/// Opens the store for a collector.
///
/// # Errors
/// The store's error, preceded by the store's URL without its password.
pub(crate) fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, Opener::Collector)
}

/// Opens the store for an import, which must not run beside a collector.
///
/// # Errors
/// As for [`open_store`].
pub(crate) fn open_store_to_import(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, Opener::Import)
}

/// Opens the store for a command that expects it to exist: a missing folder is not created.
///
/// # Errors
/// If the folder is missing, and as for [`open_store`].
pub(crate) fn open_existing_store(config: &Config) -> Result<Arc<dyn Store>> {
    if let Some(folder) = config.store.options().sled_folder() {
        ensure!(
            folder.is_dir(),
            "there is no store in {}: check store.url, the working directory and --config",
            folder.display()
        );
    }
    open(config, Opener::Command)
}

fn open(config: &Config, opener: Opener) -> Result<Arc<dyn Store>> {
    let opened = clew_store::open(&config.store.options(), opener);
    opened.with_context(|| format!("cannot open the store {}", config.store.shown_url()))
}

/// Refuses a store that holds only part of an import.
///
/// # Errors
/// If an import was interrupted, with what to do; and the store's own errors.
pub(crate) async fn ensure_whole(store: &dyn Store) -> Result<()> {
    if let Contents::Import(state) = store.contents().await? {
        bail!(
            "an import into this store was interrupted after {} entities: run `clew import` again with the \
             same file to continue it",
            state.entities
        );
    }
    Ok(())
}

/// The socket on which a running collector answers commands; only for stores that one process can
/// open.
pub(crate) fn operator_socket(config: &Config) -> Option<PathBuf> {
    config.store.options().sled_folder().map(|folder| folder.join("operator"))
}

/// Updates a database's schema; with `citus`, distributes it over the cluster.
///
/// # Errors
/// If the store is not a PostgreSQL database, and the database's own errors.
pub(crate) fn migrate_store(config: &Config, citus: bool) -> Result<Migrated> {
    let url = config.store.shown_url();
    let options = config.store.options().postgres("clew migrate").with_context(|| {
        format!(
            "store.url: {url} is not a PostgreSQL database; only databases have a schema to migrate"
        )
    })?;
    let migrated = postgres::migrate(&options, citus);
    migrated.with_context(|| format!("cannot migrate the store {url}"))
}
