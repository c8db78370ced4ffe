//! Problems found in entities that contradict each other.

use super::*;
use shared::ids::ConversionId;
use shared::lead::{FoundBy, Join, JoinEvidence, NamedBy};
use shared::link::CrmLink;

const HANDED_OVER_MS: Option<i64> = Some(1_000);

fn id(number: u8) -> LeadId {
    LeadId::new(0, [number; 10])
}

fn visitor() -> VisitorId {
    VisitorId::from_random([1; 16])
}

fn lead(number: u8, change: impl FnOnce(&mut Join)) -> Entity {
    let site = SiteId::parse("demo").unwrap();
    let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Token };
    let mut join = Join {
        visitor: visitor(),
        joined_at_ms: 0,
        conversion: ConversionId::new(0, [number; 10]),
        by,
        from_ms: None,
        shown_from_ms: None,
        from_lead: None,
        until_ms: None,
        until_lead: None,
        undone_at_ms: None,
    };
    change(&mut join);
    let lead = Lead { joins: vec![join], ..Lead::new(id(number), site, 0) };
    let (conversions, deliveries, records) = (Vec::new(), Vec::new(), Vec::new());
    Entity::Lead { lead, conversions, deliveries, records }
}

/// Checks a visitor that passed from the first lead to the second; expects a part of the problem,
/// if any.
fn check(first: impl FnOnce(&mut Join), second: impl FnOnce(&mut Join), expected: Option<&str>) {
    let record = Visitor { lead: Some(id(2)), ..Visitor::default() };
    let site = SiteId::parse("demo").unwrap();
    let browser = Entity::Visitor { site, visitor: visitor(), record, events: Vec::new() };
    let gave = |join: &mut Join| {
        (join.until_ms, join.until_lead) = (HANDED_OVER_MS, Some(id(2)));
        first(join);
    };
    let took = |join: &mut Join| {
        (join.from_ms, join.from_lead) = (HANDED_OVER_MS, Some(id(1)));
        second(join);
    };
    let mut check = Check::default();
    for entity in [browser, lead(1, gave), lead(2, took)] {
        check.take(&entity).unwrap();
    }
    let problems = check.finish().problems;
    let problem = problems.first().map(String::as_str);
    match (problem, expected) {
        (None, None) => {}
        (Some(problem), Some(part)) if problem.contains(part) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_is_found_by_what_was_told() {
    let check = |reported: bool, owner: Option<u8>, expected: Option<&str>| {
        let mut check = Check::default();
        for number in [1, 2] {
            let mut lead = lead(number, |join| join.undone_at_ms = Some(1));
            if let Entity::Lead { records, .. } = &mut lead {
                records.extend((reported && number == 1).then(|| {
                    Record::Link(CrmLink {
                        provider: "hubspot".into(),
                        object: "contact".into(),
                        id: "7".into(),
                        url: None,
                        linked_at_ms: 0,
                        reference: "a".into(),
                    })
                }));
            }
            check.take(&lead).unwrap();
        }
        let (site, kind) = (SiteId::parse("demo").unwrap(), IdentityKind::CrmRecord);
        if let Some(lead) = owner.map(id) {
            let value = "hubspot:contact:7".into();
            check.take(&Entity::Identity { site, kind, value, lead }).unwrap();
        }
        let problems = check.finish().problems;
        assert_eq!(problems.is_empty(), expected.is_none(), "{problems:?}");
        let part = expected.unwrap_or_default();
        assert!(problems.iter().all(|problem| problem.contains(part)), "{problems:?}");
    };
    check(true, Some(1), None);
    // It was reported with a stage.
    check(false, Some(2), None);
    check(true, Some(2), Some("hubspot:contact:7 of demo: looking it up does not find the lead"));
    check(true, None, Some("looking it up does not find the lead"));
}

#[test]
fn both_sides_of_a_merge_say_so() {
    let check = |merge: fn(Merge) -> Option<Merge>, status, expected: usize| {
        let undone = |join: &mut Join| join.undone_at_ms = Some(1);
        let (mut survivor, mut merged) = (lead(1, undone), lead(2, undone));
        if let Entity::Lead { lead, .. } = &mut survivor {
            let second = Lead::new(id(2), lead.site.clone(), 0);
            lead.merges.extend(merge(Merge::of(&second, 0, String::new())));
        }
        if let Entity::Lead { lead, .. } = &mut merged {
            lead.status = status;
        }
        let mut check = Check::default();
        check.take(&survivor).unwrap();
        check.take(&merged).unwrap();
        let problems = check.finish().problems;
        assert_eq!(problems.len(), expected, "{problems:?}");
        assert!(problems.iter().all(|one| one.contains("disagree on that")), "{problems:?}");
    };
    let undone = |merge| Some(Merge { undone_at_ms: Some(1), ..merge });
    check(Some, LeadStatus::Merged(id(1)), 0);
    check(undone, LeadStatus::Verified, 0);
    check(Some, LeadStatus::Verified, 1);
    check(undone, LeadStatus::Merged(id(1)), 1);
    check(|_| None, LeadStatus::Merged(id(1)), 1);
}

#[test]
fn whose_a_browser_is() {
    let as_it_is = |_: &mut Join| {};
    check(as_it_is, as_it_is, None);
    check(|join| join.until_ms = Some(999), as_it_is, Some("only one of the two leads"));
    check(|join| join.until_lead = Some(id(3)), as_it_is, Some("only one of the two leads"));
    check(|join| join.until_lead = None, as_it_is, Some("only one of the two leads"));
    check(as_it_is, |join| join.from_lead = None, Some("only one of the two leads"));
    let open = |join: &mut Join| (join.until_ms, join.until_lead) = (None, None);
    let alone = |join: &mut Join| join.from_lead = None;
    check(open, alone, Some("both claim it"));
    check(as_it_is, |join| join.until_ms = Some(2_000), Some("its record names lead"));
    // An undone join no longer counts.
    let undone = |join: &mut Join| join.undone_at_ms = Some(3_000);
    check(undone, alone, None);
    check(undone, as_it_is, Some("only one of the two leads"));
    check(open, undone, Some("its record names lead"));
}
