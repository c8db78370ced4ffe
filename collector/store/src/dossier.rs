//! A lead with everything that belongs to it, read at one moment.

use crate::delivery::Delivery;
use crate::record::Record;
use shared::ids::VisitorId;
use shared::lead::{Conversion, Lead};
use shared::page_view::PageView;

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
    /// The visitors that are joined to the lead, with their page views in the order of their ids.
    pub visitors: Vec<(VisitorId, Vec<PageView>)>,
}

impl Dossier {
    /// From what a backend read.
    pub(super) fn new(
        lead: Lead,
        mut conversions: Vec<Conversion>,
        records: Vec<Record>,
        deliveries: Vec<Delivery>,
        visitors: Vec<(VisitorId, Vec<PageView>)>,
    ) -> Self {
        conversions.sort_by_key(|conversion| conversion.number);
        Self { lead, conversions, records, deliveries, visitors }
    }
}

/// The visitors whose page views belong to a lead, each once.
pub(super) fn visitors(lead: &Lead) -> Vec<VisitorId> {
    let mut visitors: Vec<VisitorId> = lead.valid_joins().map(|join| join.visitor).collect();
    visitors.sort_unstable();
    visitors.dedup();
    visitors
}
