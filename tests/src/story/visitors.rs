//! The chapter on erasing visitors.

use super::scene::{
    MINUTE, START_MS, arrivals, conversion, convert, page_view, proposal, shown, site,
};
use crate::wire::new_visitor;
use clew_store::{
    Claim, Criteria, DeliveriesOf, Delivery, DeliveryFilter, Erased, Erasure, NewConversion,
    NewRecord, Recorded, Settlement, Store,
};
use shared::ids::{LeadId, VisitorId};
use shared::lifecycle::Stage;
use shared::page_view::PageView;
use shared::visit::Trail;

const DESTINATION: &str = "erasures";

/// Visitors without a lead are erased, once, with the leads that their pages proposed. Others stay.
pub(super) async fn are_erased(store: &dyn Store) {
    let flagged = Criteria { flagged: true, before_ms: None };
    let before = |at_ms| Criteria { flagged: false, before_ms: Some(at_ms) };
    let erase = async |visitor, criteria| {
        store.erase_visitor(Erasure { site: site(), visitor, criteria }).await.unwrap()
    };
    let gone = |page_views, proposed_leads| Erased { visitors: 1, page_views, proposed_leads };

    // By age: only if it was not active since.
    let (person, since) = (a_visitor(store, &[None, None]).await, START_MS + MINUTE);
    assert_eq!(erase(person, before(since)).await, Erased::default());
    assert_eq!(erase(person, flagged).await, Erased::default());
    assert_eq!(erase(person, Criteria::default()).await, Erased::default());
    assert_eq!(erase(person, before(since + 1)).await, gone(2, 0));
    is_gone(store, person).await;
    assert_eq!(erase(person, before(since + 1)).await, Erased::default(), "it is erased once");

    // A visitor who comes back with the old cookie is new.
    let view = page_view(START_MS + MINUTE, "google");
    store.ingest(arrivals(person, vec![shown(&view)])).await.unwrap();
    assert_eq!(store.trail(&site(), person).await.unwrap(), Trail::from_iter([view]));
    assert_eq!(store.visitor(&site(), person).await.unwrap().unwrap().views, 1);

    // By flag: only if all its page views are flagged.
    let half = a_visitor(store, &[Some("webdriver"), None]).await;
    assert_eq!(erase(half, flagged).await, Erased::default());
    let program = a_visitor(store, &[Some("webdriver"), Some("prefetch")]).await;
    assert_eq!(erase(program, flagged).await, gone(2, 0));

    // A joined visitor stays. One whose join was undone belongs to nobody, and undoing it again
    // changes nothing.
    let joined = a_visitor(store, &[Some("webdriver")]).await;
    let (lead, ..) =
        convert(store, conversion(START_MS, Some(joined), "erased@example.com", None)).await;
    assert_eq!(erase(joined, flagged).await, Erased::default());
    let undone = store.undo_join(lead, joined, START_MS).await.unwrap();
    assert_eq!(erase(joined, flagged).await, gone(1, 0));
    assert_eq!(store.undo_join(lead, joined, START_MS + 1).await.unwrap(), undone);
    assert_eq!(store.dossiers(&[lead]).await.unwrap()[0].visitors, []);

    proposals(store, flagged).await;
}

/// A visitor with page views a minute apart, with the given flags.
async fn a_visitor(store: &dyn Store, flags: &[Option<&str>]) -> VisitorId {
    let visitor = new_visitor();
    let view = |(at_ms, flag): (i64, &Option<&str>)| PageView {
        bot: flag.map(Into::into),
        ..page_view(at_ms, "google")
    };
    let views = (START_MS..).step_by(MINUTE as usize).zip(flags).map(view);
    let views = views.map(|view| shown(&view)).collect();
    store.ingest(arrivals(visitor, views)).await.unwrap();
    visitor
}

/// A flagged visitor that proposed a lead, with deliveries.
async fn a_proposal(store: &dyn Store, email: &str) -> (VisitorId, LeadId) {
    let visitor = a_visitor(store, &[Some("webdriver")]).await;
    let new = |at_ms| {
        let destinations = vec![DESTINATION.into()];
        NewConversion { destinations, ..proposal(at_ms, visitor, email) }
    };
    let (lead, ..) = convert(store, new(START_MS)).await;
    assert_eq!(convert(store, new(START_MS + 1)).await.0, lead);
    (visitor, lead)
}

async fn claim(store: &dyn Store) -> Vec<Delivery> {
    let (destination, now_ms) = (DESTINATION.into(), START_MS + 60 * MINUTE);
    let claim = Claim { destination, now_ms, lease_until_ms: now_ms + MINUTE, limit: 9 };
    store.claim_deliveries(claim).await.unwrap()
}

async fn is_gone(store: &dyn Store, visitor: VisitorId) {
    assert_eq!(store.visitor(&site(), visitor).await.unwrap(), None);
    assert_eq!(store.trail(&site(), visitor).await.unwrap(), Trail::default());
}

async fn proposals(store: &dyn Store, flagged: Criteria) {
    let erase = async |visitor| {
        store.erase_visitor(Erasure { site: site(), visitor, criteria: flagged }).await.unwrap()
    };
    let (visitor, lead) = a_proposal(store, "e1@example.com").await;
    let known = store.dossiers(&[lead]).await.unwrap()[0].conversions[0].id;

    // It is erased even during a delivery, and the outcome of that attempt changes nothing.
    let tried = claim(store).await;
    assert_eq!((tried.len(), tried[0].id.lead), (1, lead));
    store.freeze_delivery(tried[0].id, vec![1; 50_000]).await.unwrap();
    let erased = Erased { visitors: 1, page_views: 1, proposed_leads: 1 };
    assert_eq!(erase(visitor).await, erased);
    is_gone(store, visitor).await;
    assert_eq!(store.lead(lead).await.unwrap(), None);
    assert_eq!(store.dossiers(&[lead]).await.unwrap(), []);
    let proposed = store.proposed_leads(&site(), None, 99).await.unwrap();
    assert!(proposed.iter().all(|proposed| proposed.id != lead));
    let settlement = Settlement::Retry { at_ms: START_MS, error: "500".into() };
    store.settle_delivery(tried[0].id, tried[0].claims, settlement).await.unwrap();
    assert!(store.freeze_delivery(tried[0].id, vec![2]).await.is_err());
    assert_eq!(store.delivery_body(tried[0].id).await.unwrap(), None);
    assert!(!store.replay_delivery(tried[0].id, START_MS).await.unwrap());
    assert_eq!(claim(store).await, []);
    let of = DeliveriesOf::Destination(DESTINATION.into());
    let filter = DeliveryFilter { site: site(), of, state: None, after: None, limit: 9 };
    assert_eq!(store.deliveries(filter).await.unwrap(), []);
    assert_eq!(erase(visitor).await, Erased::default(), "it is erased once");

    // The same conversion, sent again, is a new one.
    let mut again = proposal(START_MS, visitor, "e1@example.com");
    again.conversion.id = known;
    let (other, _, repeated) = convert(store, again).await;
    assert!(!repeated && other != lead);

    // A proposal with a record stays, and so does its visitor.
    let (visitor, lead) = a_proposal(store, "e2@example.com").await;
    let record = super::records::stage(Stage::Sql, START_MS, "erased");
    let (crm_record, destinations) = (Some("crm:contact:erased".into()), vec![]);
    let new = NewRecord { lead, record, crm_record, destinations, due_at_ms: START_MS };
    assert_eq!(store.record(new).await.unwrap(), Recorded::Stored { repeated: false });
    assert_eq!(erase(visitor).await, Erased::default());
    assert!(store.visitor(&site(), visitor).await.unwrap().is_some());

    // A visitor whose proposal was confirmed belongs to a lead.
    let (visitor, lead) = a_proposal(store, "e3@example.com").await;
    convert(store, conversion(START_MS + 9, Some(visitor), "e3@example.com", None)).await;
    assert_eq!(erase(visitor).await, Erased::default());
    assert!(store.lead(lead).await.unwrap().is_some());
}
