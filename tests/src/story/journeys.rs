//! The chapters on a browser's page views, the events that raise their totals, and the browser's
//! own context.

use super::scene::{MINUTE, START_MS, arrivals, page_view, shown, site};
use crate::wire::{new_event, new_visitor};
use clew_store::{Action, ActionKind, Arrival, Store};
use shared::ad_cookies::{AdCookies, GaSession};
use shared::context::VisitorContext;
use shared::ids::SiteId;
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{Departure, PageView, Totals};
use shared::visit::Journey;

fn totals(engaged_ms: u32, active_at_ms: i64) -> Totals {
    Totals { engaged_ms, active_at_ms, ..Totals::default() }
}

/// Page views are stored once, totals are maxima, stubs are completed, and actions are stored
/// beside them.
pub(super) async fn are_kept_once(store: &dyn Store) {
    let visitor = new_visitor();
    assert_eq!(store.visitor(&site(), visitor).await.unwrap(), None);
    let (first, second) = (page_view(START_MS, "google"), page_view(START_MS + MINUTE, ""));
    let raise = |view: &PageView, engaged_ms| Arrival::Raise {
        page: view.id,
        totals: totals(engaged_ms, view.at_ms + 5_000),
    };
    let action = Action {
        id: new_event(START_MS),
        page: first.id,
        at_ms: START_MS + 1_000,
        kind: ActionKind::Custom { name: "play".into(), props: "{}".into() },
    };

    let events = vec![
        raise(&first, 9_000),
        shown(&first),
        raise(&first, 4_000),
        Arrival::Act(action.clone()),
        Arrival::Act(action),
        shown(&second),
    ];
    let outcomes = store.ingest(arrivals(visitor, events)).await.unwrap();
    let (kept, again) = (Outcome::Stored, Outcome::Duplicate);
    assert_eq!(outcomes, [kept, kept, again, kept, again, kept]);
    let outcomes =
        store.ingest(arrivals(visitor, vec![shown(&first), raise(&second, 2_000)])).await.unwrap();
    assert_eq!(outcomes, [again, kept]);

    let trail = store.trail(&site(), visitor).await.unwrap();
    assert_eq!(
        trail.views.iter().map(|view| view.totals.engaged_ms).collect::<Vec<_>>(),
        [9_000, 2_000]
    );
    let record = store.visitor(&site(), visitor).await.unwrap().unwrap();
    assert_eq!((record.views, record.actions, record.lead), (2, 1, None));
    let touches = trail.journey().touches;
    assert_eq!((touches.len(), touches[0].engaged_ms), (1, 11_000));
    assert_eq!(store.visitor(&SiteId::parse("other").unwrap(), visitor).await.unwrap(), None);
}

/// Touches are the same in whatever order and batches events arrive.
pub(super) async fn are_the_same_in_any_order_of_arrival(store: &dyn Store) {
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};
    for seed in 0..40 {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let visitor = new_visitor();
        let mut events = Vec::new();
        let mut complete = Vec::new();
        for _ in 0..random.random_range(1..12) {
            let at_ms = START_MS + random.random_range(0..200) * 10 * MINUTE;
            let source = ["", "google", "bing", "https://pay.test/"][random.random_range(0..4)];
            let mut view = page_view(at_ms, source);
            events.push(shown(&view));
            for _ in 0..random.random_range(0..3) {
                let active_at_ms = at_ms + random.random_range(0..40) * MINUTE;
                let mut more = totals(random.random_range(0..60_000), active_at_ms);
                if random.random_bool(0.5) {
                    let (at_ms, host) = (active_at_ms, "pay.test".into());
                    more.departures.push(Departure { at_ms, id: new_event(at_ms), host });
                }
                events.push(Arrival::Raise { page: view.id, totals: more.clone() });
                view.totals.raise(more);
            }
            complete.push(view);
        }
        events.shuffle(&mut random);
        while !events.is_empty() {
            let batch = events.split_off(events.len() - random.random_range(1..=events.len()));
            store.ingest(arrivals(visitor, batch)).await.unwrap();
        }
        complete.sort_by_key(|view| view.id);
        let trail = store.trail(&site(), visitor).await.unwrap();
        assert_eq!(trail.views, complete, "seed {seed}");
        assert_eq!(trail.journey(), Journey::derive(&complete), "seed {seed}");
    }
}

/// The oldest page views of a visitor who has many are summed up, and the sums stay exact.
pub(super) async fn are_summed_up(store: &dyn Store) {
    let visitor = new_visitor();
    let many = limits::VISITOR_ROWS as i64 * 2 + 7;
    let mut first = None;
    for from in (0..many).step_by(250) {
        let views = (from..many.min(from + 250)).map(|minute| {
            let view =
                page_view(START_MS + minute * MINUTE, ["google", ""][usize::from(minute > 0)]);
            first.get_or_insert(view.id);
            view
        });
        let events = views.flat_map(|view| {
            let raise = Arrival::Raise { page: view.id, totals: totals(1_000, view.at_ms) };
            [shown(&view), raise]
        });
        let outcomes = store.ingest(arrivals(visitor, events.collect())).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
    }
    let trail = store.trail(&site(), visitor).await.unwrap();
    assert!(trail.views.len() <= limits::VISITOR_ROWS && trail.past.is_some());
    let journey = trail.journey();
    assert_eq!(i64::from(journey.page_views()), many);
    assert_eq!((journey.touches.len(), journey.touches[0].label.source.as_str()), (1, "google"));
    assert_eq!(journey.touches[0].engaged_ms as i64, many * 1_000);
    assert_eq!(Some(journey.touches[0].page), first);
    let record = store.visitor(&site(), visitor).await.unwrap().unwrap();
    assert_eq!(record.views as usize, trail.views.len());
    // A page view that is summed up can be neither sent again nor raised.
    let again = vec![
        Arrival::Raise { page: first.unwrap(), totals: totals(90_000, START_MS) },
        shown(&page_view(START_MS, "bing")),
    ];
    let outcomes = store.ingest(arrivals(visitor, again)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Dropped(DropReason::VisitorFull); 2]);
    assert_eq!(store.trail(&site(), visitor).await.unwrap(), trail);
}

/// A visitor's context is the latest one reported; ids of other tools stay until they change.
pub(super) async fn know_the_latest_of_the_browser(store: &dyn Store) {
    let visitor = new_visitor();
    let says = async |language: &str, ad_cookies: AdCookies| {
        let event = shown(&page_view(START_MS, ""));
        let mut batch = arrivals(visitor, vec![event]);
        batch.context =
            VisitorContext { language: language.into(), ad_cookies, ..VisitorContext::default() };
        store.ingest(batch).await.unwrap();
        store.visitor(&site(), visitor).await.unwrap().unwrap().context
    };
    let session = |id: &str| Some(GaSession { id: id.into(), number: Some(4) });
    let first = AdCookies {
        ga_client_id: Some("1234567890.1700000000".into()),
        ga_session: session("1700000123"),
        ..AdCookies::default()
    };
    assert_eq!(says("de", first.clone()).await.ad_cookies, first);
    let later = AdCookies { ga_session: session("1700009999"), ..AdCookies::default() };
    let known = says("fr", later.clone()).await;
    assert_eq!(known.language, "fr");
    assert_eq!(known.ad_cookies, AdCookies { ga_client_id: first.ga_client_id, ..later });
}
