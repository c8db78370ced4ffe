//! The embedded store: sled 0.34 behind one writer thread.
//!
//! Writes go through `writer`, reads straight to sled. One key space (`keys`), so that one batch
//! holds everything that belongs together.

mod folder;
mod keys;
mod transaction;
mod writer;
mod ingest;
mod convert;
mod delivery;
mod record;
mod memo;
mod snapshot;
mod transfer;

use crate::store::visitor::only_views;
use crate::store::{
    Arrivals, Claim, Converted, Delivery, DeliveryFilter, DeliveryId, Entities, Holding,
    ImportPart, Memo, MemoChange, MemoKind, NewConversion, NewRecord, Record, RecordId, Recorded,
    Relabelled, Relabelling, Settlement, Store, StoreError, Unmatched, Visitor,
};
use async_trait::async_trait;
use folder::Folder;
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead};
use shared::limits;
use shared::outcome::Outcome;
use shared::page_view::PageView;
use snapshot::Snapshots;
use std::fs::File;
use std::path::Path;
use transaction::{Transaction, failed, read, read_value};
use writer::Writer;

/// A store in a folder of this machine.
pub struct SledStore {
    db: sled::Db,
    writer: Writer,
    snapshots: Snapshots,
    /// Let go last: whoever gets it finds the engine's own lock free.
    _lock: File,
}

/// How the folder is opened.
#[derive(Clone, Copy, Debug)]
pub struct SledOptions {
    /// Bytes of cache.
    pub cache_bytes: u64,
    /// Verbs that may wait; more are answered with [`StoreError::Busy`].
    pub queue: usize,
}

impl SledStore {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`StoreError::InUse`] or [`StoreError::Damaged`]; the folder is left as it was found.
    pub fn open(path: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let Folder { db, durability, lock } = folder::open(path, options.cache_bytes)?;
        let snapshots = Snapshots::default();
        let writer = Writer::start(db.clone(), durability, snapshots.clone(), options.queue)
            .map_err(|error| StoreError::Closed(error.to_string()))?;
        Ok(Self { db, writer, snapshots, _lock: lock })
    }

    fn scan<T: serde::de::DeserializeOwned>(&self, prefix: &[u8]) -> Result<Vec<T>, StoreError> {
        let values = self.db.scan_prefix(prefix).map(|entry| {
            let (key, value) = entry.map_err(failed)?;
            read_value(&self.db, &key, value)
        });
        values.filter_map(Result::transpose).collect()
    }

    /// Some values under a prefix, behind a key.
    fn some<T: serde::de::DeserializeOwned>(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        // The first key behind it.
        let start =
            after.map_or_else(|| prefix.to_vec(), |after| [after.as_slice(), &[0]].concat());
        let under = self
            .db
            .range(start..)
            .take_while(|entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)));
        let values = under.take(limit).map(|entry| {
            let (key, value) = entry.map_err(failed)?;
            read_value(&self.db, &key, value)
        });
        values.filter_map(Result::transpose).collect()
    }
}

#[async_trait]
impl Store for SledStore {
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        self.writer.write_if_room(move |transaction| ingest::ingest(transaction, arrivals)).await
    }

    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError> {
        read(&self.db, &keys::visitor(site, visitor))
    }

    async fn page_views(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Vec<PageView>, StoreError> {
        Ok(only_views(self.scan(&keys::rows(site, visitor))?))
    }

    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError> {
        self.writer.write(move |transaction| ingest::relabel(transaction, &relabelling)).await
    }

    async fn convert(&self, conversion: NewConversion) -> Result<Converted, StoreError> {
        self.writer.write(move |transaction| convert::convert(transaction, conversion)).await
    }

    async fn undo_join(
        &self,
        lead: LeadId,
        visitor: VisitorId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError> {
        let undo = move |transaction: &mut Transaction<'_>| {
            convert::undo_join(transaction, lead, visitor, now_ms)
        };
        self.writer.write(undo).await
    }

    async fn lead(&self, lead: LeadId) -> Result<Option<Lead>, StoreError> {
        read(&self.db, &keys::lead(lead))
    }

    async fn find_lead(
        &self,
        site: &SiteId,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Option<LeadId>, StoreError> {
        read(&self.db, &keys::identity(site, kind, value))
    }

    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let start = keys::site_leads(site);
        let end = match after {
            Some(lead) => keys::site_lead(site, lead),
            None => [start.as_slice(), &[u8::MAX; 17]].concat(),
        };
        let newest_first = self.db.range(start.clone()..end).keys().rev().take(limit);
        let leads = newest_first.map(|key| {
            let key = key.map_err(failed)?;
            let lead_key = [b"l", &key[start.len()..]].concat();
            let missing = || StoreError::Corrupt("a lead is listed and missing".into());
            read(&self.db, &lead_key)?.ok_or_else(missing)
        });
        leads.collect()
    }

    async fn conversions(&self, lead: LeadId) -> Result<Vec<Conversion>, StoreError> {
        self.scan(&keys::conversions(lead))
    }

    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError> {
        self.writer.write(move |transaction| record::record(transaction, &record)).await
    }

    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError> {
        self.scan(&keys::records(lead))
    }

    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError> {
        self.writer.write(move |transaction| record::put_unmatched(transaction, &unmatched)).await
    }

    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError> {
        let after = after.map(|after| keys::unmatched(site, after));
        self.some(&keys::unmatched_of(site), after, limit)
    }

    async fn claim_deliveries(&self, claim: Claim) -> Result<Vec<Delivery>, StoreError> {
        // Most times nothing is due: then no commit is needed to know it.
        let queue = keys::queue(&claim.destination);
        let due = queue.as_slice()..&keys::due_end(&claim.destination, claim.now_ms);
        if self.db.range(due).next().is_none() {
            return Ok(Vec::new());
        }
        loop {
            let claim = claim.clone();
            let claimed =
                self.writer.write(move |transaction| delivery::claim(transaction, &claim)).await?;
            if let Some(claimed) = claimed {
                return Ok(claimed);
            }
        }
    }

    async fn freeze_delivery(&self, id: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.writer.write(move |transaction| delivery::freeze(transaction, id, body)).await
    }

    async fn delivery_body(&self, id: DeliveryId) -> Result<Option<Vec<u8>>, StoreError> {
        read(&self.db, &keys::body(id))
    }

    async fn settle_delivery(
        &self,
        id: DeliveryId,
        claim: u32,
        settlement: Settlement,
    ) -> Result<(), StoreError> {
        self.writer
            .write(move |transaction| delivery::settle(transaction, id, claim, settlement))
            .await
    }

    async fn replay_delivery(&self, id: DeliveryId, now_ms: i64) -> Result<bool, StoreError> {
        self.writer.write(move |transaction| delivery::replay(transaction, id, now_ms)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        read(&self.db, &keys::delivery(id))
    }

    async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let prefix = filter.lead.map_or_else(|| keys::DELIVERIES.to_vec(), keys::lead_deliveries);
        let start = match filter.after {
            // The first key behind it.
            Some(after) => [keys::delivery(after).as_slice(), &[0]].concat(),
            None => prefix.clone(),
        };
        let wanted = |delivery: &Delivery| {
            delivery.site == filter.site && filter.state.is_none_or(|state| delivery.state == state)
        };
        let mut found = Vec::new();
        for entry in self.db.range(start..) {
            let (key, value) = entry.map_err(failed)?;
            if !key.starts_with(&prefix) || found.len() == filter.limit {
                break;
            }
            let delivery: Option<Delivery> = read_value(&self.db, &key, value)?;
            found.extend(delivery.filter(wanted));
        }
        Ok(found)
    }

    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError> {
        read(&self.db, &keys::memo(kind, name))
    }

    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError> {
        let after = after.map(|after| keys::memo(kind, &after));
        self.some(&keys::memos(kind), after, limit)
    }

    async fn change_memo(&self, change: MemoChange) -> Result<bool, StoreError> {
        change.check()?;
        self.writer.write(move |transaction| memo::change(transaction, change)).await
    }

    async fn expire(&self, now_ms: i64) -> Result<usize, StoreError> {
        const AT_ONCE: usize = 1_000;
        let end = keys::aged_end(now_ms - limits::IDEMPOTENCY_MS);
        if self.db.range(keys::AGED..end.as_slice()).next().is_none() {
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

    fn export(&self) -> Entities {
        let (sender, entities) = Entities::channel();
        let begun = self.snapshots.begin(&self.db).and_then(|snapshot| {
            let sender = sender.clone();
            let thread = std::thread::Builder::new().name("store-export".into());
            let export = move || transfer::export(snapshot, &sender);
            thread.spawn(export).map(drop).map_err(|error| StoreError::Closed(error.to_string()))
        });
        if let Err(error) = begun {
            // There is room in a channel that is new.
            let _ = sender.try_send(Err(error));
        }
        entities
    }

    async fn holding(&self) -> Result<Holding, StoreError> {
        transfer::holding(&self.db)
    }

    async fn import(&self, part: ImportPart) -> Result<(), StoreError> {
        self.writer.write(move |transaction| transfer::import(transaction, part)).await
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.writer.write(|_| Ok(())).await
    }

    fn queued(&self) -> usize {
        self.writer.queued()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.writer.stop()
    }
}
