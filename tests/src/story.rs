//! The story that every store must tell, in the trait's verbs alone. Each chapter is an `async fn`
//! over an open store and uses visitors of its own, so that they can run on one store.

mod deliveries;
mod journeys;
mod labels;
mod leads;
pub mod memos;
mod persons;
pub mod records;
pub mod scene;
mod visitors;

pub use scene::{START_MS, a_lead, arrivals, conversion, convert, page_view, site};

use crate::wire::new_visitor;
use clew_store::{Store, StoreError};
use scene::shown;
use shared::visit::Trail;

/// Every chapter on one store.
pub async fn tell(store: &dyn Store) {
    journeys::are_kept_once(store).await;
    journeys::are_the_same_in_any_order_of_arrival(store).await;
    journeys::are_summed_up(store).await;
    journeys::know_the_latest_of_the_browser(store).await;
    labels::are_made_anew(store).await;
    leads::come_with_deliveries(store).await;
    leads::are_bounded(store).await;
    leads::are_proposed(store).await;
    persons::are_told_apart(store).await;
    persons::are_joined_by_mistake(store).await;
    records::are_kept_once(store).await;
    records::are_kept_where_nobody_is_known(store).await;
    records::are_forgotten_where_too_many_match_nobody(store).await;
    records::are_handed_off_once(store).await;
    records::link_leads_with_a_crm(store).await;
    deliveries::are_claimed_and_settled(store).await;
    deliveries::wait_without_counting(store).await;
    deliveries::keep_each_leads_order(store).await;
    deliveries::hold_up_nobody_else(store).await;
    memos::are_changed_over_what_is_known(store).await;
    memos::are_changed_by_one_of_two(store).await;
    memos::are_listed(store).await;
    leads::are_listed(store).await;
    leads::are_listed_by_conversion(store).await;
    leads::are_read_with_all_that_is_theirs(store).await;
    deliveries::are_listed(store).await;
    deliveries::are_recalled(store).await;
    visitors::are_erased(store).await;
}

/// What was stored is there after closing and opening again.
pub async fn remembered(store: &dyn Store) -> impl AsyncFn(&dyn Store) + use<> {
    let visitor = new_visitor();
    let view = page_view(START_MS, "google");
    store.ingest(arrivals(visitor, vec![shown(&view)])).await.unwrap();
    let (lead, ..) =
        convert(store, conversion(START_MS, Some(visitor), "r@example.com", None)).await;
    async move |reopened: &dyn Store| {
        assert_eq!(
            reopened.trail(&site(), visitor).await.unwrap(),
            Trail::from_iter([view.clone()])
        );
        assert_eq!(reopened.lead(lead).await.unwrap().unwrap().joins.len(), 1);
    }
}

/// After closing, writes are refused and nothing is answered as kept.
pub async fn a_closed_store_refuses(store: &dyn Store) {
    store.close().await.unwrap();
    let refused =
        store.ingest(arrivals(new_visitor(), vec![shown(&page_view(START_MS, ""))])).await;
    assert!(matches!(refused, Err(StoreError::Closed(_))));
    assert!(store.ready().await.is_err());
}
