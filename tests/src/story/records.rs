//! The chapter on records: what is reported about leads after they converted.

use super::scene::{START_MS, a_lead, site};
use clew_store::{
    DeliveriesOf, DeliveryFilter, DeliveryKind, DeliveryState, DestinationId, LeadKey,
    MOST_UNMATCHED, NewRecord, Record, Recorded, Store, Unmatched,
};
use futures_util::future::join_all;
use shared::deal::{DealEvent, LedgerEntry};
use shared::ids::{LeadId, SiteId};
use shared::lead::IdentityKind;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::link::CrmLink;
use shared::money::Money;

/// Later than anything that is claimed.
const NEVER_DUE_MS: i64 = i64::MAX / 4;

/// A record that a lead entered a stage, with a reference.
pub fn stage(to: Stage, at_ms: i64, reference: &str) -> Record {
    Record::Stage(StageChange {
        to,
        entered_at_ms: at_ms,
        recorded_at_ms: at_ms,
        by: Origin::Api,
        reason: Some("Café \"日本\"".into()),
        reference: reference.into(),
    })
}

/// A record of a deal's event, with a reference.
pub fn deal(id: &str, event: DealEvent, minor: i64, reference: &str) -> Record {
    let amount = Money { minor, currency: "EUR".parse().unwrap() };
    Record::Deal(LedgerEntry {
        deal: id.into(),
        event,
        amount: (minor != 0).then_some(amount),
        at_ms: START_MS,
        recorded_at_ms: START_MS,
        source: Origin::Crm("crm".into()),
        reference: reference.into(),
    })
}

/// A record that a lead is a HubSpot contact, with a reference.
pub fn link(id: &str, reference: &str) -> Record {
    Record::Link(CrmLink {
        provider: "hubspot".into(),
        object: "contact".into(),
        id: id.into(),
        url: Some(format!("https://crm.test/contact/{id}?\"日本\"")),
        linked_at_ms: START_MS,
        reference: reference.into(),
    })
}

/// A record is stored once. The deal and the CRM record that it names keep leading to the same
/// lead.
pub(super) async fn are_kept_once(store: &dyn Store) {
    let anna = a_lead(store, "records-a@example.com").await;
    let bert = a_lead(store, "records-b@example.com").await;
    let store_record = async |lead: LeadId, record: &Record, crm_record: Option<&str>| {
        let crm_record = crm_record.map(Into::into);
        let (record, destinations) = (record.clone(), vec!["crm".into()]);
        let due_at_ms = NEVER_DUE_MS;
        let new = NewRecord { lead, record, crm_record, destinations, due_at_ms };
        store.record(new).await.unwrap()
    };
    let found = async |kind, value: &str| store.find_lead(&site(), kind, value).await.unwrap();
    let (new, again) = (Recorded::Stored { repeated: false }, Recorded::Stored { repeated: true });
    let before = store.lead(anna).await.unwrap();

    let mql = stage(Stage::Mql, START_MS, "1");
    assert_eq!(store_record(anna, &mql, Some("hubspot:contact:151")).await, new);
    assert_eq!(store_record(anna, &mql, None).await, again);
    // The same record at another time.
    assert_eq!(store_record(anna, &stage(Stage::Mql, START_MS + 5, "1"), None).await, again);
    assert_eq!(store.records(anna).await.unwrap(), std::slice::from_ref(&mql));
    assert_eq!(
        store_record(anna, &stage(Stage::Sql, START_MS, "1"), None).await,
        Recorded::ReferenceUsed
    );
    assert_eq!(store_record(bert, &mql, None).await, new, "each lead has its own references");
    assert_eq!(found(IdentityKind::CrmRecord, "hubspot:contact:151").await, Some(anna));

    let won = deal("D-1", DealEvent::Won, 120_000, "2");
    assert_eq!(store_record(anna, &won, None).await, new);
    assert_eq!(store_record(anna, &won, None).await, again);
    assert_eq!(found(IdentityKind::Deal, "crm:crm:D-1").await, Some(anna));
    assert_eq!(store.records(anna).await.unwrap().len(), 2);

    // What belongs to another lead is not stored at all.
    let taken = |kind| Recorded::IdentityTaken(kind, anna);
    let changed = deal("D-1", DealEvent::AmountChanged, 5, "3");
    assert_eq!(
        store_record(bert, &changed, Some("hubspot:contact:9")).await,
        taken(IdentityKind::Deal)
    );
    assert_eq!(found(IdentityKind::CrmRecord, "hubspot:contact:9").await, None);
    let sql = stage(Stage::Sql, START_MS, "4");
    assert_eq!(
        store_record(bert, &sql, Some("hubspot:contact:151")).await,
        taken(IdentityKind::CrmRecord)
    );
    assert_eq!(store.records(bert).await.unwrap(), std::slice::from_ref(&mql));
    let nobody = LeadId::new(START_MS, rand::random());
    assert_eq!(store_record(nobody, &mql, Some("hubspot:contact:10")).await, Recorded::NoLead);
    assert_eq!(found(IdentityKind::CrmRecord, "hubspot:contact:10").await, None);
    assert_eq!(store.records(nobody).await.unwrap(), []);
    assert_eq!(store.lead(anna).await.unwrap(), before);

    // Of several concurrent reports one is first.
    let last = deal("D-2", DealEvent::Won, 1, "5");
    let results =
        futures_util::future::join_all((0..8).map(|_| store_record(anna, &last, None))).await;
    assert_eq!(results.iter().filter(|result| **result == new).count(), 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| **result == again).count(), 7, "{results:?}");
    let raced = deal("D-3", DealEvent::Won, 1, "6");
    let both = futures_util::future::join(
        store_record(anna, &raced, None),
        store_record(bert, &raced, None),
    )
    .await;
    let owner = found(IdentityKind::Deal, "crm:crm:D-3").await.unwrap();
    let (winner, loser) = if owner == anna { (both.0, both.1) } else { (both.1, both.0) };
    assert_eq!((winner, loser), (new, Recorded::IdentityTaken(IdentityKind::Deal, owner)));
}

/// A record's deliveries are created in the step that stores it, and never again.
pub(super) async fn are_handed_off_once(store: &dyn Store) {
    let lead = a_lead(store, "records-c@example.com").await;
    let destinations: Vec<DestinationId> = vec!["told-1".into(), "told-2".into()];
    let store_record = async |record: Record, expected| {
        let (destinations, due_at_ms) = (destinations.clone(), NEVER_DUE_MS);
        let new = NewRecord { lead, record, crm_record: None, destinations, due_at_ms };
        assert_eq!(store.record(new).await.unwrap(), expected);
    };
    let handed_off = async || {
        let (site, of) = (site(), DeliveriesOf::Lead(lead));
        let filter = DeliveryFilter { site, of, state: None, after: None, limit: 99 };
        let mut all = store.deliveries(filter).await.unwrap();
        all.retain(|delivery| destinations.contains(&delivery.destination));
        all.sort_by_key(|delivery| (delivery.created_at_ms, delivery.destination.clone()));
        all
    };
    let (new, again) = (Recorded::Stored { repeated: false }, Recorded::Stored { repeated: true });
    let mql = stage(Stage::Mql, START_MS + 1, "1");
    let mut won = deal("D-9", DealEvent::Won, 5, "2");
    if let Record::Deal(entry) = &mut won {
        entry.recorded_at_ms = START_MS + 2;
    }
    store_record(mql.clone(), new).await;
    store_record(won.clone(), new).await;
    store_record(link("handed-off", "3"), new).await;
    let made = handed_off().await;
    let delivered: Vec<_> =
        made.iter().map(|made| (made.kind, made.subject, made.destination.to_string())).collect();
    let (stage_changed, revenue) = (DeliveryKind::StageChanged, DeliveryKind::Revenue);
    let expected = [
        (stage_changed, mql.id().uuid(), "told-1".to_owned()),
        (stage_changed, mql.id().uuid(), "told-2".to_owned()),
        (revenue, won.id().uuid(), "told-1".to_owned()),
        (revenue, won.id().uuid(), "told-2".to_owned()),
    ];
    assert_eq!(delivered, expected);
    for made in &made {
        let waits = (made.state, made.due_at_ms, made.attempts, made.claims);
        assert_eq!(waits, (DeliveryState::Pending, NEVER_DUE_MS, 0, 0));
        assert_eq!(store.delivery(made.id).await.unwrap().as_ref(), Some(made));
        assert_eq!(made.conversion(), None);
    }
    store_record(mql, again).await;
    store_record(won, again).await;
    store_record(stage(Stage::Sql, START_MS, "1"), Recorded::ReferenceUsed).await;
    assert_eq!(handed_off().await, made);
}

/// The link to a CRM record is stored once, finds its lead, and cannot be taken by another lead.
pub(super) async fn link_leads_with_a_crm(store: &dyn Store) {
    let anna = a_lead(store, "records-d@example.com").await;
    let bert = a_lead(store, "records-e@example.com").await;
    let store_record = async |lead, record, crm_record: Option<&str>| {
        let (crm_record, destinations) = (crm_record.map(Into::into), Vec::new());
        let new = NewRecord { lead, record, crm_record, destinations, due_at_ms: 0 };
        store.record(new).await.unwrap()
    };
    let found =
        async |value| store.find_lead(&site(), IdentityKind::CrmRecord, value).await.unwrap();
    let (new, again) = (Recorded::Stored { repeated: false }, Recorded::Stored { repeated: true });
    assert_eq!(store_record(anna, link("501", "1"), Some("hubspot:contact:501")).await, new);
    assert_eq!(store_record(anna, link("501", "1"), None).await, again);
    assert_eq!(store_record(anna, link("502", "1"), None).await, Recorded::ReferenceUsed);
    assert_eq!(found("hubspot:contact:501").await, Some(anna));
    let taken = Recorded::IdentityTaken(IdentityKind::CrmRecord, anna);
    assert_eq!(store_record(bert, link("501", "1"), None).await, taken);
    assert_eq!(store.records(bert).await.unwrap(), []);
    // The CRM merged it into another record; both find the lead.
    assert_eq!(store_record(anna, link("502", "2"), None).await, new);
    assert_eq!(found("hubspot:contact:502").await, Some(anna));
    assert_eq!(found("hubspot:contact:501").await, Some(anna));
    let records = store.records(anna).await.unwrap();
    assert_eq!(records.len(), 2);
    for link_record in [link("501", "1"), link("502", "2")] {
        assert!(records.contains(&link_record), "{link_record:?}");
    }
}

/// A site with too many unmatched records keeps the latest.
pub(super) async fn are_limited_when_unmatched(store: &dyn Store) {
    let (full, other) = ("unmatched-full", "unmatched-other");
    let [full, other] = [full, other].map(|name| SiteId::parse(name).unwrap());
    let unmatched = |site: &SiteId, number: usize| Unmatched {
        site: site.clone(),
        keys: vec![LeadKey::Email(format!("nobody-{number}@example.com"))],
        record: stage(Stage::Mql, START_MS + number as i64, "1"),
        crm_record: None,
    };
    let of_full = (0..MOST_UNMATCHED + 3).map(|number| unmatched(&full, number));
    let all: Vec<_> = of_full.chain([unmatched(&other, 0)]).collect();
    for some in all.chunks(500) {
        let kept = some.iter().map(|one| store.keep_unmatched(one.clone()));
        join_all(kept).await.into_iter().for_each(Result::unwrap);
    }
    assert_eq!(store.forget_unmatched().await.unwrap(), 3);
    assert_eq!(store.forget_unmatched().await.unwrap(), 0);
    let left = store.unmatched(&full, None, 2 * MOST_UNMATCHED).await.unwrap();
    let oldest = left.iter().map(|one| one.record.recorded_at_ms()).min();
    let expected = all[3].record.recorded_at_ms();
    assert_eq!((left.len(), oldest), (MOST_UNMATCHED, Some(expected)));
    assert_eq!(store.unmatched(&other, None, 9).await.unwrap(), all[all.len() - 1..]);
}

/// An unmatched record is stored once, and unmatched records are listed page by page.
pub(super) async fn are_kept_unmatched(store: &dyn Store) {
    let unmatched = |number: usize| Unmatched {
        site: site(),
        keys: vec![LeadKey::Email(format!("nobody-{number}@example.com"))],
        // The same for all: they are distinguished by their keys.
        record: stage(Stage::Mql, START_MS, "1"),
        crm_record: Some("hubspot:contact:7".into()),
    };
    let mut all: Vec<Unmatched> = (0..5).map(unmatched).collect();
    for record in all.iter().chain(&all) {
        store.keep_unmatched(record.clone()).await.unwrap();
    }
    all.sort_by_key(Unmatched::id);
    let first = store.unmatched(&site(), None, 3).await.unwrap();
    assert_eq!(first, all[..3]);
    let rest = store.unmatched(&site(), Some(first[2].id()), 9).await.unwrap();
    assert_eq!(rest, all[3..]);
    let other = SiteId::parse("demo-2").unwrap();
    assert_eq!(store.unmatched(&other, None, 9).await.unwrap(), []);
}
