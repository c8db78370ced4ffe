//! A lead with everything that belongs to it, read at one moment.

use crate::delivery::Delivery;
use crate::record::Record;
use shared::ids::VisitorId;
use shared::lead::{Conversion, Lead};
use shared::limits;
use shared::page_view::PageView;
use shared::visit::Trail;

/// Deliveries of one lead that are read, at most.
pub const MOST_DELIVERIES: usize = 1_000;

/// What is known of one lead.
#[derive(Clone, PartialEq, Debug)]
pub struct Dossier {
    /// The person.
    pub lead: Lead,
    /// Their conversions, in the order of their numbers.
    pub conversions: Vec<Conversion>,
    /// What was recorded since, in the order of the records' ids.
    pub records: Vec<Record>,
    /// The first [`MOST_DELIVERIES`] deliveries, in the order of their ids.
    pub deliveries: Vec<Delivery>,
    /// The visitors that are joined to the lead, with what is kept of their page views: the first that
    /// was joined, then the last, as far as a budget allows.
    pub visitors: Vec<(VisitorId, Trail)>,
    /// Visitors beyond that.
    pub unread: usize,
}

impl Dossier {
    /// From what a backend read.
    pub(super) fn new(
        lead: Lead,
        mut conversions: Vec<Conversion>,
        records: Vec<Record>,
        deliveries: Vec<Delivery>,
        (visitors, unread): (Vec<(VisitorId, Trail)>, usize),
    ) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        Self { lead, conversions, records, deliveries, visitors, unread }
    }
}

/// The visitors whose page views belong to a lead, each once: the first that was joined, which has the
/// first click, then the last.
pub(super) fn visitors(lead: &Lead) -> Vec<VisitorId> {
    let joins: Vec<VisitorId> = lead.valid_joins().map(|join| join.visitor).collect();
    let mut visitors = Vec::new();
    for visitor in joins.iter().take(1).chain(joins.iter().rev()) {
        if !visitors.contains(visitor) {
            visitors.push(*visitor);
        }
    }
    visitors
}

/// What of a lead's visitors is read, so that a lead costs a bounded amount of memory whatever is
/// joined to it.
#[derive(Default)]
pub(super) struct Budget {
    page_views: usize,
    bytes: usize,
}

impl Budget {
    /// Whether another visitor may be read.
    pub(super) fn has_room(&self) -> bool {
        self.page_views < limits::LEAD_PAGE_VIEWS && self.bytes < limits::LEAD_BYTES
    }

    /// Counts what was read.
    pub(super) fn spend(&mut self, trail: &Trail) {
        self.page_views += trail.views.len();
        self.bytes += trail.views.iter().map(PageView::bytes).sum::<usize>();
    }
}
