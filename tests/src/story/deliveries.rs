//! The chapter on deliveries: claimed, settled, put off, and attempted in each lead's order.

use super::records::stage;
use super::scene::{MINUTE, START_MS, conversion, convert};
use clew_store::{
    Claim, DeliveriesOf, Delivery, DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState, Latest,
    NewConversion, NewRecord, Recorded, Settlement, Store,
};
use shared::ids::{LeadId, SiteId};
use shared::lifecycle::Stage;
use shared::limits::DAY_MS;

/// Claims from a chapter's own destination, so that it gets no other chapter's deliveries.
async fn claim(store: &dyn Store, to: &str, now_ms: i64, limit: usize) -> Vec<Delivery> {
    let (destination, lease_until_ms) = (to.into(), now_ms + 45_000);
    store.claim_deliveries(Claim { destination, now_ms, lease_until_ms, limit }).await.unwrap()
}

/// Converts a person, with one delivery that is due at `due_at_ms`.
async fn converts(
    store: &dyn Store,
    to: &str,
    email: &str,
    at_ms: i64,
    due_at_ms: i64,
) -> (LeadId, DeliveryId) {
    let mut new = conversion(at_ms, None, email, None);
    (new.destinations, new.due_at_ms) = (vec![to.into()], due_at_ms);
    let (lead, id, _) = convert(store, new).await;
    (lead, DeliveryId::of(lead, &to.into(), DeliveryKind::Converted, id.0))
}

/// A due delivery is claimed once, comes back when its lease ends, is settled, and can be replayed.
pub(super) async fn are_claimed_and_settled(store: &dyn Store) {
    // A time of its own, before every other chapter's deliveries are due.
    let start = START_MS - 40 * DAY_MS;
    let (lead, ..) = convert(store, conversion(start, None, "d@example.com", None)).await;
    assert_eq!(claim(store, "other", start + 10_000, 10).await, []);
    let claim = |now_ms| claim(store, "crm", now_ms, 10);
    assert_eq!(claim(start + 9_999).await, []);
    let claimed = claim(start + 10_000).await;
    assert_eq!(
        (claimed.len(), claimed[0].state, claimed[0].attempts),
        (1, DeliveryState::Sending, 1)
    );
    let id = claimed[0].id;
    assert_eq!(id.lead, lead);
    // Nobody else gets it while the lease runs.
    assert_eq!(claim(start + 10_000).await, []);

    assert_eq!(store.freeze_delivery(id, b"first".into()).await.unwrap(), b"first");
    assert_eq!(store.freeze_delivery(id, b"second".into()).await.unwrap(), b"first");
    assert_eq!(store.delivery_body(id).await.unwrap().as_deref(), Some(&b"first"[..]));

    let again = claim(start + 55_000).await;
    assert_eq!((again.len(), again[0].id, again[0].attempts), (1, id, 2), "the lease ran out");
    // A worker that has lost its lease settles nothing.
    store.settle_delivery(id, 1, Settlement::Sent { at_ms: start }).await.unwrap();
    assert_eq!(store.delivery(id).await.unwrap().unwrap().state, DeliveryState::Sending);
    let retry = Settlement::Retry { at_ms: start + 100_000, error: "500".into() };
    store.settle_delivery(id, 2, retry).await.unwrap();
    let waiting = store.delivery(id).await.unwrap().unwrap();
    assert_eq!((waiting.state, waiting.error.as_deref()), (DeliveryState::Retry, Some("500")));
    assert_eq!(claim(start + 99_999).await, []);
    assert_eq!(claim(start + 100_000).await.len(), 1);
    let dead = Settlement::Dead { at_ms: start + 100_000, error: "gone".into() };
    store.settle_delivery(id, 3, dead).await.unwrap();
    assert_eq!(claim(start + 300_000).await, [], "dead deliveries are not claimed");

    assert!(store.replay_delivery(id, start + 300_000).await.unwrap());
    assert_eq!(claim(start + 300_000).await[0].attempts, 1);
    store.settle_delivery(id, 4, Settlement::Sent { at_ms: start + 300_000 }).await.unwrap();
    let sent = store.delivery(id).await.unwrap().unwrap();
    assert_eq!((sent.state, sent.error), (DeliveryState::Sent, None));
    assert_eq!(claim(start + 900_000).await, []);
}

/// However often a delivery is put off, that does not count as an attempt.
pub(super) async fn wait_without_counting(store: &dyn Store) {
    let (_, id) = converts(store, "waits", "waits@example.com", START_MS, START_MS).await;
    for turn in 1..=5 {
        let now_ms = START_MS + i64::from(turn) * MINUTE;
        let claimed = claim(store, "waits", now_ms, 9).await;
        assert_eq!((claimed.len(), claimed[0].attempts, claimed[0].claims), (1, 1, turn));
        let wait = Settlement::Wait { at_ms: now_ms + MINUTE, reason: "429".into() };
        // Only the last claim settles it, although every attempt so far was number 1.
        store.settle_delivery(id, turn - 1, Settlement::Sent { at_ms: now_ms }).await.unwrap();
        store.settle_delivery(id, turn, wait).await.unwrap();
        let waiting = store.delivery(id).await.unwrap().unwrap();
        assert_eq!((waiting.state, waiting.attempts), (DeliveryState::Retry, 0));
        assert_eq!((waiting.due_at_ms, waiting.error.as_deref()), (now_ms + MINUTE, Some("429")));
        assert_eq!(claim(store, "waits", now_ms, 9).await, []);
    }
    // The outcome of an attempt that began before a replay is ignored.
    let now_ms = START_MS + 10 * MINUTE;
    assert_eq!(claim(store, "waits", now_ms, 9).await[0].claims, 6);
    assert!(store.replay_delivery(id, now_ms).await.unwrap());
    let again = claim(store, "waits", now_ms, 9).await;
    assert_eq!((again[0].attempts, again[0].claims), (1, 7));
    store.settle_delivery(id, 6, Settlement::Sent { at_ms: now_ms }).await.unwrap();
    assert_eq!(store.delivery(id).await.unwrap().unwrap().state, DeliveryState::Sending);
    store.settle_delivery(id, 7, Settlement::Sent { at_ms: now_ms }).await.unwrap();
    assert_eq!(store.delivery(id).await.unwrap().unwrap().state, DeliveryState::Sent);
}

/// A destination's deliveries of one lead are attempted in the order in which they were created,
/// each after the one before it is settled, whatever their due times.
pub(super) async fn keep_each_leads_order(store: &dyn Store) {
    let to = "line";
    let (lead, first) = converts(store, to, "line@example.com", START_MS, START_MS + 10_000).await;
    let (_, second) = converts(store, to, "line@example.com", START_MS + 1, START_MS + 5_000).await;
    let record = stage(Stage::Mql, START_MS + 2, "line");
    let reported = DeliveryId::of(lead, &to.into(), DeliveryKind::StageChanged, record.id().uuid());
    let (destinations, due_at_ms) = (vec![to.into()], START_MS + 7_000);
    let new = NewRecord { lead, record, crm_record: None, destinations, due_at_ms };
    assert_eq!(store.record(new).await.unwrap(), Recorded::Stored { repeated: false });
    let (_, other) = converts(store, to, "line-2@example.com", START_MS, START_MS + 8_000).await;

    let claims = async |after_ms: i64| -> Vec<(DeliveryId, u32)> {
        let claimed = claim(store, to, START_MS + after_ms, 9).await;
        claimed.into_iter().map(|delivery| (delivery.id, delivery.claims)).collect()
    };
    let due = async |id| store.delivery(id).await.unwrap().unwrap().due_at_ms - START_MS;
    let settle = async |id, claim, settlement| {
        store.settle_delivery(id, claim, settlement).await.unwrap();
    };
    let (at_ms, error) = (START_MS + 20_000, String::from("500"));
    let sent = || Settlement::Sent { at_ms };

    // Another lead's delivery does not wait with them.
    assert_eq!(claims(9_999).await, [(other, 1)]);
    assert_eq!((due(second).await, due(reported).await), (10_001, 10_001));
    assert_eq!(store.delivery(second).await.unwrap().unwrap().state, DeliveryState::Pending);
    assert_eq!(claims(10_001).await, [(first, 1)]);
    // While the first is attempted, the others are moved by a second.
    assert_eq!((due(second).await, due(reported).await), (11_001, 11_001));
    settle(first, 1, Settlement::Retry { at_ms, error: error.clone() }).await;
    assert_eq!(claims(11_001).await, []);
    assert_eq!((due(second).await, due(reported).await), (20_001, 20_001));
    assert_eq!(claims(20_000).await, [(first, 2)]);
    settle(first, 2, sent()).await;
    assert_eq!(claims(20_001).await, [(second, 1)]);
    assert!(due(reported).await > 20_001);
    // A dead delivery holds up nothing; when replayed, it comes before later ones that are not
    // settled.
    settle(second, 1, Settlement::Dead { at_ms, error }).await;
    assert!(store.replay_delivery(second, START_MS + 21_000).await.unwrap());
    assert_eq!(claims(21_001).await, [(second, 2)]);
    settle(second, 2, Settlement::Dead { at_ms, error: "400".into() }).await;
    assert_eq!(claims(22_001).await, [(reported, 1)]);
    assert_eq!(store.delivery(reported).await.unwrap().unwrap().kind, DeliveryKind::StageChanged);
    settle(reported, 1, sent()).await;
    assert_eq!(claims(900_000).await, [(other, 2)]);
}

/// Deliveries and leases that a wrong clock put far ahead fall due once the clock is right.
/// Deliveries that are due later for a good reason keep their time.
pub(super) async fn are_recalled(store: &dyn Store) {
    let (to, now_ms) = ("recalled", START_MS + 50 * DAY_MS);
    let year_ms = now_ms + 365 * DAY_MS;
    let latest = Latest { due_ms: now_ms + DAY_MS, lease_ms: now_ms + MINUTE };
    let converts = async |email: &str, due_ms| converts(store, to, email, now_ms, due_ms).await.1;
    let claimed = converts("recalled-1@example.com", now_ms).await;
    assert_eq!(claim(store, to, year_ms, 9).await.len(), 1);
    let leased = converts("recalled-2@example.com", now_ms).await;
    assert_eq!(claim(store, to, now_ms + MINUTE, 9).await.len(), 1);
    let retried = converts("recalled-3@example.com", now_ms).await;
    assert_eq!(claim(store, to, now_ms, 9).await.len(), 1);
    let retry = Settlement::Retry { at_ms: year_ms, error: "500".into() };
    store.settle_delivery(retried, 1, retry).await.unwrap();
    let sent = converts("recalled-4@example.com", now_ms).await;
    assert_eq!(claim(store, to, now_ms, 9).await.len(), 1);
    store.settle_delivery(sent, 1, Settlement::Sent { at_ms: year_ms }).await.unwrap();
    let stranded = converts("recalled-5@example.com", year_ms).await;
    let waiting = converts("recalled-6@example.com", now_ms + DAY_MS).await;

    assert_eq!(claim(store, to, now_ms, 9).await, []);
    // Other chapters leave deliveries that are due years ahead.
    assert!(store.recall_deliveries(now_ms, latest).await.unwrap() >= 4);
    assert_eq!(store.recall_deliveries(now_ms, latest).await.unwrap(), 0);
    let state = async |id| {
        let delivery = store.delivery(id).await.unwrap().unwrap();
        (delivery.state, delivery.due_at_ms)
    };
    assert_eq!(state(sent).await, (DeliveryState::Sent, year_ms));
    assert_eq!(state(waiting).await, (DeliveryState::Pending, now_ms + DAY_MS));
    let mut due: Vec<_> = claim(store, to, now_ms, 9).await.into_iter().map(|one| one.id).collect();
    let mut expected = [claimed, leased, retried, stranded];
    due.sort();
    expected.sort();
    assert_eq!(due, expected);
}

/// A hundred leads whose first delivery is under way hold up neither other leads nor, once it is
/// settled, their own next deliveries.
pub(super) async fn hold_up_nobody_else(store: &dyn Store) {
    const LEADS: usize = 100;
    let (to, now_ms) = ("queue", START_MS + MINUTE);
    for (turn, at_ms) in [START_MS, START_MS + 1].into_iter().enumerate() {
        for number in 0..LEADS {
            let email = format!("queue-{number}@example.com");
            converts(store, to, &email, at_ms, START_MS).await;
        }
        if turn == 0 {
            assert_eq!(claim(store, to, START_MS, LEADS).await.len(), LEADS);
        }
    }
    let (_, other) = converts(store, to, "queue@example.com", START_MS, START_MS + 1).await;
    // It is due last; the leases of the first deliveries still run.
    let claimed = claim(store, to, START_MS + 10, 2).await;
    assert_eq!(claimed.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [other]);

    // The leases have ended: each lead's first delivery is claimed again, and none behind it.
    let mut tried = Vec::new();
    loop {
        let some = claim(store, to, now_ms, 30).await;
        if some.is_empty() {
            break;
        }
        tried.extend(some);
    }
    assert_eq!(tried.len(), LEADS + 1);
    assert!(
        tried.iter().all(|delivery| (delivery.claims, delivery.created_at_ms) == (2, START_MS))
    );
    for delivery in &tried {
        let sent = Settlement::Sent { at_ms: now_ms };
        store.settle_delivery(delivery.id, delivery.claims, sent).await.unwrap();
    }
    let rest = claim(store, to, now_ms + MINUTE, 2 * LEADS).await;
    assert_eq!(rest.len(), LEADS);
    assert!(rest.iter().all(|delivery| delivery.created_at_ms == START_MS + 1));
}

/// Deliveries are listed by site, lead or destination, and by state, page by page, without those of
/// another destination or site.
pub(super) async fn are_listed(store: &dyn Store) {
    let (site, other) = ("listed-deliveries", "listed-elsewhere");
    let [site, other] = [site, other].map(|name| SiteId::parse(name).unwrap());
    let at_ms = START_MS + 20 * DAY_MS;
    let mut leads = Vec::new();
    for (number, site) in [(0, &site), (1, &site), (2, &site), (3, &other)] {
        let email = format!("listed-{number}@example.com");
        let mut new = conversion(at_ms + number, None, &email, None);
        new.destinations = vec!["listed-1".into(), "listed-2".into()];
        let new = NewConversion { site: site.clone(), due_at_ms: i64::MAX / 4, ..new };
        leads.push(convert(store, new).await.0);
    }
    let list = async |site: &SiteId, of: &DeliveriesOf, state, after, limit| {
        let (site, of) = (site.clone(), of.clone());
        store.deliveries(DeliveryFilter { site, of, state, after, limit }).await.unwrap()
    };
    let to = |name: &str| DeliveriesOf::Destination(name.into());
    for (site, of, expected) in [
        (&site, DeliveriesOf::Site, 6),
        (&other, DeliveriesOf::Site, 2),
        (&site, DeliveriesOf::Lead(leads[0]), 2),
        (&site, DeliveriesOf::Lead(leads[3]), 0),
        (&site, to("listed-1"), 3),
        (&other, to("listed-1"), 1),
        (&site, to("listed-3"), 0),
    ] {
        let all = list(site, &of, None, None, 99).await;
        assert_eq!(all.len(), expected, "{of:?}");
        assert!(all.iter().all(|one| one.site == *site && one.state == DeliveryState::Pending));
        if let DeliveriesOf::Destination(to) = &of {
            assert!(all.iter().all(|one| one.destination == *to), "{of:?}");
        }
        // The same, read page by page.
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = list(site, &of, Some(DeliveryState::Pending), after, 2).await;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            pages.extend(page);
        }
        assert_eq!(pages, all, "{of:?}");
        assert_eq!(list(site, &of, Some(DeliveryState::Sent), None, 99).await, []);
    }
}
