//! The story that every store must tell: the behaviour behind the `Store` traits, by their methods alone.
//!
//! Each chapter is an `async fn` over an open store and uses its own visitors, so that all of them can run on one
//! store.

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

/// Runs every chapter on one store.
pub async fn run(store: &dyn Store) {
    journeys::are_kept_once(store).await;
    journeys::are_the_same_in_any_order_of_arrival(store).await;
    journeys::are_summed_up(store).await;
    journeys::know_the_latest_of_the_browser(store).await;
    labels::are_replaced(store).await;
    leads::come_with_deliveries(store).await;
    leads::are_bounded(store).await;
    leads::are_proposed(store).await;
    persons::are_told_apart(store).await;
    persons::are_joined_and_taken_back(store).await;
    persons::are_merged_and_taken_apart(store).await;
    records::are_kept_once(store).await;
    records::are_kept_unmatched(store).await;
    records::are_limited_when_unmatched(store).await;
    records::are_handed_off_once(store).await;
    records::link_leads_with_a_crm(store).await;
    deliveries::are_claimed_and_settled(store).await;
    deliveries::wait_without_counting(store).await;
    deliveries::keep_each_leads_order(store).await;
    deliveries::hold_up_nobody_else(store).await;
    memos::are_changed_by_stamp(store).await;
    memos::are_changed_by_one_writer(store).await;
    memos::are_listed(store).await;
    leads::are_listed(store).await;
    leads::are_listed_by_conversion(store).await;
    leads::are_read_as_dossiers(store).await;
    deliveries::are_listed(store).await;
    deliveries::are_recalled(store).await;
    visitors::are_erased(store).await;
}

/// Stores a visitor and a lead. The returned check asserts that a reopened store still has them.
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

/// A closed store refuses writes and is not ready.
pub async fn a_closed_store_refuses(store: &dyn Store) {
    store.close().await.unwrap();
    let refused =
        store.ingest(arrivals(new_visitor(), vec![shown(&page_view(START_MS, ""))])).await;
    assert!(matches!(refused, Err(StoreError::Closed(_))));
    assert!(store.ready().await.is_err());
}
