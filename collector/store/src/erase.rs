//! Which visitors may be erased, and what is erased with them. This is the one definition of the
//! verb `erase_visitor`, independent of any backend.
//!
//! Only browsers that belong to no lead are erased. A lead that the browser's pages proposed is
//! erased with it, unless something has been reported about that lead: then someone works with it,
//! and both stay.

use crate::record::Record;
use crate::visitor::{Row, Visitor, trail};
use serde::{Deserialize, Serialize};
use shared::ids::{EventId, SiteId, VisitorId};
use shared::lead::{Lead, LeadStatus};
use std::ops::AddAssign;

/// A visitor to erase, if it still meets the criteria when the store looks at it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// The site.
    pub site: SiteId,
    /// The visitor.
    pub visitor: VisitorId,
    /// The criteria that it must meet.
    pub criteria: Criteria,
}

/// Which visitors to erase: those that meet all given criteria. Without any criterion, none do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// The visitor was last active before this time, Unix milliseconds.
    pub before_ms: Option<i64>,
    /// The visitor has page views, and all of those that are not summed up are flagged.
    pub flagged: bool,
}

/// How much was erased, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Erased {
    /// Erased visitors.
    pub visitors: u64,
    /// Their page views, including those that were summed up.
    pub page_views: u64,
    /// Leads that their pages had proposed.
    pub proposed_leads: u64,
}

impl AddAssign for Erased {
    fn add_assign(&mut self, more: Self) {
        let Self { visitors, page_views, proposed_leads } = more;
        self.visitors += visitors;
        self.page_views += page_views;
        self.proposed_leads += proposed_leads;
    }
}

impl Criteria {
    /// What is erased with a visitor, given its record and all its rows; `None` if it stays.
    pub fn choose(&self, record: &Visitor, rows: &[(EventId, Row)]) -> Option<Erased> {
        let Self { before_ms, flagged } = *self;
        let is_any = before_ms.is_some() || flagged;
        let is_old = before_ms.is_none_or(|before_ms| last_active_ms(record, rows) < before_ms);
        if !is_any || record.lead.is_some() || !is_old || (flagged && !is_flagged(rows)) {
            return None;
        }
        let journey = trail(rows.iter().map(|(_, row)| row.clone())).journey();
        let page_views = u64::from(journey.page_views());
        Some(Erased { visitors: 1, page_views, proposed_leads: 0 })
    }
}

impl Erased {
    /// Adds the lead that the visitor's pages proposed; `None` if both stay.
    pub fn with(mut self, proposed: &Lead, records: &[Record]) -> Option<Self> {
        self.proposed_leads += 1;
        (proposed.status == LeadStatus::Proposed && records.is_empty()).then_some(self)
    }
}

/// The time of the latest activity. Without rows, the time when the visitor was first seen.
fn last_active_ms(record: &Visitor, rows: &[(EventId, Row)]) -> i64 {
    let active = rows.iter().map(|(id, row)| match row {
        Row::View(view) => view.active_at_ms(),
        Row::Action(action) => action.at_ms,
        Row::Stub(totals) => {
            let left_at_ms = totals.departures.last().map(|left| left.at_ms);
            let latest = left_at_ms.into_iter().chain([totals.active_at_ms]).max();
            // Without a usable time, the time in the id, which comes from the browser's clock.
            latest.filter(|at_ms| *at_ms > 0).unwrap_or_else(|| id.made_at_ms())
        }
        Row::Past(past) => {
            let visits = past.journey.visits.iter().map(|visit| visit.active_at_ms);
            let until = record.summed_up.map(|summed_up| summed_up.until.0);
            visits.chain(until).max().unwrap_or(i64::MIN)
        }
    });
    active.max().unwrap_or(record.known_at_ms)
}

fn is_flagged(rows: &[(EventId, Row)]) -> bool {
    let mut views = rows.iter().filter_map(|(_, row)| row.view()).peekable();
    views.peek().is_some() && views.all(|view| view.bot.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visitor::{Action, ActionKind, SummedUp};
    use shared::evidence::Evidence;
    use shared::ids::LeadId;
    use shared::page_view::{Departure, PageView, Totals};
    use shared::source::{Label, Origin};
    use shared::visit::Past;

    fn id(at_ms: i64) -> EventId {
        EventId::new(at_ms, [at_ms as u8; 10])
    }

    fn view(at_ms: i64, bot: &str) -> PageView {
        PageView {
            id: id(at_ms),
            at_ms,
            received_at_ms: at_ms,
            url: String::new(),
            title: String::new(),
            totals: Totals::default(),
            evidence: Evidence::default(),
            label: Label::direct(Origin::Nothing, String::new()),
            rules: 1,
            bot: Some(bot.to_owned()).filter(|bot| !bot.is_empty()),
        }
    }

    fn shown(at_ms: i64, bot: &str) -> Row {
        Row::View(Box::new(view(at_ms, bot)))
    }

    fn active(active_at_ms: i64) -> Totals {
        Totals { active_at_ms, ..Totals::default() }
    }

    fn left(at_ms: i64) -> Totals {
        let departures = vec![Departure { at_ms, id: id(at_ms), host: "x.test".into() }];
        Totals { departures, ..Totals::default() }
    }

    fn past(at_ms: i64) -> Row {
        let mut past = Past::default();
        past.take([&view(at_ms, "")]);
        Row::Past(Box::new(past))
    }

    fn rows(rows: Vec<Row>) -> Vec<(EventId, Row)> {
        (1..).zip(rows).map(|(number, row)| (id(number), row)).collect()
    }

    #[test]
    fn the_latest_sign_of_life() {
        let record = Visitor { known_at_ms: 7, ..Visitor::default() };
        let check = |some: Vec<Row>, expected: i64| {
            let rows = rows(some);
            assert_eq!(last_active_ms(&record, &rows), expected, "{rows:?}");
            let choose = |before_ms| {
                Criteria { before_ms: Some(before_ms), flagged: false }.choose(&record, &rows)
            };
            assert_eq!(choose(expected), None, "{rows:?}");
            assert!(choose(expected + 1).is_some(), "{rows:?}");
        };
        let with = |totals| Row::View(Box::new(PageView { totals, ..view(20, "") }));
        check(vec![], 7);
        check(vec![shown(20, ""), shown(10, "")], 20);
        check(vec![with(active(30)), shown(25, "")], 30);
        check(vec![with(left(40)), shown(25, "")], 40);
        check(vec![Row::Stub(active(50))], 50);
        check(vec![Row::Stub(left(60))], 60);
        check(vec![Row::Stub(Totals::default())], 1);
        let action = Action { id: id(1), page: id(2), at_ms: 70, kind: ActionKind::Identify };
        check(vec![shown(20, ""), Row::Action(action)], 70);
        check(vec![past(80), shown(30, "")], 80);
    }

    #[test]
    fn rows_that_are_summed_up_are_as_late_as_the_record_says() {
        let until = Some(SummedUp { until: (90, id(1)), newest: id(1), actions: 0 });
        let record = Visitor { summed_up: until, ..Visitor::default() };
        assert_eq!(last_active_ms(&record, &rows(vec![past(80)])), 90);
    }

    #[test]
    fn who_fits() {
        let check = |criteria: (Option<i64>, bool),
                     lead: bool,
                     some: Vec<Row>,
                     expected: Option<u64>| {
            let lead = lead.then(|| LeadId::new(0, [1; 10]));
            let record = Visitor { lead, ..Visitor::default() };
            let (before_ms, flagged) = criteria;
            let chosen = Criteria { before_ms, flagged }.choose(&record, &rows(some.clone()));
            let expected =
                expected.map(|page_views| Erased { visitors: 1, page_views, proposed_leads: 0 });
            assert_eq!(chosen, expected, "{criteria:?} {lead:?} {some:?}");
        };
        let (before, flagged) = ((Some(50), false), (None, true));
        let people = || vec![shown(10, ""), shown(20, "")];
        let program = || vec![shown(10, "webdriver"), shown(20, "bot")];
        check(before, false, people(), Some(2));
        check(before, true, people(), None);
        check(flagged, false, program(), Some(2));
        check(flagged, true, program(), None);
        check(flagged, false, people(), None);
        check(flagged, false, vec![shown(10, "bot"), shown(20, "")], None);
        // What is summed up does not say whether it was flagged; engagement alone is not a page
        // view.
        check(flagged, false, vec![past(5), shown(10, "bot")], Some(2));
        check(flagged, false, vec![Row::Stub(active(10)), shown(10, "bot")], Some(1));
        check(flagged, false, vec![Row::Stub(active(10))], None);
        check(flagged, false, vec![], None);
        // All criteria must be met.
        check((Some(50), true), false, program(), Some(2));
        check((Some(50), true), false, people(), None);
        check((Some(20), true), false, program(), None);
        // No criterion is given.
        check((None, false), false, program(), None);
    }
}
