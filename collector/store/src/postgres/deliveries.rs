//! The verbs of `Deliveries` on PostgreSQL: single statements, or functions in [`delivery`].

use super::{PostgresStore, delivery, rows, statements as sql};
use crate::delivery::{Claim, Delivery, DeliveryFilter, DeliveryId, Latest, Settlement};
use crate::error::StoreError;
use crate::verbs::Deliveries;
use async_trait::async_trait;

#[async_trait]
impl Deliveries for PostgresStore {
    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { delivery::claim(&connections, &claim).await }).await
    }

    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let key = rows::delivery_key(id).and(body);
        let found = self.query(&sql::FREEZE_BODY, key).await?;
        let missing = || StoreError::Corrupt(format!("the delivery {} is gone", id.to_text()));
        rows::column(found.first().ok_or_else(missing)?, 0)
    }

    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.query(&sql::BODY, rows::delivery_key(id)).await?;
        found.first().map_or(Ok(None), |row| rows::column(row, 0))
    }

    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        let connections = self.connections.clone();
        let settle = move |delivery: &mut Delivery| delivery.settle(claim, settlement.clone());
        // If the delivery was erased in the meantime, nothing changes.
        self.run(async move { delivery::change(&connections, id, settle).await }).await.map(drop)
    }

    async fn recall_deliveries(&self, now_ms: i64, latest: Latest) -> Result<usize, StoreError> {
        let Latest { due_ms, lease_ms } = latest;
        let stranded = self.query(&sql::STRANDED_BUCKETS, rows::parameters![due_ms, lease_ms]);
        let mut recalled = 0;
        for row in stranded.await? {
            let bucket: i16 = rows::column(&row, 0)?;
            let key = rows::parameters![bucket, now_ms, due_ms, lease_ms];
            recalled += self.execute(&sql::RECALL_DELIVERIES, key).await? as usize;
        }
        Ok(recalled)
    }

    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError> {
        let connections = self.connections.clone();
        let replay = move |delivery: &mut Delivery| delivery.replay(now_ms);
        self.run(async move { delivery::change(&connections, id, replay).await }).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let found = self.query(&sql::DELIVERY, rows::delivery_key(id)).await?;
        found.first().map(delivery::read).transpose()
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let (statement, parameters) = delivery::listing(&filter);
        self.query(statement, parameters).await?.iter().map(delivery::read).collect()
    }
}
