//! How a batch's events change a visitor's rows and record.

use super::{Action, Arrival, Arrivals, PAST, Row, SummedUp, Visitor};
use crate::error::StoreError;
use shared::ids::EventId;
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{PageView, Totals};
use std::collections::BTreeMap;

/// A visitor while its events are applied.
pub(crate) struct VisitorUpdate {
    before: Option<Visitor>,
    record: Visitor,
    rows: BTreeMap<EventId, ChangedRow>,
}

/// What happens to a row.
pub(crate) enum ChangedRow {
    /// The row is written.
    Put {
        /// The new content.
        row: Row,
        /// Whether no row with this key is stored yet.
        is_new: bool,
    },
    /// The row is removed.
    Removed,
}

/// The changes to write.
pub(crate) struct VisitorChanges {
    /// Rows by their event's id.
    pub(crate) rows: BTreeMap<EventId, ChangedRow>,
    /// The record, if it changed.
    pub(crate) record: Option<Visitor>,
    /// Whether there was no record before.
    pub(crate) is_new: bool,
}

impl VisitorUpdate {
    /// Starts from the stored record. A visitor without a record has no rows either.
    pub(crate) fn of(before: Option<Visitor>) -> Self {
        let record = before.clone().unwrap_or_default();
        Self { before, record, rows: BTreeMap::new() }
    }

    /// Applies a batch's events in order. `stored` looks up a stored row.
    pub(crate) fn take(
        &mut self,
        arrivals: Arrivals,
        mut stored: impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let Arrivals { context, events, received_at_ms, .. } = arrivals;
        if self.before.is_none() && self.record.known_at_ms == 0 {
            self.record.known_at_ms = received_at_ms;
        }
        let mut outcomes = Vec::with_capacity(events.len());
        for event in events {
            outcomes.push(match event {
                Arrival::View(view) => self.view(view, &mut stored)?,
                Arrival::Raise { page, totals } => self.raise(page, totals, &mut stored)?,
                Arrival::Act(action) => self.act(action, &mut stored)?,
            });
        }
        if outcomes.contains(&Outcome::Stored) {
            self.record.context.renew(context);
        }
        Ok(outcomes)
    }

    /// Whether [`Self::sum_up`] must be called before [`Self::finish`].
    pub(crate) fn is_over_full(&self) -> bool {
        self.record.views.max(self.record.actions) as usize > limits::VISITOR_ROWS
    }

    /// Sums up the oldest rows, given all stored rows.
    pub(crate) fn sum_up(&mut self, stored: impl IntoIterator<Item = (EventId, Row)>) {
        let mut rows: BTreeMap<EventId, Row> = stored.into_iter().collect();
        for (id, changed) in &self.rows {
            if let ChangedRow::Put { row, .. } = changed {
                rows.insert(*id, row.clone());
            }
        }
        let mut past = match rows.remove(&PAST) {
            Some(Row::Past(past)) => past,
            _ => Box::default(),
        };
        let SummedUp { mut until, mut newest, mut actions } = self
            .record
            .summed_up
            .unwrap_or(SummedUp { until: (i64::MIN, PAST), newest: PAST, actions: 0 });
        let (mut pages, mut acts): (Vec<_>, Vec<_>) =
            rows.iter().partition(|(_, row)| !matches!(row, Row::Action(_)));
        pages.sort_by_key(|(id, row)| row.position(**id));
        acts.sort_by_key(|(id, row)| row.position(**id));
        pages.truncate(oldest(pages.len()));
        acts.truncate(oldest(acts.len()));
        past.take(pages.iter().filter_map(|(_, row)| row.view()));
        past.sum_up(limits::PAST_TOUCHES);
        for (id, row) in &pages {
            until = until.max(row.position(**id));
            newest = newest.max(**id);
        }
        actions += acts.len() as u32;
        self.record.views -= pages.len() as u32;
        self.record.actions -= acts.len() as u32;
        let summed_up: Vec<EventId> = pages.iter().chain(&acts).map(|(id, _)| **id).collect();
        for id in summed_up {
            self.rows.insert(id, ChangedRow::Removed);
        }
        let is_new = self.record.summed_up.is_none();
        self.record.summed_up = Some(SummedUp { until, newest, actions });
        self.put(PAST, Row::Past(past), is_new);
    }

    /// The changes to write.
    pub(crate) fn finish(self) -> VisitorChanges {
        let Self { before, record, rows } = self;
        let changed = !rows.is_empty() && before.as_ref() != Some(&record);
        VisitorChanges { rows, record: changed.then_some(record), is_new: before.is_none() }
    }

    fn view(
        &mut self,
        mut view: Box<PageView>,
        stored: &mut impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Outcome, StoreError> {
        let found = self.find(view.id, stored)?;
        let is_new = found.is_none();
        // Page views are dated at most a day before the visitor was first seen.
        let known_ms = self.record.known_at_ms.saturating_sub(limits::EVENT_BACK_DATED_MS);
        view.at_ms = view.at_ms.max(known_ms);
        let is_past = self
            .record
            .summed_up
            .is_some_and(|past| view.position() <= past.until || is_new && view.id <= past.newest);
        match found {
            Some(Row::View(_) | Row::Action(_) | Row::Past(_)) => return Ok(Outcome::Duplicate),
            _ if is_past => return Ok(Outcome::Dropped(DropReason::VisitorFull)),
            Some(Row::Stub(totals)) => {
                view.totals.raise(totals);
            }
            None => self.record.views += 1,
        }
        self.put(view.id, Row::View(view), is_new);
        Ok(Outcome::Stored)
    }

    fn raise(
        &mut self,
        page: EventId,
        totals: Totals,
        stored: &mut impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Outcome, StoreError> {
        let found = self.find(page, stored)?;
        let is_new = found.is_none();
        let row = match found {
            Some(Row::View(mut view)) => {
                if !view.totals.raise(totals) {
                    return Ok(Outcome::Duplicate);
                }
                Row::View(view)
            }
            Some(Row::Stub(mut stub)) => {
                if !stub.raise(totals) {
                    return Ok(Outcome::Duplicate);
                }
                Row::Stub(stub)
            }
            Some(Row::Action(_) | Row::Past(_)) => {
                return Ok(Outcome::Dropped(DropReason::InvalidEvent));
            }
            None if self.record.summed_up.is_some_and(|past| page <= past.newest) => {
                return Ok(Outcome::Dropped(DropReason::VisitorFull));
            }
            None => {
                self.record.views += 1;
                Row::Stub(totals)
            }
        };
        self.put(page, row, is_new);
        Ok(Outcome::Stored)
    }

    /// An action is a row of its own, and also shows that its page is still active.
    fn act(
        &mut self,
        action: Action,
        stored: &mut impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Outcome, StoreError> {
        if self.find(action.id, stored)?.is_some() {
            return Ok(Outcome::Duplicate);
        }
        self.record.actions += 1;
        let alive = Totals { active_at_ms: action.at_ms, ..Totals::default() };
        let page = action.page;
        self.put(action.id, Row::Action(action), true);
        self.raise(page, alive, stored)?;
        Ok(Outcome::Stored)
    }

    fn find(
        &self,
        id: EventId,
        stored: &mut impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Option<Row>, StoreError> {
        match self.rows.get(&id) {
            Some(ChangedRow::Put { row, .. }) => Ok(Some(row.clone())),
            Some(ChangedRow::Removed) => Ok(None),
            None if self.before.is_none() => Ok(None),
            None => stored(id),
        }
    }

    fn put(&mut self, id: EventId, row: Row, is_new: bool) {
        let is_new = match self.rows.get(&id) {
            Some(ChangedRow::Put { is_new, .. }) => *is_new,
            _ => is_new,
        };
        self.rows.insert(id, ChangedRow::Put { row, is_new });
    }
}

/// How many of this many rows are to be summed up.
fn oldest(rows: usize) -> usize {
    match rows > limits::VISITOR_ROWS {
        true => rows - (limits::VISITOR_ROWS - limits::VISITOR_SUMMED_UP),
        false => 0,
    }
}

#[cfg(test)]
mod tests;
