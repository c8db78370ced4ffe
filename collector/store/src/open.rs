//! Opens the store that a URL names. This is the only place that chooses a backend.

use crate::error::StoreError;
use crate::postgres::{COLLECTOR, PostgresOptions, PostgresStore};
use crate::sled::{Disk, Reserve, SledOptions, SledStore};
use crate::verbs::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The location of a store and its settings.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sled:FOLDER` or `postgres://user:password@host/database`.
    pub url: String,
    /// The most writes that may wait; further ones fail with [`StoreError::Busy`].
    pub queue: usize,
    /// sled: cache size in bytes.
    pub cache_bytes: u64,
    /// sled: how much of the disk must stay free.
    pub reserve: Reserve,
    /// sled: the disk.
    pub disk: Disk,
    /// PostgreSQL: the password, if the URL has none.
    pub password: Option<String>,
    /// PostgreSQL: the most connections.
    pub connections: usize,
    /// PostgreSQL: the longest that a statement may take, in seconds.
    pub statement_seconds: u32,
    /// PostgreSQL: a file of certificates to trust instead of the system's.
    pub tls_ca: Option<PathBuf>,
}

/// Who opens the store. An import must not run beside a collector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opener {
    /// A collector.
    Collector,
    /// `clew import`.
    Import,
    /// Another command.
    Command,
}

/// Opens a store.
///
/// # Errors
/// [`StoreError::Address`] if the URL is neither form, and the backend's errors.
pub fn open(options: &Options, opener: Opener) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(folder) = options.sled_folder() {
        let Options { cache_bytes, queue, reserve, ref disk, .. } = *options;
        let options = SledOptions { cache_bytes, queue, reserve, disk: disk.clone() };
        return Ok(Arc::new(SledStore::open(folder, options)?));
    }
    let application = match opener {
        Opener::Collector => COLLECTOR,
        Opener::Import => "clew import",
        Opener::Command => "clew command",
    };
    let options = options.postgres(application).ok_or(StoreError::Address)?;
    Ok(Arc::new(PostgresStore::open(&options)?))
}

impl Options {
    /// The folder, if the URL names a sled store.
    pub fn sled_folder(&self) -> Option<&Path> {
        let folder = self.url.strip_prefix("sled:").filter(|folder| !folder.is_empty());
        folder.map(Path::new)
    }

    /// The connection options, if the URL names a PostgreSQL database.
    pub fn postgres(&self, application: &'static str) -> Option<PostgresOptions> {
        let (scheme, _) = self.url.split_once(':')?;
        matches!(scheme, "postgres" | "postgresql").then(|| PostgresOptions {
            url: self.url.clone(),
            password: self.password.clone(),
            connections: self.connections,
            statement_seconds: self.statement_seconds,
            tls_ca: self.tls_ca.clone(),
            queue: self.queue,
            application,
        })
    }
}
