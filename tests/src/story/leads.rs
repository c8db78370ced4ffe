//! The chapter on leads: what a conversion makes, and how leads are listed and read.

use super::records::{deal, stage};
use super::scene::{
    MINUTE, START_MS, arrivals, conversion, conversions, convert, page_view, shown, site,
};
use crate::wire::new_visitor;
use clew_store::{Converted, Idempotency, NewConversion, NewRecord, Store};
use shared::deal::DealEvent;
use shared::ids::{LeadId, SiteId};
use shared::lead::IdentityKind;
use shared::lifecycle::Stage;
use shared::limits::DAY_MS;

/// Lead, conversion with its touches, and deliveries in one step; repeats change nothing.
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
    let kept = conversions(store, lead).await;
    assert_eq!(kept[0].touches.len(), 1, "the touch after the conversion is not in its snapshot");
    assert_eq!(store.visitor(&site(), visitor).await.unwrap().unwrap().lead, Some(lead));
    assert_eq!(
        store.find_lead(&site(), IdentityKind::Email, "one@example.com").await.unwrap(),
        Some(lead)
    );

    // the same key: the same answer; another request: refused; the same conversion: the same answer
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

/// Newest first, page after page.
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

/// The latest conversion first, whenever the lead was made, page after page.
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
    // A conversion that comes late is not the last one.
    assert_eq!(convert("by-conversion-c@example.com", START_MS - 5).await, cleo);
    // At the same time, the younger lead first.
    assert_eq!(convert("by-conversion-b@example.com", START_MS + 2).await, bert);
    let (first, second) = (bert.max(cleo), bert.min(cleo));
    let all = [at(anna, 3), at(first, 2), at(second, 2)];
    assert_eq!(list(None, 9).await, all);
    for (index, last) in all.into_iter().enumerate() {
        assert_eq!(list(Some(last), 9).await, all[index + 1..]);
        assert_eq!(list(None, index).await, all[..index]);
    }
}

/// Conversions, records, deliveries and page views come with a lead, and leads in the order asked for.
pub(super) async fn are_read_with_all_that_is_theirs(store: &dyn Store) {
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
    let mut told = [stage(Stage::Mql, START_MS, "1"), deal("D-10", DealEvent::Won, 5, "2")];
    for record in &told {
        let (record, destinations) = (record.clone(), vec!["crm".into()]);
        let due_at_ms = i64::MAX / 4;
        let new = NewRecord { lead, record, crm_record: None, destinations, due_at_ms };
        store.record(new).await.unwrap();
    }
    told.sort_by_key(|record| record.id());

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
    assert_eq!(all.records, told);
    let mut expected: Vec<_> =
        visitors.into_iter().zip(views).map(|(visitor, view)| (visitor, vec![view])).collect();
    expected.sort_by_key(|(visitor, _)| *visitor);
    let mut found = all.visitors.clone();
    found.sort_by_key(|(visitor, _)| *visitor);
    assert_eq!(found, expected);
    assert_eq!(all.deliveries.len(), 4);
    assert!(all.deliveries.is_sorted_by_key(|delivery| delivery.id));
    assert_eq!(store.dossiers(&[]).await.unwrap(), []);
}
