//! The verb `ingest` on sled: rows, totals, and the journey derived from them.

use super::keys;
use super::transaction::Transaction;
use crate::store::{Action, Arrival, Arrivals, StoreError, Visitor};
use serde::{Deserialize, Serialize};
use shared::ids::{EventId, SiteId, VisitorId};
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{PageView, Totals};
use shared::visit::Journey;

/// What stands under an event's key.
#[derive(Serialize, Deserialize)]
pub(super) enum Row {
    /// A page view.
    View(Box<PageView>),
    /// Totals whose page view has not come yet.
    Stub(Totals),
    /// Anything else that was done.
    Action(Action),
}

/// A visitor being changed.
struct Change<'t, 'a> {
    transaction: &'t mut Transaction<'a>,
    site: SiteId,
    visitor: VisitorId,
    record: Visitor,
    /// The journey must be derived from all rows.
    stale: bool,
}

pub(super) fn ingest(
    transaction: &mut Transaction<'_>,
    arrivals: Arrivals,
) -> Result<Vec<Outcome>, StoreError> {
    let Arrivals { site, visitor, context, events } = arrivals;
    let key = keys::visitor(&site, visitor);
    let before: Option<Visitor> = transaction.get(&key)?;
    let record = before.clone().unwrap_or_default();
    let mut change = Change { transaction, site, visitor, record, stale: false };
    let outcomes = events
        .into_iter()
        .map(|event| match event {
            Arrival::View(view) => change.view(view),
            Arrival::Raise { page, totals } => change.raise(page, totals),
            Arrival::Act(action) => change.act(action),
        })
        .collect::<Result<Vec<_>, _>>()?;

    if outcomes.contains(&Outcome::Stored) {
        if change.stale {
            let views = views(change.transaction, &change.site, visitor)?;
            change.record.journey = Journey::derive(&views);
        }
        change.record.context = context;
        match before {
            None => drop(change.transaction.put_new(key, &change.record)?),
            Some(before) if before != change.record => {
                change.transaction.put(&key, &change.record)?
            }
            Some(_) => {}
        }
    }
    Ok(outcomes)
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

/// The page views among rows.
pub(super) fn only_views(rows: impl IntoIterator<Item = Row>) -> Vec<PageView> {
    let view = |row| match row {
        Row::View(view) => Some(*view),
        Row::Stub(_) | Row::Action(_) => None,
    };
    rows.into_iter().filter_map(view).collect()
}

impl Change<'_, '_> {
    fn view(&mut self, mut view: Box<PageView>) -> Result<Outcome, StoreError> {
        let key = keys::row(&self.site, self.visitor, view.id);
        match self.transaction.get(&key)? {
            Some(Row::View(_) | Row::Action(_)) => return Ok(Outcome::Duplicate),
            Some(Row::Stub(totals)) => {
                view.totals.raise(totals);
            }
            None if is_full(self.record.views) => {
                return Ok(Outcome::Dropped(DropReason::VisitorFull));
            }
            None => self.record.views += 1,
        }
        self.stale = self.stale || !self.record.journey.append(&view);
        // Nothing stood there, or a stub, which is never chunked.
        self.transaction.put_new(key, &Row::View(view))?;
        Ok(Outcome::Stored)
    }

    fn raise(&mut self, page: EventId, totals: Totals) -> Result<Outcome, StoreError> {
        let key = keys::row(&self.site, self.visitor, page);
        let row = match self.transaction.get(&key)? {
            Some(Row::View(mut view)) => {
                let before = (*view).clone();
                if !view.totals.raise(totals) {
                    return Ok(Outcome::Duplicate);
                }
                self.stale = self.stale || !self.record.journey.raise(&before, &view);
                Row::View(view)
            }
            Some(Row::Stub(mut stub)) => {
                if !stub.raise(totals) {
                    return Ok(Outcome::Duplicate);
                }
                Row::Stub(stub)
            }
            Some(Row::Action(_)) => return Ok(Outcome::Dropped(DropReason::InvalidEvent)),
            None if is_full(self.record.views) => {
                return Ok(Outcome::Dropped(DropReason::VisitorFull));
            }
            None => {
                self.record.views += 1;
                Row::Stub(totals)
            }
        };
        self.transaction.put(&key, &row)?;
        Ok(Outcome::Stored)
    }

    /// An action is a row of its own, and a sign of life on its page.
    fn act(&mut self, action: Action) -> Result<Outcome, StoreError> {
        let key = keys::row(&self.site, self.visitor, action.id);
        if self.transaction.contains(&key)? {
            return Ok(Outcome::Duplicate);
        }
        if is_full(self.record.actions) {
            return Ok(Outcome::Dropped(DropReason::VisitorFull));
        }
        self.record.actions += 1;
        let alive = Totals { active_at_ms: action.at_ms, ..Totals::default() };
        let page = action.page;
        self.transaction.put_new(key, &Row::Action(action))?;
        self.raise(page, alive)?;
        Ok(Outcome::Stored)
    }
}

fn is_full(rows: u32) -> bool {
    rows as usize >= limits::VISITOR_ROWS
}
