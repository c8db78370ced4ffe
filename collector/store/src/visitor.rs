//! A visitor's rows and record, and what its events change of them: the one definition of the verb
//! `ingest`, without any store.
//!
//! What an event costs is bounded by the event: it reads and writes its own row and its page view's.
//! Journeys are derived when they are read. A visitor has a bounded number of rows; where there are
//! more, the oldest are summed up in one step that reads all of them.

mod change;

pub(crate) use change::{Change, Changed, ChangedRow};

use serde::{Deserialize, Serialize};
use shared::context::VisitorContext;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::page_view::{PageView, Totals};
use shared::visit::{Past, Trail};
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
    /// What the older page views came to; stands under the nil id, which no event has.
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
    /// The page view, where it is one.
    pub(super) fn view(&self) -> Option<&PageView> {
        match self {
            Self::View(view) => Some(view),
            Self::Stub(_) | Self::Action(_) | Self::Past(_) => None,
        }
    }

    /// Where it stands among the visitor's rows; a stub where its page view's id says.
    pub(super) fn position(&self, id: EventId) -> (i64, EventId) {
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
