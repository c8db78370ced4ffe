//! How a database is reached.

use std::path::PathBuf;

/// How the database is reached.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host/database`
    pub url: String,
    /// Connections, at most.
    pub connections: usize,
    /// Seconds that a statement may take.
    pub statement_seconds: u32,
    /// A file of certificates to trust in place of the machine's own.
    pub tls_ca: Option<PathBuf>,
    /// Batches that may wait; more are answered with [`StoreError::Busy`](crate::StoreError::Busy).
    pub queue: usize,
    /// What the server calls its connections; [`COLLECTOR`] for those that imports keep away from.
    pub application: &'static str,
}

/// What the server calls the connections of collectors.
pub const COLLECTOR: &str = "clew collector";
