//! Opens the store that a url names: the one place that chooses a backend.

use crate::error::StoreError;
use crate::postgres::{COLLECTOR, PostgresOptions, PostgresStore};
use crate::sled::{Disk, Reserve, SledOptions, SledStore};
use crate::verbs::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a store is and how it is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sled:FOLDER` or `postgres://user:password@host/database`.
    pub url: String,
    /// Writes that may wait; further ones are answered with [`StoreError::Busy`].
    pub queue: usize,
    /// sled: bytes of cache.
    pub cache_bytes: u64,
    /// sled: how much of its disk stays free.
    pub reserve: Reserve,
    /// sled: its disk.
    pub disk: Disk,
    /// PostgreSQL: connections, at most.
    pub connections: usize,
    /// PostgreSQL: seconds that a statement may take.
    pub statement_seconds: u32,
    /// PostgreSQL: a file of certificates to trust in place of the machine's own.
    pub tls_ca: Option<PathBuf>,
}

/// Who opens it: an import must not run beside a collector.
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
/// [`StoreError::Address`] for a url of another kind, and what the backend says.
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
    /// The folder of a sled store.
    pub fn sled_folder(&self) -> Option<&Path> {
        let folder = self.url.strip_prefix("sled:").filter(|folder| !folder.is_empty());
        folder.map(Path::new)
    }

    /// How a database is reached; `None` where the url names none.
    pub fn postgres(&self, application: &'static str) -> Option<PostgresOptions> {
        let (scheme, _) = self.url.split_once(':')?;
        matches!(scheme, "postgres" | "postgresql").then(|| PostgresOptions {
            url: self.url.clone(),
            connections: self.connections,
            statement_seconds: self.statement_seconds,
            tls_ca: self.tls_ca.clone(),
            queue: self.queue,
            application,
        })
    }
}
