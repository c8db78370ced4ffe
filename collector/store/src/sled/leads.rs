//! The verbs of `Leads` on sled.

use super::read::{page, read, scan};
use super::rows::{lists, put_unmatched};
use super::transaction::{Transaction, corrupt, failed};
use super::{SledStore, convert, dossier, keys, merging, record, unmatched};
use crate::conversion::{Converted, NewConversion};
use crate::dossier::Dossier;
use crate::error::StoreError;
use crate::merge::{MergeRefused, NewMerge};
use crate::record::{NewRecord, Record, RecordId, Recorded, Unmatched};
use crate::verbs::Leads;
use async_trait::async_trait;
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{IdentityKind, Lead};

/// The most unmatched records that are deleted in one commit.
const AT_ONCE: usize = 1_000;

impl SledStore {
    /// The leads in a list, in reverse order, starting before a key. A lead whose place in the list
    /// has changed is left out here: it is listed at its new place.
    fn last_first(
        &self,
        list: Vec<u8>,
        before: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        // After every key of the list: no site name, time or id continues with this byte.
        let end = before.unwrap_or_else(|| [list.as_slice(), &[u8::MAX; 25]].concat());
        let tree = self.tree()?;
        let keys = tree.range(list..end).keys().rev();
        let leads = keys.map(|key| {
            let key = key.map_err(failed)?;
            let lead = keys::lead_of(&key).ok_or_else(|| corrupt(&key, "it names no lead"))?;
            // A proposed lead may have been erased since its list entry was read.
            let lead: Option<Lead> = read(&tree, &keys::lead(lead))?;
            Ok(lead.filter(|lead| lists(lead).iter().any(|place| *place == *key)))
        });
        leads.filter_map(Result::transpose).take(limit).collect()
    }
}

#[async_trait]
impl Leads for SledStore {
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

    async fn merge(&self, merge: NewMerge) -> Result<Result<Lead, MergeRefused>, StoreError> {
        self.writer.write(move |transaction| merging::merge(transaction, merge)).await
    }

    async fn undo_merge(
        &self,
        survivor: LeadId,
        merged: LeadId,
        now_ms: i64,
    ) -> Result<Option<Lead>, StoreError> {
        let undo = move |transaction: &mut Transaction<'_>| {
            merging::undo(transaction, survivor, merged, now_ms)
        };
        self.writer.write(undo).await
    }

    async fn lead(&self, lead: LeadId) -> Result<Option<Lead>, StoreError> {
        read(&self.tree()?, &keys::lead(lead))
    }

    async fn find_lead(
        &self,
        site: &SiteId,
        kind: IdentityKind,
        value: &str,
    ) -> Result<Option<LeadId>, StoreError> {
        read(&self.tree()?, &keys::identity(site, kind, value))
    }

    async fn leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let before = after.map(|lead| keys::site_lead(site, lead));
        self.last_first(keys::site_leads(site), before, limit)
    }

    async fn proposed_leads(
        &self,
        site: &SiteId,
        after: Option<LeadId>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let before = after.map(|lead| keys::proposed_lead(site, lead));
        self.last_first(keys::proposed(site), before, limit)
    }

    async fn leads_by_conversion(
        &self,
        site: &SiteId,
        after: Option<(i64, LeadId)>,
        limit: usize,
    ) -> Result<Vec<Lead>, StoreError> {
        let before = after.map(|(at_ms, lead)| keys::converted_lead(site, at_ms, lead));
        self.last_first(keys::converted(site), before, limit)
    }

    async fn dossiers(&self, leads: &[LeadId]) -> Result<Vec<Dossier>, StoreError> {
        let tree = self.tree()?;
        let read = |lead: &LeadId| dossier::read(&tree, &self.snapshots, *lead);
        leads.iter().filter_map(|lead| read(lead).transpose()).collect()
    }

    async fn record(&self, record: NewRecord) -> Result<Recorded, StoreError> {
        self.writer.write(move |transaction| record::record(transaction, &record)).await
    }

    async fn records(&self, lead: LeadId) -> Result<Vec<Record>, StoreError> {
        scan(&self.tree()?, &keys::records(lead))
    }

    async fn keep_unmatched(&self, unmatched: Unmatched) -> Result<(), StoreError> {
        self.writer.write(move |transaction| put_unmatched(transaction, &unmatched)).await
    }

    async fn forget_unmatched(&self) -> Result<usize, StoreError> {
        let surplus = unmatched::surplus(&self.tree()?)?;
        for some in surplus.chunks(AT_ONCE) {
            let some = some.to_owned();
            self.writer.write(move |transaction| unmatched::forget(transaction, some)).await?;
        }
        Ok(surplus.len())
    }

    async fn unmatched(
        &self,
        site: &SiteId,
        after: Option<RecordId>,
        limit: usize,
    ) -> Result<Vec<Unmatched>, StoreError> {
        let after = after.map(|after| keys::unmatched(site, after));
        page(&self.tree()?, &keys::unmatched_of(site), after.as_deref(), limit)
    }
}
