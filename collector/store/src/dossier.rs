//! A lead with everything that belongs to it, read as one consistent snapshot.

use crate::delivery::Delivery;
use crate::record::Record;
use shared::ids::{ConversionId, LeadId, VisitorId};
use shared::lead::{Conversion, Lead};
use shared::limits;
use shared::page_view::PageView;
use shared::visit::Trail;
use std::collections::BTreeMap;

/// The most deliveries of one lead that a dossier contains.
pub const MOST_DELIVERIES: usize = 1_000;

/// Everything known about one lead.
#[derive(Clone, PartialEq, Debug)]
pub struct Dossier {
    /// The lead.
    pub lead: Lead,
    /// Its conversions, in the order of their numbers.
    pub conversions: Vec<Conversion>,
    /// Its records, in the order of their ids.
    pub records: Vec<Record>,
    /// The first [`MOST_DELIVERIES`] deliveries, in the order of their ids.
    pub deliveries: Vec<Delivery>,
    /// The visitors joined to the lead with their page views: first the one that was joined first,
    /// then the others, latest first, as far as the budget allows.
    pub visitors: Vec<(VisitorId, Trail)>,
    /// The number of visitors beyond the budget.
    pub unread: usize,
    /// If leads were merged into this one, the lead with which each conversion is stored and its
    /// number there; in `conversions` they are numbered together.
    pub numbers: BTreeMap<ConversionId, (LeadId, u32)>,
}

impl Dossier {
    /// Assembles what a backend read.
    pub(super) fn new(
        lead: Lead,
        mut conversions: Vec<Conversion>,
        records: Vec<Record>,
        deliveries: Vec<Delivery>,
        (visitors, unread): (Vec<(VisitorId, Trail)>, usize),
    ) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        let numbers = BTreeMap::new();
        Self { lead, conversions, records, deliveries, visitors, unread, numbers }
    }

    /// What its visitors use of the budget.
    pub(super) fn budget(&self) -> Budget {
        let mut budget = Budget::default();
        self.visitors.iter().for_each(|(_, trail)| budget.spend(trail));
        budget
    }
}

/// The visitors whose page views belong to a lead, each once: first the one that was joined first,
/// which has the first click, then the others, latest first.
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

/// Bounds how much of a lead's visitors is read, so that reading a lead takes bounded memory
/// however many visitors are joined to it.
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
