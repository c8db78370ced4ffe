//! `[store]`: which store to use, and its settings.

use anyhow::{Result, ensure};
use clew_core::Secret;
use clew_store::Options;
use clew_store::sled::{Disk, Reserve};
use serde::Deserialize;
use std::path::PathBuf;

/// Settings of both kinds of store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// `sled:FOLDER` or `postgres://user:password@host/database`.
    pub url: Secret,
    /// Length of the queue of writes.
    pub queue: usize,
    /// sled: cache size in MiB.
    pub cache_mib: u64,
    /// sled: free disk space in MiB below which the log warns.
    pub warn_free_mib: u64,
    /// sled: free disk space in MiB below which page views are refused.
    pub min_free_mib: u64,
    /// PostgreSQL: the password, if the URL has none; without it, that of `PGPASSWORD`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// PostgreSQL: connections, at most.
    pub connections: usize,
    /// PostgreSQL: statement timeout.
    pub statement_seconds: u32,
    /// PostgreSQL: a file of certificates to trust instead of the system's.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
}

impl StoreConfig {
    /// The URL without its password, for logs and messages. It is taken apart as plain text,
    /// because a password with an unencoded character makes the URL invalid but must stay hidden
    /// all the same.
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

    /// The options to open the store with.
    pub fn options(&self) -> Options {
        let bytes = |mib: u64| mib.saturating_mul(1 << 20);
        let reserve =
            Reserve { warn_bytes: bytes(self.warn_free_mib), min_bytes: bytes(self.min_free_mib) };
        Options {
            url: self.url.reveal().to_owned(),
            password: self.password.as_ref().map(|password| password.reveal().to_owned()),
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
    /// If a setting is not valid; the error names it.
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
