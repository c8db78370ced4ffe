//! Which lead a browser belongs to. A conversion joins a browser to a lead, and a wrong join can be
//! undone. This is the one definition of both, independent of any backend.
//!
//! A browser's valid memberships form a line in time: each but the last ends where the next begins,
//! both sides name each other, and the browser's record names the last one's lead. Undoing a
//! membership removes it from that line: its period goes back to the lead before it, or to no lead
//! if there is none. It never goes to the lead after it, because that person must not see what was
//! done earlier.

use crate::visitor::Visitor;
use shared::ids::{LeadId, VisitorId};
use shared::journey::{next_begin_ms, shown_from_ms};
use shared::lead::{
    Conversion, Join, JoinEvidence, JourneyState, Lead, LeadStatus, LikeBy, Likeness, NamedBy,
    SharedBrowser,
};
use shared::limits;
use shared::visit::Trail;
use std::collections::{BTreeMap, BTreeSet};

/// The browser that a conversion names.
pub(super) struct Browser {
    /// The browser's record.
    pub(super) record: Visitor,
    /// The lead that answers for the one it belongs to.
    pub(super) owner: Option<LeadId>,
    /// Whose it is, if that is another person.
    pub(super) other: Option<Other>,
    /// The lead that its pages proposed.
    pub(super) proposed: Option<Lead>,
}

/// The person that a browser belonged to so far.
pub(super) struct Other {
    /// The lead that it is joined to.
    pub(super) lead: Lead,
    /// When the person last converted, Unix milliseconds.
    pub(super) converted_at_ms: i64,
    /// The browser's page views.
    pub(super) trail: Trail,
}

/// Joins the browser to the lead. A browser that belonged to another lead moves to this one, with
/// everything after the other lead's last conversion. If its pages had proposed the same person,
/// the proposal is confirmed. Returns the visitor's record and the other leads, if they changed.
pub(super) fn join(
    lead: &mut Lead,
    conversion: &mut Conversion,
    browser: Browser,
    by: Option<JoinEvidence>,
    shared_browser: SharedBrowser,
) -> (Option<Visitor>, Vec<Lead>) {
    let Browser { mut record, owner, mut other, proposed } = browser;
    let (Some(visitor), Some(by)) = (conversion.visitor, by) else { return (None, Vec::new()) };
    conversion.journey = JourneyState::Known;
    conversion.context = Some(record.context.clone());
    if lead.status == LeadStatus::Proposed {
        if lead.joins.is_empty() {
            lead.joins.push(Join::new(visitor, conversion, by));
        }
        let is_new = record.proposed.replace(lead.id) != Some(lead.id);
        return (is_new.then_some(record), Vec::new());
    }
    let same = |proposed: &Lead| {
        // A phone number stored as typed is no identity, but it can still confirm a proposal.
        conversion.contact == proposed.contact || conversion.contact.names_same(&proposed.contact)
    };
    let mut confirmed = proposed.filter(|lead| lead.status == LeadStatus::Proposed && same(lead));
    if let Some(proposed) = &mut confirmed {
        proposed.status = LeadStatus::Confirmed(lead.id);
        record.proposed = None;
    }
    if owner == Some(lead.id) || !has_room(lead, by.visitor) {
        let record = confirmed.is_some().then_some(record);
        return (record, confirmed.into_iter().collect());
    }
    let mut join = Join::new(visitor, conversion, by);
    if let Some(Other { lead: other, converted_at_ms, trail }) = &mut other {
        let from_ms = next_begin_ms(trail, *converted_at_ms);
        if from_ms > conversion.at_ms || from_ms == converted_at_ms.saturating_add(1) {
            // No visit began between the two conversions.
            lead.is_like(Likeness { lead: other.id, by: LikeBy::Visit });
        }
        (join.from_ms, join.from_lead) = (Some(from_ms), Some(other.id));
        join.shown_from_ms = shown_from_ms(trail, conversion.at_ms, shared_browser);
        if let Some(before) = last(other, visitor, |join| join.until_ms.is_none()) {
            (before.until_ms, before.until_lead) = (Some(from_ms), Some(lead.id));
        }
    }
    lead.joins.push(join);
    record.lead = Some(lead.id);
    let others = other.map(|other| other.lead).into_iter().chain(confirmed);
    (Some(record), others.collect())
}

/// Whether another browser may be joined to the lead. Browsers that only a page named have their
/// own limit, so that they leave room for those that a key or a token named.
fn has_room(lead: &Lead, by: NamedBy) -> bool {
    let of_pages = lead.joins.iter().filter(|join| join.by.visitor == NamedBy::Page).count();
    match by {
        NamedBy::Page => of_pages < limits::LEAD_PAGE_JOINS,
        NamedBy::Token | NamedBy::Cookie | NamedBy::Signed => {
            lead.joins.len() - of_pages < limits::LEAD_JOINS
        }
    }
}

/// Whether the browser belongs or belonged to the lead. A proposed lead owns no browsers.
pub(super) fn has_ever_joined(lead: &Lead, visitor: VisitorId) -> bool {
    lead.status != LeadStatus::Proposed && lead.joins.iter().any(|join| join.visitor == visitor)
}

/// The lead and its neighbours in the browser's line.
pub(super) fn in_line(lead: &Lead, visitor: VisitorId) -> BTreeSet<LeadId> {
    let own = lead.valid_joins().filter(|join| join.visitor == visitor);
    own.flat_map(|join| [join.from_lead, join.until_lead]).flatten().chain([lead.id]).collect()
}

/// Undoes the lead's memberships of the browser. Returns whether anything changed. `leads` holds
/// the leads of [`in_line`].
pub(super) fn undo(
    leads: &mut BTreeMap<LeadId, Lead>,
    record: &mut Visitor,
    lead: LeadId,
    visitor: VisitorId,
    now_ms: i64,
) -> bool {
    let mut changed = false;
    // Start with the last, so that its period can go back to an earlier one, which is then undone
    // in turn.
    while let Some(join) = leads.get_mut(&lead).and_then(|lead| last(lead, visitor, |_| true)) {
        join.undone_at_ms = Some(now_ms);
        let Join { from_ms, from_lead, until_ms, until_lead, .. } = join.clone();
        let before = from_lead.and_then(|before| leads.get_mut(&before)).and_then(|before| {
            let reaches = |join: &Join| join.until_ms == from_ms && join.until_lead == Some(lead);
            last(before, visitor, reaches)
        });
        let from_lead = from_lead.filter(|_| before.is_some());
        if let Some(before) = before {
            (before.until_ms, before.until_lead) = (until_ms, until_lead);
        }
        if until_ms.is_none() {
            record.lead = from_lead;
        } else if let Some(after) = until_lead.and_then(|after| leads.get_mut(&after)) {
            let begins = |join: &Join| join.from_ms == until_ms && join.from_lead == Some(lead);
            if let Some(after) = last(after, visitor, begins) {
                after.from_lead = from_lead;
            }
        }
        changed = true;
    }
    changed
}

/// The lead's last valid membership of the browser that matches.
fn last(lead: &mut Lead, visitor: VisitorId, is_it: impl Fn(&Join) -> bool) -> Option<&mut Join> {
    let mut joins = lead.joins.iter_mut();
    joins.rfind(|join| join.is_valid() && join.visitor == visitor && is_it(join))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversion::{Existing, NewConversion, Person};
    use proptest::prelude::*;
    use shared::ids::{ConversionId, EventId, SiteId};
    use shared::lead::{Contact, ConversionKind};
    use shared::page_view::{PageView, Totals};
    use shared::source::{Label, Origin};

    const VISITOR: VisitorId = VisitorId(uuid::Uuid::from_u128(1));
    const HOUR: i64 = 3_600_000;

    /// A browser with a visit every hour, and the people who convert in it, by number.
    #[derive(Default)]
    struct Town {
        record: Visitor,
        leads: BTreeMap<LeadId, Lead>,
        now_ms: i64,
    }

    fn person(number: u8) -> LeadId {
        LeadId::new(0, [number; 10])
    }

    fn views(until_ms: i64) -> Vec<PageView> {
        let view = |at_ms| PageView {
            id: EventId::new(at_ms, [0; 10]),
            at_ms,
            received_at_ms: at_ms,
            url: String::new(),
            title: String::new(),
            totals: Totals::default(),
            evidence: shared::evidence::Evidence::default(),
            label: Label::direct(Origin::Nothing, String::new()),
            rules: 0,
            bot: None,
        };
        (0..=until_ms / HOUR).map(|hour| view(hour * HOUR)).collect()
    }

    impl Town {
        /// A person converts half an hour into the next visit.
        fn convert(&mut self, number: u8) {
            self.now_ms += HOUR;
            let (at_ms, id) = (self.now_ms + HOUR / 2, person(number));
            let conversion = Conversion {
                id: ConversionId::new(at_ms, [0; 10]),
                number: 0,
                at_ms,
                kind: ConversionKind::Form,
                visitor: Some(VISITOR),
                journey: JourneyState::Known,
                contact: Contact::default(),
                form_id: None,
                form_name: None,
                page_url: None,
                page_title: None,
                context: None,
                raw: Vec::new(),
            };
            let new = NewConversion {
                site: SiteId::parse("demo").unwrap(),
                conversion,
                new_lead: id,
                destinations: Vec::new(),
                due_at_ms: 0,
                idempotency: None,
                named_by: Some(NamedBy::Cookie),
                proposed: false,
                shared_browser: SharedBrowser::default(),
            };
            let other = self.record.lead.filter(|other| *other != id);
            let known = Existing {
                person: Person::of(
                    &Contact::default(),
                    self.leads.contains_key(&id).then_some(id),
                    None,
                ),
                sharer: None,
                alike: Vec::new(),
                lead: self.leads.get(&id).cloned(),
                browser: Some(Browser {
                    record: self.record.clone(),
                    owner: self.record.lead,
                    proposed: None,
                    other: other.map(|other| Other {
                        lead: self.leads[&other].clone(),
                        converted_at_ms: self.leads[&other].converted_at_ms,
                        trail: views(self.now_ms).into_iter().collect(),
                    }),
                }),
            };
            let decision = new.decide(known).unwrap();
            self.record = decision.visitor.unwrap_or_else(|| self.record.clone());
            let changed = decision.others.into_iter().chain([decision.lead]);
            self.leads.extend(changed.map(|lead| (lead.id, lead)));
        }

        fn undo(&mut self, number: u8) -> bool {
            let Some(lead) = self.leads.get(&person(number)) else { return false };
            let mut some: BTreeMap<_, _> = in_line(lead, VISITOR)
                .into_iter()
                .map(|id| (id, self.leads[&id].clone()))
                .collect();
            let changed = undo(&mut some, &mut self.record, person(number), VISITOR, self.now_ms);
            self.leads.extend(some);
            changed
        }

        /// The owner of each hour as a digit; a dot if there is none.
        fn hours(&self) -> String {
            let owner = |view: &PageView| {
                let holds = |lead: &&Lead| lead.joins.iter().any(|join| join.holds(view.at_ms));
                let mut owners = self.leads.values().filter(holds);
                let owner =
                    owners.next().map_or(".".into(), |lead| lead.id.as_bytes()[15].to_string());
                assert_eq!(owners.next().map(|lead| lead.id), None, "an hour has two owners");
                owner
            };
            views(self.now_ms).iter().map(owner).collect()
        }
    }

    /// Plays a story (a person's digit is a conversion, a minus before it undoes the person's
    /// joins) and compares the owner of each hour afterwards.
    fn check(story: &str, expected: &str) {
        let mut town = Town::default();
        for act in story.split(' ') {
            match act.strip_prefix('-') {
                Some(number) => assert!(town.undo(number.parse().unwrap()), "{story}"),
                None => town.convert(act.parse().unwrap()),
            }
        }
        assert_eq!(town.hours(), expected, "{story}");
    }

    #[test]
    fn whose_a_browser_is() {
        check("1", "11");
        check("1 1", "111");
        check("1 2", "112");
        check("1 2 3", "1123");
        check("1 2 1", "1121");
        // Undone: the period goes to nobody, or back to the previous owner.
        check("1 -1", "..");
        check("1 2 -2", "111");
        check("1 2 -1", "..2");
        check("1 2 3 -2", "1113");
        check("1 2 3 -3", "1122");
        check("1 2 3 -3 -2", "1111");
        check("1 2 3 -2 -3", "1111");
        check("1 2 3 -1 -2", "...3");
        check("1 2 1 -1", "..22");
        check("1 2 1 -2", "1111");
        check("1 2 1 -2 -1", "....");
        // The browser can be joined again.
        check("1 -1 1", "111");
        check("1 2 -2 2", "1122");
        check("1 2 -1 3", "..23");
        check("1 -1 2", "222");
    }

    #[test]
    fn once_is_enough_and_strangers_have_nothing_to_undo() {
        let mut town = Town::default();
        town.convert(1);
        town.convert(2);
        assert!(town.undo(2));
        let first = town.leads.clone();
        town.now_ms += 1;
        assert!(!town.undo(2) && !town.undo(3));
        assert_eq!(town.leads, first);
    }

    proptest! {
        /// Whatever happens, no hour has two owners and the line stays consistent, and the order in
        /// which joins are undone does not matter.
        #[test]
        fn the_line_holds_together(
            acts in proptest::collection::vec((1..5u8, any::<bool>()), 1..20),
            mut wrong in proptest::sample::subsequence(vec![1u8, 2, 3, 4], 0..4),
        ) {
            let mut town = Town::default();
            for (number, undoes) in acts {
                match undoes && town.undo(number) {
                    true => {}
                    false => town.convert(number),
                }
            }
            let (leads, record, now_ms) = (town.leads.clone(), town.record.clone(), town.now_ms);
            for number in &wrong {
                town.undo(*number);
            }
            let hours = town.hours();
            town = Town { leads, record, now_ms };
            wrong.reverse();
            for number in &wrong {
                town.undo(*number);
            }
            prop_assert_eq!(town.hours(), hours);

            let joins = || town.leads.values().flat_map(|lead| lead.valid_joins().map(move |join| (lead.id, join)));
            for (id, join) in joins() {
                let next = joins().find(|(_, next)| next.from_lead == Some(id) && next.from_ms == join.until_ms);
                prop_assert_eq!(next.map(|(next, _)| next), join.until_lead);
                prop_assert_eq!(join.until_ms.is_some(), join.until_lead.is_some());
            }
            let now: Vec<_> = joins().filter(|(_, join)| join.until_ms.is_none()).map(|(id, _)| id).collect();
            prop_assert_eq!(now, Vec::from_iter(town.record.lead));
        }
    }
}
