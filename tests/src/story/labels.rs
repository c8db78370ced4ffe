//! The chapter on labelling page views again.

use super::scene::{START_MS, arrivals, conversion, conversions, convert, page_view, shown, site};
use crate::wire::new_visitor;
use clew_store::{Arrival, Relabelled, Relabelling, Store};
use shared::channel::Channel;
use shared::page_view::{PageView, Totals};
use shared::source::Label;

const MINUTE: i64 = 60_000;

/// Page views get other labels, and their touches follow. What arrives meanwhile, and what a
/// conversion keeps, stays as it is.
pub(super) async fn are_replaced(store: &dyn Store) {
    let visitor = new_visitor();
    let views: Vec<PageView> = [(0, "google"), (1, ""), (60, "news"), (120, "bing")]
        .map(|(minute, source)| page_view(START_MS + minute * MINUTE, source))
        .into();
    store.ingest(arrivals(visitor, views.iter().map(shown).collect())).await.unwrap();
    let (lead, ..) =
        convert(store, conversion(START_MS + 90 * MINUTE, Some(visitor), "l@example.com", None))
            .await;
    let kept = conversions(store, lead).await;

    // Labels for the page views as read a moment ago: google gets another name, news keeps its own,
    // and bing is left out.
    let label = |view: &PageView, source: &str| {
        let channel = Channel::Affiliates;
        let other = Label { source: source.into(), channel, ..view.label.clone() };
        (view.id, if source.is_empty() { view.label.clone() } else { other })
    };
    let labels = vec![
        label(&views[0], "partner"),
        label(&views[1], ""),
        label(&views[2], ""),
        label(&page_view(START_MS, "nobody"), "stranger"),
    ];
    let relabelling = Relabelling { site: site(), visitor, rules: 7, labels };
    // Meanwhile engagement rises and a page view arrives, and then one that is older than all
    // others.
    let totals =
        |engaged_ms, active_at_ms| Totals { engaged_ms, active_at_ms, ..Totals::default() };
    let raised = totals(12_000, START_MS + 5_000);
    let (late, early) =
        (page_view(START_MS + 240 * MINUTE, "google"), page_view(START_MS - 60 * MINUTE, "google"));
    let meanwhile =
        vec![Arrival::Raise { page: views[0].id, totals: raised }, shown(&late), shown(&early)];
    store.ingest(arrivals(visitor, meanwhile)).await.unwrap();

    let changed = store.relabel(relabelling.clone()).await.unwrap();
    assert_eq!(changed, Relabelled { page_views: 3, labels: 1, visitors: 1, touches: 1 });
    let stored = store.trail(&site(), visitor).await.unwrap().views;
    let parts = |view: &PageView| (view.label.source.clone(), view.rules, view.totals.engaged_ms);
    let (one, other) = (String::from, |source: &str| (source.to_owned(), 1, 0));
    assert_eq!(
        stored.iter().map(parts).collect::<Vec<_>>(),
        [
            other("google"),
            (one("partner"), 7, 12_000),
            (one("(direct)"), 7, 0),
            (one("news"), 7, 0),
            other("bing"),
            other("google"),
        ]
    );
    let record = store.visitor(&site(), visitor).await.unwrap().unwrap();
    assert_eq!(record.lead, Some(lead));
    assert_eq!(conversions(store, lead).await, kept);

    // Repeating it changes nothing.
    assert_eq!(store.relabel(relabelling.clone()).await.unwrap(), Relabelled::default());
    // Engagement can rise afterwards.
    let raise = Arrival::Raise { page: late.id, totals: totals(1_000, late.at_ms) };
    store.ingest(arrivals(visitor, vec![raise])).await.unwrap();
    let stored = store.trail(&site(), visitor).await.unwrap().views;
    assert_eq!(stored.iter().find(|view| view.id == late.id).unwrap().totals.engaged_ms, 1_000);

    // An unknown visitor changes nothing.
    let stranger = Relabelling { visitor: new_visitor(), ..relabelling };
    assert_eq!(store.relabel(stranger).await.unwrap(), Relabelled::default());
}
