//! Connection options of a database.

use std::path::PathBuf;

/// Connection options of a database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host/database`
    pub url: String,
    /// The password, if the URL has none.
    pub password: Option<String>,
    /// The most connections.
    pub connections: usize,
    /// The longest that a statement may take, in seconds.
    pub statement_seconds: u32,
    /// A file of certificates to trust instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// The most batches that may wait; further ones fail with
    /// [`StoreError::Busy`](crate::StoreError::Busy).
    pub queue: usize,
    /// The application name of the connections. Imports look for [`COLLECTOR`] to detect running
    /// collectors.
    pub application: &'static str,
}

/// The application name of collectors' connections.
pub const COLLECTOR: &str = "clew collector";
