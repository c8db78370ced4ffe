//! Where and how rows are kept.

use anyhow::{Result, ensure};
use clew_core::Secret;
use clew_store::Options;
use clew_store::sled::{Disk, Reserve};
use serde::Deserialize;
use std::path::PathBuf;

/// The settings of either store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `sled:FOLDER` or `postgres://user:password@host/database`.
    pub url: Secret,
    /// Writes that may wait.
    pub queue: usize,
    /// sled: MiB of cache.
    pub cache_mib: u64,
    /// sled: MiB free on its disk below which the log warns.
    pub warn_free_mib: u64,
    /// sled: MiB free on its disk below which page views are refused.
    pub min_free_mib: u64,
    /// PostgreSQL: connections, at most.
    pub connections: usize,
    /// PostgreSQL: the longest statement.
    pub statement_seconds: u32,
    /// PostgreSQL: certificates to trust in place of the machine's own.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
}

impl StoreConfig {
    /// The url without its password, for logs and messages. Read as plain text, because one with a
    /// character that should have been encoded is no url, and has to stay hidden all the more.
    pub fn shown_url(&self) -> String {
        let url = self.url.reveal();
        let Some((scheme, rest)) = url.split_once("://") else {
            return match url.split_once(':') {
                Some((scheme, _)) if scheme != "sled" => format!("{scheme}:***"),
                _ => url.to_owned(),
            };
        };
        let shown = match rest.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((user, _)) => format!("{user}:***@{host}"),
                None => rest.to_owned(),
            },
            None => rest.to_owned(),
        };
        let shown = match shown.split_once('?') {
            Some((address, query)) if query.contains("password") => format!("{address}?***"),
            _ => shown,
        };
        format!("{scheme}://{shown}")
    }

    /// How the store is opened.
    pub fn options(&self) -> Options {
        let bytes = |mib: u64| mib.saturating_mul(1 << 20);
        let reserve =
            Reserve { warn_bytes: bytes(self.warn_free_mib), min_bytes: bytes(self.min_free_mib) };
        Options {
            url: self.url.reveal().to_owned(),
            queue: self.queue,
            cache_bytes: bytes(self.cache_mib),
            reserve,
            disk: Disk::Real,
            connections: self.connections,
            statement_seconds: self.statement_seconds,
            tls_ca: self.tls_ca.clone(),
        }
    }

    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.queue > 0, "store.queue: should be at least 1");
        ensure!(self.cache_mib > 0, "store.cache_mib: should be at least 1");
        ensure!(
            self.warn_free_mib >= self.min_free_mib,
            "store.warn_free_mib: should be at least store.min_free_mib, {}",
            self.min_free_mib
        );
        ensure!(self.connections > 1, "store.connections: should be at least 2");
        ensure!(self.statement_seconds > 0, "store.statement_seconds: should be at least 1");
        Ok(())
    }
}
