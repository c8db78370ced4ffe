//! How events change a visitor's rows, and that their number stays bounded.

use super::*;
use crate::visitor::{ActionKind, trail};
use proptest::prelude::*;
use shared::context::VisitorContext;
use shared::evidence::Evidence;
use shared::ids::{SiteId, VisitorId};
use shared::source::{Label, Origin};
use shared::visit::Journey;
use uuid::Uuid;

const MINUTE: i64 = 60_000;
const VISITOR: VisitorId = VisitorId(Uuid::from_u128(1));

/// A visitor as a store keeps it.
#[derive(Default)]
struct Stored {
    record: Option<Visitor>,
    rows: BTreeMap<EventId, Row>,
}

fn id(minute: i64) -> EventId {
    EventId::new(minute * MINUTE, [0; 10])
}

fn view(minute: i64) -> Arrival {
    let label = Label::direct(Origin::Nothing, String::new());
    Arrival::View(Box::new(PageView {
        id: id(minute),
        at_ms: minute * MINUTE,
        received_at_ms: minute * MINUTE,
        url: String::new(),
        title: String::new(),
        totals: Totals::default(),
        evidence: Evidence::default(),
        label,
        rules: 0,
        bot: None,
    }))
}

fn raise(minute: i64, engaged_ms: u32) -> Arrival {
    Arrival::Raise { page: id(minute), totals: Totals { engaged_ms, ..Totals::default() } }
}

impl Stored {
    fn take(&mut self, received_minute: i64, events: Vec<Arrival>) -> Vec<Outcome> {
        let arrivals = Arrivals {
            site: SiteId::parse("demo").unwrap(),
            visitor: VISITOR,
            context: VisitorContext::default(),
            received_at_ms: received_minute * MINUTE,
            events,
        };
        let mut change = VisitorUpdate::of(self.record.clone());
        let outcomes = change.take(arrivals, |id| Ok(self.rows.get(&id).cloned())).unwrap();
        if change.is_over_full() {
            change.sum_up(self.rows.clone());
        }
        let VisitorChanges { rows, record, .. } = change.finish();
        for (id, changed) in rows {
            match changed {
                ChangedRow::Put { row, is_new } => {
                    assert_eq!(self.rows.insert(id, row).is_none(), is_new);
                }
                ChangedRow::Removed => drop(self.rows.remove(&id)),
            }
        }
        self.record = record.or(self.record.take());
        outcomes
    }

    fn journey(&self) -> Journey {
        trail(self.rows.values().cloned()).journey()
    }

    fn views(&self) -> usize {
        self.rows.values().filter(|row| matches!(row, Row::View(_) | Row::Stub(_))).count()
    }
}

#[test]
fn a_visitor_stays_bounded_and_its_sums_exact() {
    let mut stored = Stored::default();
    let many = limits::VISITOR_ROWS as i64 * 5;
    for minute in 0..many {
        let events = vec![view(minute), raise(minute, 1_000)];
        assert_eq!(stored.take(minute, events), [Outcome::Stored; 2]);
        assert!(stored.views() <= limits::VISITOR_ROWS, "{minute}");
        assert_eq!(stored.record.as_ref().unwrap().views as usize, stored.views());
    }
    let journey = stored.journey();
    assert_eq!(i64::from(journey.page_views()), many);
    let engaged = journey.touches.iter().map(|touch| touch.engaged_ms).sum::<u64>();
    assert_eq!((engaged + journey.left_out.engaged_ms) as i64, many * 1_000);
    assert_eq!(journey.touches[0].at_ms, 0);
    // What is summed up is neither counted twice nor raised.
    let before = stored.rows.clone();
    let full = Outcome::Dropped(DropReason::VisitorFull);
    assert_eq!(stored.take(many, vec![view(5), raise(6, 90_000)]), [full; 2]);
    assert_eq!(stored.rows, before);
    // Nor is a page view whose engagement arrived first and whose clock dates it long ago.
    let Arrival::View(mut late) = view(many + 1) else { panic!("it is one") };
    late.at_ms = 5 * MINUTE;
    let events = vec![raise(many + 1, 1_000), Arrival::View(late)];
    assert_eq!(stored.take(many, events), [Outcome::Stored, full]);
    assert_eq!(i64::from(stored.journey().page_views()), many);
}

#[test]
fn one_batch_may_bring_more_than_there_is_room_for() {
    let mut stored = Stored::default();
    for batch in 0..9 {
        stored.take(9_000, (batch * 250..(batch + 1) * 250).map(view).collect());
        assert!(stored.views() <= limits::VISITOR_ROWS, "{batch}");
    }
    assert_eq!(stored.journey().page_views(), 9 * 250);
}

#[test]
fn stubs_and_actions_are_bounded_too() {
    let mut stored = Stored::default();
    for minute in 0..limits::VISITOR_ROWS as i64 * 3 {
        let kind = ActionKind::Identify;
        let action = Action {
            id: EventId::new(minute * MINUTE, [1; 10]),
            page: id(minute),
            at_ms: minute * MINUTE,
            kind,
        };
        stored.take(minute, vec![Arrival::Act(action)]);
        assert!(stored.rows.len() <= 2 * limits::VISITOR_ROWS + 1, "{minute}");
    }
    let record = stored.record.unwrap();
    let actions = record.actions + record.summed_up.unwrap().actions;
    assert_eq!(actions as usize, limits::VISITOR_ROWS * 3);
}

#[test]
fn nobody_is_known_from_long_before() {
    const DAY: i64 = 24 * 60;
    let mut stored = Stored::default();
    let first = |stored: &Stored| stored.journey().touches[0].at_ms / MINUTE;
    stored.take(40 * DAY, vec![view(11 * DAY)]);
    assert_eq!(first(&stored), 39 * DAY);
    // A visitor that was already known then may send an event late.
    stored.take(60 * DAY, vec![view(45 * DAY)]);
    let touches = stored.journey().touches;
    assert_eq!(touches.last().unwrap().at_ms / MINUTE, 45 * DAY);
    stored.take(60 * DAY, vec![view(12 * DAY)]);
    assert_eq!(first(&stored), 39 * DAY);
}

proptest! {
    /// As long as nothing is summed up, the order of arrival does not matter.
    #[test]
    fn any_order_of_arrival(
        minutes in proptest::collection::vec(0..300i64, 1..30),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let mut events: Vec<Arrival> = minutes
            .iter()
            .flat_map(|minute| [view(*minute), raise(*minute, *minute as u32)])
            .collect();
        let journey = |events: &[Arrival]| {
            let mut stored = Stored::default();
            for event in events {
                stored.take(0, vec![event.clone()]);
            }
            stored.journey()
        };
        let expected = journey(&events);
        for (from, to) in order.iter().enumerate() {
            let (from, to) = (from % events.len(), to.index(events.len()));
            events.swap(from, to);
        }
        prop_assert_eq!(journey(&events), expected);
    }
}
