//! The verbs of `Journeys` on PostgreSQL.

use super::{PostgresStore, erase, relabel, rows, statements as sql};
use crate::erase::{Erased, Erasure};
use crate::error::StoreError;
use crate::relabel::{Relabelled, Relabelling};
use crate::verbs::Journeys;
use crate::visitor::{Arrivals, Visitor};
use async_trait::async_trait;
use shared::ids::{SiteId, VisitorId};
use shared::outcome::Outcome;
use shared::visit::Trail;

#[async_trait]
impl Journeys for PostgresStore {
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        self.lanes.ingest(arrivals).await
    }

    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError> {
        let found = self.query(&sql::VISITOR, rows::visitor_key(site, visitor)).await?;
        found.first().map(|row| rows::document(row, 0)).transpose()
    }

    async fn trail(&self, site: &SiteId, visitor: VisitorId) -> Result<Trail, StoreError> {
        rows::trail(&self.query(&sql::EVENTS, rows::visitor_key(site, visitor)).await?)
    }

    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { relabel::relabel(&connections, &relabelling).await }).await
    }

    async fn erase_visitor(&self, erasure: Erasure) -> Result<Erased, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { erase::erase(&connections, &erasure).await }).await
    }
}
