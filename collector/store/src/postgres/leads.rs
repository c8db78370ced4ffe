//! The verbs of `Leads` on PostgreSQL.

use super::{
    PostgresStore, convert, dossier, membership, merging, record, rows, statements as sql,
};
use crate::conversion::{Converted, NewConversion};
use crate::dossier::Dossier;
use crate::error::StoreError;
use crate::merge::{MergeRefused, NewMerge};
use crate::record::{MOST_UNMATCHED, NewRecord, Record, RecordId, Recorded, Unmatched, surplus};
use crate::verbs::Leads;
use async_trait::async_trait;
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{IdentityKind, Lead, LeadStatus};
use uuid::Uuid;

/// How many unmatched records are read at a time.
const AT_ONCE: usize = 1_000;

impl PostgresStore {
    /// The leads in a list, newest first, starting after `after`.
    async fn list(
        &self,
        list: String,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let before = after.map_or(Uuid::max(), |lead| lead.0);
        let key = rows::parameters![list, before, limit as i64];
        rows::documents(&self.query(&sql::LEADS, key).await?)
    }
}

#[async_trait]
impl Leads for PostgresStore {
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

    async fn merge(&self, merge: NewMerge) -> Result<Result<Lead, MergeRefused>, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { merging::merge(&connections, &merge).await }).await
    }

    async fn undo_merge(
        &self,
        survivor: LeadId,
        merged: LeadId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError> {
        let connections = self.connections.clone();
        self.run(async move { merging::undo(&connections, survivor, merged, now_ms).await }).await
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
        // A text column cannot hold U+0000, so there is no such identity.
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
        self.list(rows::list(site, LeadStatus::Verified), after, limit).await
    }

    async fn proposed_leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        self.list(rows::list(site, LeadStatus::Proposed), after, limit).await
    }

    async fn leads_by_conversion(
        &self,
        site: &SiteId,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let (at_ms, lead) = after.map_or((i64::MAX, Uuid::max()), |(at_ms, lead)| (at_ms, lead.0));
        let list = rows::list(site, LeadStatus::Verified);
        let key = rows::parameters![list, at_ms, lead, limit as i64];
        rows::documents(&self.query(&sql::LEADS_BY_CONVERSION, key).await?)
    }

    async fn dossiers(&self, leads: &[LeadId]) -> Result<Vec<Dossier>, StoreError> {
        let (connections, leads) = (self.connections.clone(), leads.to_vec());
        self.run(async move { dossier::read(&connections, &leads).await }).await
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

    async fn forget_unmatched(&self) -> Result<usize, StoreError> {
        let most = rows::parameters![MOST_UNMATCHED as i64];
        let mut forgotten = 0;
        for row in self.query(&sql::FULL_OF_UNMATCHED, most).await? {
            let site = rows::site(&row, 0)?;
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = self.unmatched(&site, after, AT_ONCE).await?;
                all.extend(page.iter().map(|one| (one.record.recorded_at_ms(), one.id())));
                after = page.last().map(Unmatched::id);
                if after.is_none() {
                    break;
                }
            }
            for id in surplus(all) {
                let key = rows::unmatched_key(&site, id);
                forgotten += self.execute(&sql::FORGET_UNMATCHED, key).await? as usize;
            }
        }
        Ok(forgotten)
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
}
