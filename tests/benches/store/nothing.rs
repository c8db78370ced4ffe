//! A store that keeps nothing, which shows the cost of the server and its pipeline alone.

use async_trait::async_trait;
use clew_store::{
    Arrivals, Claim, Contents, Converted, Deliveries, Delivery, DeliveryFilter, DeliveryId,
    Dossier, Entities, Erased, Erasure, ImportPart, Journeys, Latest, Leads, Maintenance, Memo,
    MemoChange, MemoKind, Memos, MergeRefused, NewConversion, NewMerge, NewRecord, Readiness,
    Record, RecordId, Recorded, Relabelled, Relabelling, Settlement, StoreError, Transfer,
    Unmatched, Visitor,
};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{IdentityKind, Lead};
use shared::outcome::Outcome;
use shared::visit::Trail;

/// Accepts everything, and knows nothing.
pub(crate) struct NullStore;

#[async_trait]
impl Journeys for NullStore {
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        Ok(arrivals.events.iter().map(|_| Outcome::Stored).collect())
    }

    async fn visitor(&self, _: &SiteId, _: VisitorId) -> Result<Option<Visitor>, StoreError> {
        Ok(None)
    }

    async fn trail(&self, _: &SiteId, _: VisitorId) -> Result<Trail, StoreError> {
        Ok(Trail::default())
    }

    async fn relabel(&self, _: Relabelling) -> Result<Relabelled, StoreError> {
        Ok(Relabelled::default())
    }

    async fn erase_visitor(&self, _: Erasure) -> Result<Erased, StoreError> {
        Ok(Erased::default())
    }
}

#[async_trait]
impl Leads for NullStore {
    async fn convert(&self, _: NewConversion) -> Result<Converted, StoreError> {
        Ok(Converted::KeyReused)
    }

    async fn undo_join(&self, _: LeadId, _: VisitorId, _: i64) -> Result<Option<Lead>, StoreError> {
        Ok(None)
    }

    async fn merge(&self, _: NewMerge) -> Result<Result<Lead, MergeRefused>, StoreError> {
        Ok(Err(MergeRefused::NotVerified))
    }

    async fn undo_merge(&self, _: LeadId, _: LeadId, _: i64) -> Result<Option<Lead>, StoreError> {
        Ok(None)
    }

    async fn lead(&self, _: LeadId) -> Result<Option<Lead>, StoreError> {
        Ok(None)
    }

    async fn find_lead(
        &self,
        _: &SiteId,
        _: IdentityKind,
        _: &str,
    ) -> Result<Option<LeadId>, StoreError> {
        Ok(None)
    }

    async fn leads(
        &self,
        _: &SiteId,
        _: Option<LeadId>,
        _: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        Ok(Vec::new())
    }

    async fn proposed_leads(
        &self,
        _: &SiteId,
        _: Option<LeadId>,
        _: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        Ok(Vec::new())
    }

    async fn leads_by_conversion(
        &self,
        _: &SiteId,
        _: Option<(i64, LeadId)>,
        _: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        Ok(Vec::new())
    }

    async fn dossiers(&self, _: &[LeadId]) -> Result<Vec<Dossier>, StoreError> {
        Ok(Vec::new())
    }

    async fn record(&self, _: NewRecord) -> Result<Recorded, StoreError> {
        Ok(Recorded::NoLead)
    }

    async fn records(&self, _: LeadId) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget_unmatched(&self) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn keep_unmatched(&self, _: Unmatched) -> Result<(), StoreError> {
        Ok(())
    }

    async fn unmatched(
        &self,
        _: &SiteId,
        _: Option<RecordId>,
        _: usize,
    ) -> Result<Vec<Unmatched>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Deliveries for NullStore {
    async fn claim_deliveries(&self, _: Claim) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }

    async fn freeze_delivery(&self, _: DeliveryId, body: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        Ok(body)
    }

    async fn delivery_body(&self, _: DeliveryId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    async fn recall_deliveries(&self, _: i64, _: Latest) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn settle_delivery(
        &self,
        _: DeliveryId,
        _: u32,
        _: Settlement,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn replay_delivery(&self, _: DeliveryId, _: i64) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn delivery(&self, _: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        Ok(None)
    }

    async fn deliveries(&self, _: DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Memos for NullStore {
    async fn memo(&self, _: MemoKind, _: &str) -> Result<Option<Memo>, StoreError> {
        Ok(None)
    }

    async fn memos(
        &self,
        _: MemoKind,
        _: Option<String>,
        _: usize,
    ) -> Result<Vec<Memo>, StoreError> {
        Ok(Vec::new())
    }

    async fn change_memo(&self, _: MemoChange) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[async_trait]
impl Transfer for NullStore {
    fn export(&self) -> Entities {
        Entities::none()
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        Ok(Contents::Nothing)
    }

    async fn import(&self, _: ImportPart) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Maintenance for NullStore {
    async fn expire(&self, _: i64) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn ready(&self) -> Result<Readiness, StoreError> {
        Ok(Readiness::Everything)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn queued(&self) -> usize {
        0
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
