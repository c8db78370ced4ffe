//! Maintenance and health of a store on sled.

use super::transaction::Transaction;
use super::{SledStore, keys};
use crate::error::StoreError;
use crate::verbs::{Maintenance, Readiness};
use async_trait::async_trait;
use shared::limits;

/// The most idempotency keys that are deleted in one commit.
const AT_ONCE: usize = 1_000;

#[async_trait]
impl Maintenance for SledStore {
    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError> {
        let end = keys::aged_end(now_ms - limits::IDEMPOTENCY_MS);
        if self.tree()?.range(keys::AGED..end.as_slice()).next().is_none() {
            return Ok(0);
        }
        let expire = move |transaction: &mut Transaction<'_>| {
            let aged = transaction.marks(keys::AGED, &end, AT_ONCE)?;
            for key in &aged {
                transaction.remove(keys::idempotency_of(key));
                transaction.remove(key.clone());
            }
            Ok(aged.len())
        };
        self.writer.write(expire).await
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn ready(&self) -> Result<Readiness, StoreError> {
        self.writer.write(|_| Ok(())).await?;
        let refused = self.writer.disk_space().for_page_views().err();
        Ok(refused.map_or(Readiness::Everything, Readiness::AllButPageViews))
    }

    fn free_bytes(&self) -> Option<u64> {
        self.writer.disk_space().free_bytes()
    }

    fn queued(&self) -> usize {
        self.writer.queued()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.writer.stop()
    }
}
