//! Opens the store that the configuration names, for one kind of user or another.

use anyhow::{Context, Result, bail, ensure};
use clew_store::postgres::{self, Migrated};
use clew_store::{Holding, Opener, Store};
use collector::config::Config;
use std::path::PathBuf;
use std::sync::Arc;

/// For a collector.
///
/// # Errors
/// What the store says, behind the store's url without its password.
pub(crate) fn open_store(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, Opener::Collector)
}

/// For an import, which must not meet a collector there.
///
/// # Errors
/// Those of [`open_store`].
pub(crate) fn open_store_to_import(config: &Config) -> Result<Arc<dyn Store>> {
    open(config, Opener::Import)
}

/// For a command that expects a store: a folder that is missing is not made.
///
/// # Errors
/// A missing folder, and those of [`open_store`].
pub(crate) fn open_existing_store(config: &Config) -> Result<Arc<dyn Store>> {
    if let Some(folder) = config.store.options().sled_folder() {
        ensure!(
            folder.is_dir(),
            "there is no store in {}: is this the folder and the configuration that you mean?",
            folder.display()
        );
    }
    open(config, Opener::Command)
}

fn open(config: &Config, opener: Opener) -> Result<Arc<dyn Store>> {
    let opened = clew_store::open(&config.store.options(), opener);
    opened.with_context(|| format!("the store {} did not open", config.store.shown_url()))
}

/// Refuses a store that holds only the first part of an import, which nothing may take for the whole.
///
/// # Errors
/// An import that was cut off, with what to do; and the store's own.
pub(crate) async fn ensure_whole(store: &dyn Store) -> Result<()> {
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
pub(crate) fn operator_socket(config: &Config) -> Option<PathBuf> {
    config.store.options().sled_folder().map(|folder| folder.join("operator"))
}

/// Brings a database's schema up to date; with `citus`, distributes it over the cluster.
///
/// # Errors
/// A store that is not a PostgreSQL database, or what the database says.
pub(crate) fn migrate_store(config: &Config, citus: bool) -> Result<Migrated> {
    let url = config.store.shown_url();
    let options = config.store.options().postgres("clew migrate").with_context(|| {
        format!(
            "store.url: {url} is not a PostgreSQL database; only those have a schema to migrate"
        )
    })?;
    let migrated = postgres::migrate(&options, citus);
    migrated.with_context(|| format!("the store {url} could not be migrated"))
}
