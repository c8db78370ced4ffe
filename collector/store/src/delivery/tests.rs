//! Unit tests of deliveries: ids, the order per lead, and what counts as an attempt.

use super::*;
use xxhash_rust::xxh3::xxh3_128;

fn delivery(kind: DeliveryKind, created_at_ms: i64, hash: u8) -> Delivery {
    let lead = Lead::new(LeadId::new(0, [1; 10]), SiteId::parse("demo").unwrap(), 0);
    let event = (kind, Uuid::from_u128(hash.into()));
    let mut delivery = Delivery::new(&lead, "crm".into(), event, created_at_ms, created_at_ms);
    delivery.id.hash = [hash; 16];
    delivery
}

/// Receivers identify deliveries by these ids, so they must never change.
#[test]
fn ids_stay_what_they_are() {
    let lead = LeadId::parse("0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11").unwrap();
    let subject = ConversionId::parse("0197A2B4-7C1E-7D8A-9F00-5B2F6F1F0C12").unwrap();
    for (kind, name) in [
        (DeliveryKind::Converted, "lead.converted"),
        (DeliveryKind::StageChanged, "lead.stage_changed"),
        (DeliveryKind::Revenue, "lead.revenue"),
    ] {
        let hashed = format!("crm\0{name}\00197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c12");
        let id = DeliveryId::of(lead, &"crm".into(), kind, subject.0);
        assert_eq!(id, DeliveryId { lead, hash: xxh3_128(hashed.as_bytes()).to_be_bytes() });
        assert_eq!(DeliveryId::parse(&id.to_text()), Some(id));
        assert_eq!(DeliveryKind::parse(name), Some(kind));
    }
}

#[test]
fn behind_the_first_of_a_line() {
    let mut first = delivery(DeliveryKind::Converted, 1, 1);
    let mut second = delivery(DeliveryKind::Revenue, 2, 2);
    first.due_at_ms = 50;
    second.wait_behind(&first, 10);
    assert_eq!(second.due_at_ms, 51);
    first.claim(60);
    second.wait_behind(&first, 10);
    assert_eq!(second.due_at_ms, 10 + LOOK_AGAIN_MS);
}

#[test]
fn what_counts_and_what_does_not() {
    let mut delivery = delivery(DeliveryKind::Converted, 0, 1);
    let mut check = |change: &dyn Fn(&mut Delivery), expected: (DeliveryState, u32, u32)| {
        change(&mut delivery);
        assert_eq!((delivery.state, delivery.attempts, delivery.claims), expected);
    };
    let wait = |claim| {
        let settlement = Settlement::Wait { at_ms: 5, reason: "429".into() };
        move |delivery: &mut Delivery| delivery.settle(claim, settlement.clone())
    };
    let retry = |claim| {
        let settlement = Settlement::Retry { at_ms: 5, error: "500".into() };
        move |delivery: &mut Delivery| delivery.settle(claim, settlement.clone())
    };
    let claim = |delivery: &mut Delivery| delivery.claim(9);
    check(&claim, (DeliveryState::Sending, 1, 1));
    check(&wait(1), (DeliveryState::Retry, 0, 1));
    check(&wait(1), (DeliveryState::Retry, 0, 1));
    check(&claim, (DeliveryState::Sending, 1, 2));
    check(&retry(1), (DeliveryState::Sending, 1, 2));
    check(&retry(2), (DeliveryState::Retry, 1, 2));
    check(&|delivery| delivery.replay(7), (DeliveryState::Pending, 0, 2));
    check(&claim, (DeliveryState::Sending, 1, 3));
    // The attempt that was running during the replay settles too late, although it too was a first
    // attempt.
    check(&retry(1), (DeliveryState::Sending, 1, 3));
}
