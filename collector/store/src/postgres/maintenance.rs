//! Maintenance and health of a store on PostgreSQL.

use super::{PostgresStore, migrate, rows, statements as sql};
use crate::error::StoreError;
use crate::verbs::{Maintenance, Readiness};
use async_trait::async_trait;
use shared::limits;
use std::sync::atomic::Ordering;

#[async_trait]
impl Maintenance for PostgresStore {
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError> {
        let before = rows::parameters![now_ms - limits::IDEMPOTENCY_MS];
        Ok(self.execute(&sql::FORGET_KEYS, before).await? as usize)
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<Readiness, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { Ok(migrate::check(&connections).await?) }).await?;
        if self.importing().await?.is_some() {
            return Err(StoreError::Unavailable("an import is not finished".into()));
        }
        let bucket = i16::from(self.probe.fetch_add(1, Ordering::Relaxed));
        self.execute(&sql::PROBE, rows::parameters![bucket]).await?;
        Ok(Readiness::Everything)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn queued(&self) -> usize {
        self.lanes.queued()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.lanes.stop().await;
        self.connections.close();
        Ok(())
    }
}
