//! A visitor's rows and record, and what its events change of them: the one definition of the verb
//! `ingest`, without any store.

use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use shared::context::VisitorContext;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{PageView, Totals};
use shared::visit::Journey;
use std::collections::BTreeMap;

/// One visitor's events of one batch, judged and labelled.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// Where.
    pub site: SiteId,
    /// Who.
    pub visitor: VisitorId,
    /// What the browser said of itself.
    pub context: VisitorContext,
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
    /// Page views kept, against `limits::VISITOR_ROWS`.
    pub views: u32,
    /// Actions kept, against the same limit.
    pub actions: u32,
    /// The latest context.
    pub context: VisitorContext,
    /// Visits and touches, derived.
    pub journey: Journey,
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
    /// The journey must be derived from all page views.
    stale: bool,
}

/// A row as it is to be written.
pub(super) struct ChangedRow {
    pub(super) row: Row,
    /// Whether nothing stands under its key yet.
    pub(super) is_new: bool,
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
        Self { before, record, rows: BTreeMap::new(), stale: false }
    }

    /// Takes events in order; `stored` finds a row as it is stored.
    pub(super) fn take(
        &mut self,
        events: Vec<Arrival>,
        context: VisitorContext,
        mut stored: impl FnMut(EventId) -> Result<Option<Row>, StoreError>,
    ) -> Result<Vec<Outcome>, StoreError> {
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

    /// Whether [`Self::derive`] must be called before the change is finished.
    pub(super) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Derives the journey anew from the page views as they are stored and this change's own.
    pub(super) fn derive(&mut self, stored: &[PageView]) {
        let unchanged = stored.iter().filter(|view| !self.rows.contains_key(&view.id));
        let changed = self.rows.values().filter_map(|changed| changed.row.view());
        self.record.journey = Journey::derive(unchanged.chain(changed));
        self.stale = false;
    }

    /// What is to be written.
    pub(super) fn finish(self) -> Changed {
        let Self { before, record, rows, .. } = self;
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
        match found {
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
        if is_full(self.record.actions) {
            return Ok(Outcome::Dropped(DropReason::VisitorFull));
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
            Some(changed) => Ok(Some(changed.row.clone())),
            None if self.before.is_none() => Ok(None),
            None => stored(id),
        }
    }

    fn put(&mut self, id: EventId, row: Row, is_new: bool) {
        let is_new = self.rows.get(&id).map_or(is_new, |changed| changed.is_new);
        self.rows.insert(id, ChangedRow { row, is_new });
    }
}

impl Row {
    /// The page view, where it is one.
    pub(super) fn view(&self) -> Option<&PageView> {
        match self {
            Self::View(view) => Some(view),
            Self::Stub(_) | Self::Action(_) => None,
        }
    }
}

/// The page views among rows.
pub(super) fn only_views(rows: impl IntoIterator<Item = Row>) -> Vec<PageView> {
    let view = |row| match row {
        Row::View(view) => Some(*view),
        Row::Stub(_) | Row::Action(_) => None,
    };
    rows.into_iter().filter_map(view).collect()
}

fn is_full(rows: u32) -> bool {
    rows as usize >= limits::VISITOR_ROWS
}
