//! A visitor's rows and record, and how its events change them. This is the one definition of the
//! verb `ingest`, independent of any backend.
//!
//! The cost of an event is bounded: it reads and writes its own row and its page view's. Journeys
//! are derived when they are read. A visitor has a bounded number of rows; beyond that, the oldest
//! are summed up in one step that reads all of them.

mod change;

pub(crate) use change::{ChangedRow, VisitorChanges, VisitorUpdate};

use serde::{Deserialize, Serialize};
use shared::context::VisitorContext;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::page_view::{PageView, Totals};
use shared::visit::{Past, Trail};
use uuid::Uuid;

/// The id of the row that holds what is summed up. No event has this id.
pub(super) const PAST: EventId = EventId(Uuid::nil());

/// One visitor's events from one batch, judged and labelled.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// The site.
    pub site: SiteId,
    /// The visitor.
    pub visitor: VisitorId,
    /// What the browser reports about itself.
    pub context: VisitorContext,
    /// When the batch was received, Unix milliseconds.
    pub received_at_ms: i64,
    /// The events, in the order sent.
    pub events: Vec<Arrival>,
}

/// One event, ready to be stored.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A page view.
    View(Box<PageView>),
    /// Raises a page view's totals.
    Raise {
        /// The page view.
        page: EventId,
        /// The minimum values after the raise.
        totals: Totals,
    },
    /// An action on a page, stored as a row of its own.
    Act(Action),
}

/// Something that a visitor did, other than view a page.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Action {
    /// The event's id.
    pub id: EventId,
    /// The page view that it happened on.
    pub page: EventId,
    /// Unix milliseconds, corrected.
    pub at_ms: i64,
    /// What the visitor did.
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
    /// A custom event of the site.
    Custom {
        /// Its name.
        name: String,
        /// JSON text; may be empty.
        props: String,
    },
    /// Identified the person. The contact is kept in the conversion.
    Identify,
}

/// What the store keeps about a visitor beside its rows.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Visitor {
    /// The lead that the visitor belongs to.
    pub lead: Option<LeadId>,
    /// The lead that the visitor's pages proposed, until it is confirmed.
    #[serde(default)]
    pub proposed: Option<LeadId>,
    /// The number of page views and stubs stored as rows; counts towards `limits::VISITOR_ROWS`.
    pub views: u32,
    /// The number of actions stored as rows; counts towards the same limit.
    pub actions: u32,
    /// The latest context.
    pub context: VisitorContext,
    /// When the visitor was first seen, Unix milliseconds; 0 in records older than this field.
    #[serde(default)]
    pub known_at_ms: i64,
    /// Which of the visitor's rows are summed up.
    #[serde(default)]
    pub summed_up: Option<SummedUp>,
}

/// Which of a visitor's rows are summed up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SummedUp {
    /// The position of the newest page view among them. Page views that arrive later and lie before
    /// it are refused.
    pub until: (i64, EventId),
    /// The newest id among them. Raises for an older page view that has no row are refused.
    pub newest: EventId,
    /// The number of actions among them; nothing else of them is kept.
    pub actions: u32,
}

/// What is stored of one event.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// A page view.
    View(Box<PageView>),
    /// Totals whose page view has not arrived yet.
    Stub(Totals),
    /// Any other action.
    Action(Action),
    /// The summary of the older page views. Its id is the nil id, which no event has.
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

impl Row {
    /// The page view, if the row is one.
    pub(super) fn view(&self) -> Option<&PageView> {
        match self {
            Self::View(view) => Some(view),
            Self::Stub(_) | Self::Action(_) | Self::Past(_) => None,
        }
    }

    /// Its position among the visitor's rows. A stub's position comes from its page view's id.
    pub(super) fn position(&self, id: EventId) -> (i64, EventId) {
        match self {
            Self::View(view) => view.position(),
            Self::Action(action) => (action.at_ms, id),
            Self::Stub(_) | Self::Past(_) => (id.made_at_ms(), id),
        }
    }
}

/// The page views among the rows, and the summary.
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
