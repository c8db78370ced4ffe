//! A visitor's rows and record, and what its events change of them: the one definition of the verb
//! `ingest`, without any store.
//!
//! What an event costs is bounded by the event: it reads and writes its own row and its page view's.
//! Journeys are derived when they are read. A visitor has a bounded number of rows; where there are
//! more, the oldest are summed up in one step that reads all of them.

use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use shared::context::VisitorContext;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{PageView, Totals};
use shared::visit::{Past, Trail};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The row that holds what is summed up; no event has this id.
pub(super) const PAST: EventId = EventId(Uuid::nil());

/// One visitor's events of one batch, judged and labelled.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Where.
    pub site: SiteId,
    /// Who.
    pub visitor: VisitorId,
    /// What the browser said of itself.
    pub context: VisitorContext,
    /// When the batch was received, Unix milliseconds.
    pub received_at_ms: i64,
    /// What, in the order sent.
    pub events: Vec<Arrival>,
}

/// One event for the store.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A page was shown.
    View(Box<PageView>),
    /// A page's totals rise.
    Raise {
        /// The page view.
        page: EventId,
        /// To at least these.
        totals: Totals,
    },
    /// Something was done on a page: a row of its own.
    Act(Action),
}

/// A thing that a visitor did, beside viewing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// The event's id.
    pub id: EventId,
    /// The page view that it happened on.
    pub page: EventId,
    /// Corrected Unix milliseconds.
    pub at_ms: i64,
    /// What it was.
    pub kind: ActionKind,
}

/// What a visitor did.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ActionKind {
    /// Sent a form.
    FormSubmit {
        /// The form's id or name.
        form: String,
    },
    /// An event of the site's own.
    Custom {
        /// Its name.
        name: String,
        /// JSON text, or empty.
        props: String,
    },
    /// Named the person; the conversion holds whom.
    Identify,
}

/// What the store keeps of a visitor beside its rows.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// The lead it belongs to.
    pub lead: Option<LeadId>,
    /// The lead that its pages proposed, until that is confirmed.
    #[serde(default)]
    pub proposed: Option<LeadId>,
    /// Page views and stubs kept one by one, against `limits::VISITOR_ROWS`.
    pub views: u32,
    /// Actions kept, against the same limit.
    pub actions: u32,
    /// The latest context.
    pub context: VisitorContext,
    /// When it was first heard of, Unix milliseconds; 0 where that was not recorded yet.
    #[serde(default)]
    pub known_at_ms: i64,
    /// How far its rows are summed up.
    #[serde(default)]
    pub summed_up: Option<SummedUp>,
}

/// How far a visitor's rows are summed up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SummedUp {
    /// The position of the newest page view among them: whatever comes later and lies before it is
    /// refused.
    pub until: (i64, EventId),
    /// The newest id among them: whatever raises an older page view that has no row is refused.
    pub newest: EventId,
    /// Actions among them, which are counted alone.
    pub actions: u32,
}

/// What is kept of one event.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// A page view.
    View(Box<PageView>),
    /// Totals whose page view has not come yet.
    Stub(Totals),
    /// Anything else that was done.
    Action(Action),
    /// What the older page views came to; stands under [`PAST`].
    Past(Box<Past>),
}

impl Arrival {
    /// The rows that it may read or write.
    pub(super) fn rows(&self) -> impl Iterator<Item = EventId> {
        let (first, second) = match self {
            Self::View(view) => (view.id, None),
            Self::Raise { page, .. } => (*page, None),
            Self::Act(action) => (action.id, Some(action.page)),
        };
        std::iter::once(first).chain(second)
    }
}

/// A visitor being changed by its events.
pub(super) struct Change {
    before: Option<Visitor>,
    record: Visitor,
    rows: BTreeMap<EventId, ChangedRow>,
}

/// What becomes of a row.
pub(super) enum ChangedRow {
    /// It is written.
    Put {
        /// As what.
        row: Row,
        /// Whether nothing stands under its key yet.
        is_new: bool,
    },
    /// It is removed.
    Removed,
}

/// What is to be written.
pub(super) struct Changed {
    /// Rows by their event's id.
    pub(super) rows: BTreeMap<EventId, ChangedRow>,
    /// The record, where it changed.
    pub(super) record: Option<Visitor>,
    /// Whether there was no record before.
    pub(super) is_new: bool,
}

impl Change {
    /// Begins from the record as it is stored; without one there are no rows either.
    pub(super) fn of(before: Option<Visitor>) -> Self {
        let record = before.clone().unwrap_or_default();
        Self { before, record, rows: BTreeMap::new() }
    }

    /// Takes a batch's events in order; `stored` finds a row as it is stored.
    pub(super) fn take(
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

    /// Whether [`Self::sum_up`] must be called before the change is finished.
    pub(super) fn is_over_full(&self) -> bool {
        self.record.views.max(self.record.actions) as usize > limits::VISITOR_ROWS
    }

    /// Sums up the oldest rows, given all rows as they are stored.
    pub(super) fn sum_up(&mut self, stored: impl IntoIterator<Item = (EventId, Row)>) {
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

    /// What is to be written.
    pub(super) fn finish(self) -> Changed {
        let Self { before, record, rows } = self;
        let changed = !rows.is_empty() && before.as_ref() != Some(&record);
        Changed { rows, record: changed.then_some(record), is_new: before.is_none() }
    }

    fn view(
        &mut self,
        mut view: Box<PageView>,
        stored: &mut impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Outcome, StoreError> {
        let found = self.find(view.id, stored)?;
        let is_new = found.is_none();
        // A browser that was not known then may say of a day before, but not of a month.
        let known_ms = self.record.known_at_ms.saturating_sub(limits::EVENT_BACK_DATED_MS);
        view.at_ms = view.at_ms.max(known_ms);
        match found {
            Some(Row::View(_) | Row::Action(_) | Row::Past(_)) => return Ok(Outcome::Duplicate),
            Some(Row::Stub(totals)) => {
                view.totals.raise(totals);
            }
            None if self
                .record
                .summed_up
                .is_some_and(|past| view.position() <= past.until || view.id <= past.newest) =>
            {
                return Ok(Outcome::Dropped(DropReason::VisitorFull));
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

    /// An action is a row of its own, and a sign of life on its page.
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

impl Row {
    /// The page view, where it is one.
    pub(super) fn view(&self) -> Option<&PageView> {
        match self {
            Self::View(view) => Some(view),
            Self::Stub(_) | Self::Action(_) | Self::Past(_) => None,
        }
    }

    /// Where it stands among the visitor's rows; a stub where its page view's id says.
    fn position(&self, id: EventId) -> (i64, EventId) {
        match self {
            Self::View(view) => view.position(),
            Self::Action(action) => (action.at_ms, id),
            Self::Stub(_) | Self::Past(_) => (id.made_at_ms(), id),
        }
    }
}

/// The page views among rows, and what is summed up.
pub fn trail(rows: impl IntoIterator<Item = Row>) -> Trail {
    let mut trail = Trail::default();
    for row in rows {
        match row {
            Row::View(view) => trail.views.push(*view),
            Row::Past(past) => trail.past = Some(*past),
            Row::Stub(_) | Row::Action(_) => {}
        }
    }
    trail
}

/// How many of so many rows are summed up.
fn oldest(rows: usize) -> usize {
    match rows > limits::VISITOR_ROWS {
        true => rows - (limits::VISITOR_ROWS - limits::VISITOR_SUMMED_UP),
        false => 0,
    }
}

#[cfg(test)]
mod tests;
