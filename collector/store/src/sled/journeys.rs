//! The verbs of journeys on sled. Those that write read what is touched, and write what changes.

use super::read::{read, scan};
use super::transaction::Transaction;
use super::views::views;
use super::{SledStore, keys};
use crate::error::StoreError;
use crate::relabel::{self, Relabelled, Relabelling};
use crate::verbs::Journeys;
use crate::visitor::{Arrivals, Change, Changed, Row, Visitor, only_views};
use async_trait::async_trait;
use shared::ids::{SiteId, VisitorId};
use shared::outcome::Outcome;
use shared::page_view::PageView;

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

    async fn page_views(
        &self,
        site: &SiteId,
        visitor: VisitorId,
    ) -> Result<Vec<PageView>, StoreError> {
        Ok(only_views(scan(&self.tree()?, &keys::rows(site, visitor))?))
    }

    async fn relabel(&self, relabelling: Relabelling) -> Result<Relabelled, StoreError> {
        self.writer.write(move |transaction| relabel(transaction, &relabelling)).await
    }
}

fn ingest(
    transaction: &mut Transaction<'_>,
    arrivals: Arrivals,
) -> Result<Vec<Outcome>, StoreError> {
    let Arrivals { site, visitor, context, events } = arrivals;
    let key = keys::visitor(&site, visitor);
    let mut change = Change::of(transaction.get(&key)?);
    let row = |id| transaction.get(&keys::row(&site, visitor, id));
    let outcomes = change.take(events, context, row)?;
    if change.is_stale() {
        change.derive(&views(transaction, &site, visitor)?);
    }
    let Changed { rows, record, is_new } = change.finish();
    for (id, changed) in rows {
        let key = keys::row(&site, visitor, id);
        match changed.is_new {
            true => drop(transaction.put_new(key, &changed.row)?),
            false => transaction.put(&key, &changed.row)?,
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
    let key = keys::visitor(site, *visitor);
    let Some(record) = transaction.get(&key)? else { return Ok(Relabelled::default()) };
    let stored = views(transaction, site, *visitor)?;
    let relabel::Change { views, record, counted } = relabelling.apply(&record, stored);
    for view in views {
        let key = keys::row(site, *visitor, view.id);
        transaction.put(&key, &Row::View(Box::new(view)))?;
    }
    if let Some(record) = record {
        transaction.put(&key, &record)?;
    }
    Ok(counted)
}
