//! `[limits]`: limits for clients of the public address.

use anyhow::{Result, ensure};
use serde::Deserialize;
use std::time::Duration;

/// Limits for clients of the public address.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Open connections in total.
    pub connections: usize,
    /// Open connections of one client.
    pub connections_per_client: usize,
    /// Time for a request's head to arrive, and again for its body.
    pub request_seconds: u32,
}

impl LimitsConfig {
    pub(super) fn check(&self) -> Result<()> {
        let Self { connections, connections_per_client, request_seconds } = *self;
        ensure!(connections > 0, "limits.connections: should be at least 1");
        ensure!(connections_per_client > 0, "limits.connections_per_client: should be at least 1");
        ensure!(
            (1..=3_600).contains(&request_seconds),
            "limits.request_seconds: should be 1 to 3600"
        );
        Ok(())
    }

    /// Time for a request's head to arrive, and again for its body.
    pub fn request_time(&self) -> Duration {
        Duration::from_secs(self.request_seconds.into())
    }
}
