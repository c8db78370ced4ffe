//! The chapter on leads: what a conversion creates, and how leads are listed and read.

use super::records::{deal, stage};
use super::scene::{
    MINUTE, START_MS, arrivals, conversion, convert, page_view, proposal, shown, site,
};
use crate::wire::new_visitor;
use clew_store::{Converted, Idempotency, NewConversion, NewRecord, Store};
use shared::deal::DealEvent;
use shared::ids::{LeadId, SiteId};
use shared::lead::{IdentityKind, LeadStatus, NamedBy};
use shared::lifecycle::Stage;
use shared::limits::{self, DAY_MS};
use shared::visit::Trail;

/// A conversion creates lead, conversion and deliveries in one step; repeats change nothing.
pub(super) async fn come_with_deliveries(store: &dyn Store) {
    let visitor = new_visitor();
    let view = page_view(START_MS, "google");
    let later = page_view(START_MS + 5 * MINUTE, "bing");
    store.ingest(arrivals(visitor, vec![shown(&view), shown(&later)])).await.unwrap();
    let mut new = conversion(START_MS + MINUTE, Some(visitor), "One@example.com", None);
    new.idempotency = Some(Idempotency { key: "one".into(), request: [1; 32] });
    let (lead, id, repeated) = convert(store, new.clone()).await;
    assert_eq!((lead, id, repeated), (new.new_lead, new.conversion.id, false));

    let stored = store.lead(lead).await.unwrap().unwrap();
    assert_eq!((stored.conversions, stored.joins.len(), stored.joins[0].visitor), (1, 1, visitor));
    assert_eq!(store.visitor(&site(), visitor).await.unwrap().unwrap().lead, Some(lead));
    assert_eq!(
        store.find_lead(&site(), IdentityKind::Email, "one@example.com").await.unwrap(),
        Some(lead)
    );

    // the same key: the same result; with another request: refused; the same conversion: the same
    // result
    let mut again = conversion(START_MS + 2 * MINUTE, Some(visitor), "one@example.com", None);
    again.idempotency = new.idempotency.clone();
    assert_eq!(convert(store, again.clone()).await, (lead, id, true));
    again.idempotency = Some(Idempotency { key: "one".into(), request: [2; 32] });
    assert_eq!(store.convert(again.clone()).await.unwrap(), Converted::KeyReused);
    new.idempotency = None;
    assert_eq!(convert(store, new).await, (lead, id, true));
    assert_eq!(store.lead(lead).await.unwrap().unwrap(), stored);

    // a day later the key is forgotten
    assert!(store.expire(START_MS + DAY_MS + 2 * MINUTE).await.unwrap() >= 1);
    assert!(!convert(store, again).await.2);
    assert_eq!(store.lead(lead).await.unwrap().unwrap().conversions, 2);
}

/// A lead's conversions are limited, and those that pages report leave room for the others.
pub(super) async fn are_bounded(store: &dyn Store) {
    let mut converted = 0;
    let mut convert = async |by: NamedBy, visitor| {
        converted += 1;
        let at_ms = START_MS + converted;
        let mut new = conversion(at_ms, Some(visitor), "many@example.com", None);
        (new.named_by, new.destinations) = (Some(by), Vec::new());
        match store.convert(new).await.unwrap() {
            Converted::Stored { .. } => true,
            Converted::LeadFull(_) => false,
            Converted::KeyReused => panic!("no key was sent"),
        }
    };
    let own = new_visitor();
    store.ingest(arrivals(own, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    assert!(convert(NamedBy::Cookie, own).await);
    for said in 1..=limits::LEAD_PAGE_CONVERSIONS + 1 {
        let stranger = new_visitor();
        store.ingest(arrivals(stranger, vec![shown(&page_view(START_MS, "bing"))])).await.unwrap();
        let is_stored = convert(NamedBy::Page, stranger).await;
        assert_eq!(is_stored, said <= limits::LEAD_PAGE_CONVERSIONS, "{said}");
    }
    let next = new_visitor();
    store.ingest(arrivals(next, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    for made in 2..=limits::LEAD_CONVERSIONS + 1 {
        let is_stored = convert(NamedBy::Cookie, next).await;
        assert_eq!(is_stored, made <= limits::LEAD_CONVERSIONS, "{made}");
    }
    let lead = store.find_lead(&site(), IdentityKind::Email, "many@example.com").await.unwrap();
    let lead = store.lead(lead.unwrap()).await.unwrap().unwrap();
    assert_eq!(lead.conversions, limits::LEAD_CONVERSIONS + limits::LEAD_PAGE_CONVERSIONS);
    assert_eq!(lead.joins.len(), 2 + limits::LEAD_PAGE_JOINS);
    assert!(lead.joins.iter().any(|join| join.visitor == next), "the person's browser is joined");
}

/// What a page says without a key creates a lead beside those that are known, and changes none of
/// them.
pub(super) async fn are_proposed(store: &dyn Store) {
    let (known, stranger) = (new_visitor(), new_visitor());
    for visitor in [known, stranger] {
        store.ingest(arrivals(visitor, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    }
    let (lead, ..) =
        convert(store, conversion(START_MS, Some(known), "p1@example.com", None)).await;
    let before = store.dossiers(&[lead]).await.unwrap();
    let proposed = async || store.proposed_leads(&site(), None, 9).await.unwrap();

    let (first, ..) = convert(store, proposal(START_MS + 1, stranger, "p1@example.com")).await;
    assert_ne!(first, lead);
    // one proposal per browser, with the latest contact
    let again = convert(store, proposal(START_MS + 2, stranger, "p2@example.com")).await;
    assert_eq!((again.0, again.2), (first, false));
    let list = proposed().await;
    assert_eq!((list.len(), list[0].status), (1, LeadStatus::Proposed));
    assert_eq!(list[0].contact.email.as_deref(), Some("p2@example.com"));
    assert_eq!(
        store.find_lead(&site(), IdentityKind::Email, "p2@example.com").await.unwrap(),
        None
    );
    assert_eq!(store.visitor(&site(), stranger).await.unwrap().unwrap().lead, None);
    assert_eq!(store.undo_join(first, stranger, START_MS).await.unwrap(), None);
    // the person's own browser adds nothing new
    let own = convert(store, proposal(START_MS + 3, known, "P1@example.com")).await;
    assert_eq!((own.0, own.2), (lead, true));
    assert_eq!(store.dossiers(&[lead]).await.unwrap(), before);
    assert!(store.leads(&site(), None, 99).await.unwrap().iter().all(|lead| lead.id != first));

    // a proposal's conversions are limited, too
    for said in 3..=limits::PROPOSED_CONVERSIONS + 1 {
        let new = proposal(START_MS + 10 + i64::from(said), stranger, "p2@example.com");
        let stored = store.convert(new).await.unwrap();
        let is_full = stored == Converted::LeadFull(first);
        assert_eq!(is_full, said > limits::PROPOSED_CONVERSIONS, "{said}");
    }

    // a conversion with a key confirms the proposal
    let new = conversion(START_MS + 99, Some(stranger), "p2@example.com", None);
    let (confirmed, ..) = convert(store, new).await;
    assert_ne!(confirmed, first);
    let old = store.lead(first).await.unwrap().unwrap();
    assert_eq!(old.status, LeadStatus::Confirmed(confirmed));
    assert_eq!(proposed().await, []);
    let record = store.visitor(&site(), stranger).await.unwrap().unwrap();
    assert_eq!((record.lead, record.proposed), (Some(confirmed), None));
}

/// Leads are listed newest first, page by page.
pub(super) async fn are_listed(store: &dyn Store) {
    let mut made = Vec::new();
    for number in 0..5 {
        let email = format!("listed-{number}@example.com");
        let at_ms = START_MS + 20 * DAY_MS + number;
        made.push(convert(store, conversion(at_ms, None, &email, None)).await.0);
    }
    made.reverse();
    let page = store.leads(&site(), None, 3).await.unwrap();
    assert_eq!(page.iter().map(|lead| lead.id).collect::<Vec<_>>(), made[..3]);
    let page = store.leads(&site(), Some(made[2]), 2).await.unwrap();
    assert_eq!(page.iter().map(|lead| lead.id).collect::<Vec<_>>(), made[3..]);
    assert!(store.leads(&SiteId::parse("other").unwrap(), None, 9).await.unwrap().is_empty());
}

/// Leads are listed with the latest conversion first, however old the lead is, page by page.
pub(super) async fn are_listed_by_conversion(store: &dyn Store) {
    let site = SiteId::parse("by-conversion").unwrap();
    let convert = async |email: &str, at_ms| {
        let new = conversion(at_ms, None, email, None);
        convert(store, NewConversion { site: site.clone(), ..new }).await.0
    };
    let list = async |after, limit| {
        let leads = store.leads_by_conversion(&site, after, limit).await.unwrap();
        leads.iter().map(|lead| (lead.converted_at_ms, lead.id)).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, []);
    let anna = convert("by-conversion-a@example.com", START_MS).await;
    let bert = convert("by-conversion-b@example.com", START_MS + 1).await;
    let cleo = convert("by-conversion-c@example.com", START_MS + 2).await;
    let at = |lead, ms| (START_MS + ms, lead);
    assert_eq!(list(None, 9).await, [at(cleo, 2), at(bert, 1), at(anna, 0)]);

    assert_eq!(convert("by-conversion-a@example.com", START_MS + 3).await, anna);
    assert_eq!(list(None, 9).await, [at(anna, 3), at(cleo, 2), at(bert, 1)]);
    // A conversion that arrives late is not the latest one.
    assert_eq!(convert("by-conversion-c@example.com", START_MS - 5).await, cleo);
    // Among equal times, the younger lead comes first.
    assert_eq!(convert("by-conversion-b@example.com", START_MS + 2).await, bert);
    let (first, second) = (bert.max(cleo), bert.min(cleo));
    let all = [at(anna, 3), at(first, 2), at(second, 2)];
    assert_eq!(list(None, 9).await, all);
    for (index, last) in all.into_iter().enumerate() {
        assert_eq!(list(Some(last), 9).await, all[index + 1..]);
        assert_eq!(list(None, index).await, all[..index]);
    }
}

/// A lead is read with its conversions, records, deliveries and page views, and leads come in the
/// order asked for.
pub(super) async fn are_read_as_dossiers(store: &dyn Store) {
    let visitors = [new_visitor(), new_visitor()];
    let views = [page_view(START_MS, "google"), page_view(START_MS + MINUTE, "bing")];
    for (visitor, view) in visitors.iter().zip(&views) {
        store.ingest(arrivals(*visitor, vec![shown(view)])).await.unwrap();
    }
    let mut lead = None;
    for (minutes, visitor) in [(2, visitors[1]), (1, visitors[0])] {
        let at_ms = START_MS + minutes * MINUTE;
        let new = conversion(at_ms, Some(visitor), "dossier@example.com", None);
        lead = Some(convert(store, new).await.0);
    }
    let lead = lead.unwrap();
    let (other, ..) =
        convert(store, conversion(START_MS, None, "dossier-2@example.com", None)).await;
    let mut reported = [stage(Stage::Mql, START_MS, "1"), deal("D-10", DealEvent::Won, 5, "2")];
    for record in &reported {
        let (record, destinations) = (record.clone(), vec!["crm".into()]);
        let due_at_ms = i64::MAX / 4;
        let new = NewRecord { lead, record, crm_record: None, destinations, due_at_ms };
        store.record(new).await.unwrap();
    }
    reported.sort_by_key(|record| record.id());

    let nobody = LeadId::new(START_MS, rand::random());
    let read = store.dossiers(&[other, nobody, lead, other]).await.unwrap();
    let leads: Vec<LeadId> = read.iter().map(|dossier| dossier.lead.id).collect();
    assert_eq!(leads, [other, lead, other]);
    assert_eq!(read[0], read[2]);
    let (none, all) = (&read[0], &read[1]);
    assert_eq!((none.conversions.len(), none.records.len(), none.visitors.len()), (1, 0, 0));
    assert_eq!(none.deliveries.len(), 1);
    assert_eq!(all.lead, store.lead(lead).await.unwrap().unwrap());
    assert_eq!(all.conversions.iter().map(|one| one.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(all.records, reported);
    let mut expected: Vec<_> =
        visitors.into_iter().zip(views.map(|view| Trail::from_iter([view]))).collect();
    expected.sort_by_key(|(visitor, _)| *visitor);
    let mut found = all.visitors.clone();
    found.sort_by_key(|(visitor, _)| *visitor);
    assert_eq!(found, expected);
    assert_eq!(all.deliveries.len(), 4);
    assert!(all.deliveries.is_sorted_by_key(|delivery| delivery.id));
    assert_eq!(store.dossiers(&[]).await.unwrap(), []);
}
