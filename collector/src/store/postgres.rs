//! The store for more than one machine: PostgreSQL 15 or newer, or a Citus cluster of it.
//!
//! Collectors keep nothing of their own: any number of them work on one database, and what they
//! must not do at once they lock there. All statements stand in [`statements`], with the shard that
//! each runs on. The work runs on threads of the store's own, so that it does not matter from where
//! it is asked for.

mod statement;
pub mod statements;
mod convert;
mod delivery;
mod record;
mod memo;
mod ingest;
mod lanes;
mod relabel;
mod membership;
mod migrate;
mod pool;
mod rows;
mod threads;
mod export;
mod import;
#[cfg(test)]
mod citus;

pub use migrate::{Migrated, migrate};

use crate::store::visitor::only_views;
use crate::store::{
    Arrivals, Claim, Converted, Delivery, DeliveryFilter, DeliveryId, Entities, Holding,
    ImportPart, ImportState, Memo, MemoChange, MemoKind, NewConversion, NewRecord, Record,
    RecordId, Recorded, Relabelled, Relabelling, Settlement, Store, StoreError, Unmatched, Visitor,
};
use async_trait::async_trait;
use lanes::Lanes;
use pool::{Connections, Failure};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use shared::limits;
use shared::outcome::Outcome;
use shared::page_view::PageView;
use statements as sql;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use threads::Threads;
use uuid::Uuid;

/// A store in a database.
pub struct PostgresStore {
    connections: Connections,
    lanes: Lanes,
    /// Which bucket the next probe writes to.
    probe: AtomicU8,
    threads: Threads,
}

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
    /// Batches that may wait; more are answered with [`StoreError::Busy`].
    pub queue: usize,
    /// What the server calls its connections; [`COLLECTOR`] for those that imports keep away from.
    pub application: &'static str,
}

/// What the server calls the connections of collectors.
pub const COLLECTOR: &str = "clew collector";

impl PostgresStore {
    /// Connects, and sees that the schema fits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Schema`].
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let threads = Threads::start()?;
        let connections = {
            let _inside = threads.enter()?;
            Connections::new(options)?
        };
        let checked = connections.clone();
        threads.wait(async move { migrate::check(&checked).await })?;
        let lanes = {
            let _inside = threads.enter()?;
            Lanes::start(&connections, options)
        };
        Ok(Self { connections, lanes, probe: AtomicU8::new(0), threads })
    }

    /// Runs work on the store's own threads; it goes on even where nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.threads.runtime()?.spawn(work).await;
        Ok(done.map_err(|error| StoreError::Closed(error.to_string()))??)
    }

    /// Reads rows with one statement.
    async fn query(
        &self,
        statement: &'static sql::Statement,
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

    /// How far an import has come that has not ended.
    async fn importing(&self) -> Result<Option<ImportState>, StoreError> {
        let found = self.query(&sql::IMPORTING, rows::Parameters::default()).await?;
        found.first().map(import::state).transpose()
    }

    /// Changes rows with one statement; how many.
    async fn execute(
        &self,
        statement: &'static sql::Statement,
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

#[async_trait]
impl Store for PostgresStore {
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

    async fn page_views(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Vec<PageView>, StoreError> {
        let found = self.query(&sql::EVENTS, rows::visitor_key(site, visitor)).await?;
        Ok(only_views(rows::documents(&found)?))
    }

    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { relabel::relabel(&connections, &relabelling).await }).await
    }

    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { convert::convert(&connections, &conversion).await }).await
    }

    async fn undo_join(
        &self,
        lead: LeadId,
        visitor: VisitorId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { membership::undo_join(&connections, lead, visitor, now_ms).await })
            .await
    }

    async fn lead(&self, lead: LeadId) -> Result<Option<Lead>, StoreError> {
        let found = self.query(&sql::LEAD, rows::lead_key(lead)).await?;
        found.first().map(|row| rows::document(row, 0)).transpose()
    }

    async fn find_lead(
        &self,
        site: &SiteId,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Option<LeadId>, StoreError> {
        // No text column can hold it, so it is nobody's.
        if value.contains('\0') {
            return Ok(None);
        }
        let key = rows::identity_key(site, kind.as_str(), value);
        let found = self.query(&sql::IDENTITY, key).await?;
        found.first().map(|row| rows::column(row, 0).map(LeadId)).transpose()
    }

    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let before = after.map_or(Uuid::max(), |lead| lead.0);
        let key = rows::parameters![site.as_str().to_owned(), before, limit as i64];
        rows::documents(&self.query(&sql::LEADS, key).await?)
    }

    async fn conversions(&self, lead: LeadId) -> Result<Vec<Conversion>, StoreError> {
        rows::documents(&self.query(&sql::CONVERSIONS, rows::lead_key(lead)).await?)
    }

    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { record::record(&connections, &record).await }).await
    }

    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError> {
        rows::documents(&self.query(&sql::RECORDS, rows::lead_key(lead)).await?)
    }

    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError> {
        let connections = self.connections.clone();
        self.run(async move { record::keep_unmatched(&connections, &unmatched).await }).await
    }

    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError> {
        let after = after.map_or(Uuid::nil(), |after| after.0);
        let key = rows::parameters![site.as_str().to_owned(), after, limit as i64];
        rows::documents(&self.query(&sql::UNMATCHED, key).await?)
    }

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
        let settled = self.run(async move { delivery::change(&connections, id, settle).await });
        match settled.await? {
            true => Ok(()),
            false => Err(StoreError::Corrupt(format!("the delivery {} is gone", id.to_text()))),
        }
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

    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError> {
        // No text column can hold it, so nothing is under it.
        if name.contains('\0') {
            return Ok(None);
        }
        self.query(&sql::MEMO, rows::memo_key(kind, name))
            .await?
            .first()
            .map(memo::read)
            .transpose()
    }

    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError> {
        let key = rows::parameters![kind.as_str(), after.unwrap_or_default(), limit as i64];
        self.query(&sql::MEMOS, key).await?.iter().map(memo::read).collect()
    }

    async fn change_memo(&self, change: MemoChange) -> Result<bool, StoreError> {
        change.check()?;
        let connections = self.connections.clone();
        self.run(async move { memo::change(&connections, &change).await }).await
    }

    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError> {
        let before = rows::parameters![now_ms - limits::IDEMPOTENCY_MS];
        Ok(self.execute(&sql::FORGET_KEYS, before).await? as usize)
    }

    fn export(&self) -> Entities {
        let (sender, entities) = Entities::channel();
        if let Ok(runtime) = self.threads.runtime() {
            runtime.spawn(export::export(self.connections.clone(), sender));
        }
        entities
    }

    async fn holding(&self) -> Result<Holding, StoreError> {
        if let Some(state) = self.importing().await? {
            return Ok(Holding::Import(state));
        }
        for any in [
            &sql::ANY_VISITOR,
            &sql::ANY_LEAD,
            &sql::ANY_IDENTITY,
            &sql::ANY_USED_KEY,
            &sql::ANY_UNMATCHED,
            &sql::ANY_MEMO,
        ] {
            if !self.query(any, rows::Parameters::default()).await?.is_empty() {
                return Ok(Holding::Something);
            }
        }
        Ok(Holding::Nothing)
    }

    async fn import(&self, part: ImportPart) -> Result<(), StoreError> {
        let connections = self.connections.clone();
        self.run(async move { import::import(&connections, &part).await }).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let connections = self.connections.clone();
        self.run(async move { Ok(migrate::check(&connections).await?) }).await?;
        if self.importing().await?.is_some() {
            return Err(StoreError::Unavailable("an import into it has not ended".into()));
        }
        let bucket = i16::from(self.probe.fetch_add(1, Ordering::Relaxed));
        self.execute(&sql::PROBE, rows::parameters![bucket]).await.map(drop)
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
