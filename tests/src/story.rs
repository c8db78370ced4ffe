//! The story that every store must tell, in the trait's verbs alone. Each chapter is an `async fn`
//! over an open store and uses visitors of its own, so that they can run on one store.

mod deliveries;
mod journeys;
mod labels;
pub mod memos;
mod persons;
pub mod records;

use crate::wire::{new_event, new_visitor};
use collector::store::{
    Arrival, Arrivals, Converted, DeliveryFilter, DeliveryState, Idempotency, NewConversion, Store,
    StoreError,
};
use shared::context::VisitorContext;
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::lead::{Contact, Conversion, ConversionKind, IdentityKind, JourneyState, NamedBy};
use shared::limits::{self, DAY_MS};
use shared::outcome::{DropReason, Outcome};
use shared::page_view::{PageView, Totals};
use shared::source::{OwnHosts, Rules};
use std::sync::LazyLock;
use url::Url;

/// A time to begin at.
pub const START_MS: i64 = 1_795_255_200_000;
const MINUTE: i64 = 60_000;

/// The site of the story.
pub fn site() -> SiteId {
    SiteId::parse("demo").unwrap()
}

/// A page view with a `utm_source`, or with a referrer where it is an address, or none where it is
/// empty.
pub fn page_view(at_ms: i64, source: &str) -> PageView {
    let (query, referrer) = match source {
        "" => (String::new(), ""),
        referrer if referrer.starts_with("https:") => (String::new(), referrer),
        source => (format!("?utm_source={source}"), ""),
    };
    let url = Url::parse(&format!("https://www.example.com/{query}")).unwrap();
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
    let evidence = RULES.evidence(&url, referrer);
    PageView {
        id: new_event(at_ms),
        at_ms,
        received_at_ms: at_ms,
        url: "https://www.example.com/".into(),
        title: "Home".into(),
        totals: Totals::default(),
        label: RULES.label(&evidence, &OwnHosts::new(["example.com"])),
        evidence,
        rules: 1,
        bot: None,
    }
}

/// One visitor's batch.
pub fn arrivals(visitor: VisitorId, events: Vec<Arrival>) -> Arrivals {
    Arrivals { site: site(), visitor, context: VisitorContext::default(), events }
}

fn shown(view: &PageView) -> Arrival {
    Arrival::View(Box::new(view.clone()))
}

/// A conversion with one delivery, due ten seconds later.
pub fn conversion(
    at_ms: i64,
    visitor: Option<VisitorId>,
    email: &str,
    phone: Option<&str>,
) -> NewConversion {
    let contact =
        Contact { email: Some(email.into()), phone: phone.map(Into::into), ..Contact::default() };
    let conversion = Conversion {
        id: ConversionId::new(at_ms, rand::random()),
        number: 0,
        at_ms,
        kind: ConversionKind::Form,
        visitor,
        journey: if visitor.is_some() { JourneyState::Known } else { JourneyState::NoVisitor },
        contact,
        form_id: None,
        form_name: None,
        page_url: None,
        page_title: None,
        touches: Vec::new(),
        context: None,
    };
    NewConversion {
        site: site(),
        conversion,
        new_lead: LeadId::new(at_ms, rand::random()),
        destinations: vec!["crm".into()],
        due_at_ms: at_ms + 10_000,
        idempotency: None,
        named_by: visitor.map(|_| NamedBy::Cookie),
    }
}

/// Lead, conversion, and whether it was a repeat.
pub async fn convert(store: &dyn Store, new: NewConversion) -> (LeadId, ConversionId, bool) {
    match store.convert(new).await.unwrap() {
        Converted::Stored { lead, conversion, repeated } => (lead, conversion, repeated),
        Converted::KeyReused => panic!("the key was not used before"),
    }
}

/// Every chapter on one store.
pub async fn tell(store: &dyn Store) {
    journeys::are_kept_and_derived(store).await;
    journeys::are_the_same_in_any_order_of_arrival(store).await;
    journeys::know_the_latest_of_the_browser(store).await;
    labels::are_made_anew(store).await;
    a_conversion_makes_lead_and_deliveries(store).await;
    persons::are_told_apart(store).await;
    persons::are_joined_by_mistake(store).await;
    records::are_kept_once(store).await;
    records::are_kept_where_nobody_is_known(store).await;
    records::are_handed_off_once(store).await;
    records::link_leads_with_a_crm(store).await;
    deliveries::are_claimed_and_settled(store).await;
    deliveries::wait_without_counting(store).await;
    deliveries::keep_each_leads_order(store).await;
    deliveries::hold_up_nobody_else(store).await;
    memos::are_changed_over_what_is_known(store).await;
    memos::are_changed_by_one_of_two(store).await;
    memos::are_listed(store).await;
    leads_and_deliveries_are_listed(store).await;
}

/// A lead with a journey of one page view.
pub async fn a_lead(store: &dyn Store, email: &str) -> LeadId {
    let visitor = new_visitor();
    store.ingest(arrivals(visitor, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    convert(store, conversion(START_MS, Some(visitor), email, None)).await.0
}

/// Lead, conversion with its touches, and deliveries in one step; repeats change nothing.
pub async fn a_conversion_makes_lead_and_deliveries(store: &dyn Store) {
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
    let kept = store.conversions(lead).await.unwrap();
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

/// Newest leads first, page after page; deliveries by state and lead.
pub async fn leads_and_deliveries_are_listed(store: &dyn Store) {
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

    let filter =
        DeliveryFilter { site: site(), state: None, lead: Some(made[0]), after: None, limit: 9 };
    let listed = store.deliveries(filter.clone()).await.unwrap();
    assert_eq!((listed.len(), listed[0].state), (1, DeliveryState::Pending));
    let after = DeliveryFilter { after: Some(listed[0].id), ..filter.clone() };
    assert!(store.deliveries(after).await.unwrap().is_empty());
    let sent = DeliveryFilter { state: Some(DeliveryState::Sent), ..filter };
    assert!(store.deliveries(sent).await.unwrap().is_empty());
}

/// A visitor is given so many rows and no more, and what is there stays.
pub async fn a_full_visitor_takes_no_more(store: &dyn Store) {
    let visitor = new_visitor();
    let views = |from: usize, count: usize| -> Vec<Arrival> {
        (from..from + count).map(|index| shown(&page_view(START_MS + index as i64, ""))).collect()
    };
    for from in (0..limits::VISITOR_ROWS).step_by(1_000) {
        store.ingest(arrivals(visitor, views(from, 1_000))).await.unwrap();
    }
    let outcomes = store.ingest(arrivals(visitor, views(limits::VISITOR_ROWS, 2))).await.unwrap();
    assert_eq!(outcomes, [Outcome::Dropped(DropReason::VisitorFull); 2]);
    assert_eq!(store.page_views(&site(), visitor).await.unwrap().len(), limits::VISITOR_ROWS);
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
            reopened.page_views(&site(), visitor).await.unwrap(),
            std::slice::from_ref(&view)
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
