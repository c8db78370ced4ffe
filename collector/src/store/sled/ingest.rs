//! The verbs `ingest` and `relabel` on sled: they read what is touched, and write what changes.

use super::keys;
use super::transaction::Transaction;
use crate::store::StoreError;
use crate::store::relabel::{self, Relabelled, Relabelling};
use crate::store::visitor::{Arrivals, Change, Changed, Row, only_views};
use shared::ids::{SiteId, VisitorId};
use shared::outcome::Outcome;
use shared::page_view::PageView;

pub(super) fn ingest(
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

pub(super) fn relabel(
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

/// A visitor's page views, in the order of their ids.
pub(super) fn views(
    transaction: &Transaction<'_>,
    site: &SiteId,
    visitor: VisitorId,
) -> Result<Vec<PageView>, StoreError> {
    let rows: Vec<Row> = transaction.scan(&keys::rows(site, visitor))?;
    Ok(only_views(rows))
}
