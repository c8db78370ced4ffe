//! The verbs of `Journeys` on sled. Writing verbs read only the rows that they touch and write only
//! those that change.

use super::read::{read, scan};
use super::trails::{self, rows};
use super::transaction::Transaction;
use super::{SledStore, erase, keys};
use crate::erase::{Erased, Erasure};
use crate::error::StoreError;
use crate::relabel::{self, Relabelled, Relabelling};
use crate::verbs::Journeys;
use crate::visitor::{Arrivals, ChangedRow, Row, Visitor, VisitorChanges, VisitorUpdate, trail};
use async_trait::async_trait;
use shared::ids::{SiteId, VisitorId};
use shared::outcome::Outcome;
use shared::visit::Trail;

#[async_trait]
impl Journeys for SledStore {
    async fn ingest(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        self.writer.write_page_views(move |transaction| ingest(transaction, arrivals)).await
    }

    async fn visitor(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Option<Visitor>, StoreError> {
        read(&self.tree()?, &keys::visitor(site, visitor))
    }

    async fn trail(&self, site: &SiteId, visitor: VisitorId) -> Result<Trail, StoreError> {
        Ok(trail(scan(&self.tree()?, &keys::rows(site, visitor))?))
    }

    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError> {
        self.writer.write(move |transaction| relabel(transaction, &relabelling)).await
    }

    async fn erase_visitor(&self, erasure: Erasure) -> Result<Erased, StoreError> {
        self.writer.write(move |transaction| erase::erase(transaction, &erasure)).await
    }
}

fn ingest(
    transaction: &mut Transaction<'_>,
    arrivals: Arrivals,
) -> Result<Vec<Outcome>, StoreError> {
    let (site, visitor) = (arrivals.site.clone(), arrivals.visitor);
    let key = keys::visitor(&site, visitor);
    let mut change = VisitorUpdate::of(transaction.get(&key)?);
    let row = |id| transaction.get(&keys::row(&site, visitor, id));
    let outcomes = change.take(arrivals, row)?;
    if change.is_over_full() {
        change.sum_up(rows(transaction, &site, visitor)?);
    }
    let VisitorChanges { rows, record, is_new } = change.finish();
    for (id, changed) in rows {
        let key = keys::row(&site, visitor, id);
        match changed {
            ChangedRow::Put { row, is_new: true } => drop(transaction.put_new(key, &row)?),
            ChangedRow::Put { row, is_new: false } => transaction.put(&key, &row)?,
            ChangedRow::Removed => transaction.remove_value(key)?,
        }
    }
    match record {
        Some(record) if is_new => drop(transaction.put_new(key, &record)?),
        Some(record) => transaction.put(&key, &record)?,
        None => {}
    }
    Ok(outcomes)
}

fn relabel(
    transaction: &mut Transaction<'_>,
    relabelling: &Relabelling,
) -> Result<Relabelled, StoreError> {
    let Relabelling { site, visitor, .. } = relabelling;
    let relabel::RelabelChanges { views, counted, .. } =
        relabelling.apply(trails::trail(transaction, site, *visitor)?);
    for view in views {
        let key = keys::row(site, *visitor, view.id);
        transaction.put(&key, &Row::View(Box::new(view)))?;
    }
    Ok(counted)
}
