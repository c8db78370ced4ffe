//! The store for more than one machine: PostgreSQL 15 or newer, optionally as a Citus cluster.
//!
//! Collectors keep no state of their own. Any number of them can share one database, where they
//! lock what they must not do concurrently. All statements are in [`statements`], with the shard
//! that each runs on. The work runs on the store's own threads, so it can be started from any
//! runtime.

mod options;
mod address;
mod statement;
pub mod statements;
mod threads;
mod pool;
mod rows;
mod migrate;
mod ingest;
mod lanes;
mod relabel;
mod erase;
mod journeys;
mod convert;
mod membership;
mod merging;
mod record;
mod dossier;
mod leads;
mod delivery;
mod deliveries;
mod memos;
mod export;
mod import;
mod transfer;
mod maintenance;
#[cfg(test)]
mod citus;

pub use migrate::{Migrated, migrate};
pub use options::{COLLECTOR, PostgresOptions};

use crate::error::StoreError;
use lanes::Lanes;
use pool::{ConnectionPool, PostgresError};
use statement::Statement;
use std::sync::atomic::AtomicU8;
use threads::Threads;

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    connections: ConnectionPool,
    lanes: Lanes,
    /// The bucket that the next readiness probe writes to.
    probe: AtomicU8,
    threads: Threads,
}

impl PostgresStore {
    /// Connects and checks that the schema is this version's.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Schema`].
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let threads = Threads::start()?;
        let connections = {
            let _inside = threads.enter()?;
            ConnectionPool::new(options)?
        };
        let checked = connections.clone();
        threads.wait(async move { migrate::check(&checked).await })?;
        let lanes = {
            let _inside = threads.enter()?;
            Lanes::start(&connections, options)
        };
        Ok(Self { connections, lanes, probe: AtomicU8::new(0), threads })
    }

    /// Runs work on the store's own threads. It continues even if the caller stops waiting.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, PostgresError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.threads.runtime()?.spawn(work).await;
        Ok(done.map_err(|error| StoreError::Closed(error.to_string()))??)
    }

    /// Reads rows with one statement.
    async fn query(
        &self,
        statement: &'static Statement,
        parameters: rows::Parameters,
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let connections = self.connections.clone();
        let given = (statement, parameters);
        self.run(async move {
            connections
                .work(&given, |client, (statement, parameters)| {
                    Box::pin(rows::query(&*client, statement, parameters))
                })
                .await
        })
        .await
    }

    /// Changes rows with one statement. Returns how many.
    async fn execute(
        &self,
        statement: &'static Statement,
        parameters: rows::Parameters,
    ) -> Result<u64, StoreError> {
        let connections = self.connections.clone();
        let given = (statement, parameters);
        self.run(async move {
            connections
                .work(&given, |client, (statement, parameters)| {
                    Box::pin(rows::execute(&*client, statement, parameters))
                })
                .await
        })
        .await
    }
}
