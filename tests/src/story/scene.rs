//! The building blocks of the chapters: page views, conversions, leads.

use crate::wire::{new_event, new_visitor};
use clew_store::{Arrival, Arrivals, Converted, NewConversion, Store};
use shared::context::VisitorContext;
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::lead::{Contact, Conversion, ConversionKind, JourneyState, NamedBy, SharedBrowser};
use shared::page_view::{PageView, Totals};
use shared::source::{InternalTags, OwnHosts, Rules};
use std::sync::LazyLock;
use url::Url;

/// When the story begins.
pub const START_MS: i64 = 1_795_255_200_000;
pub(super) const MINUTE: i64 = 60_000;

/// The story's site.
pub fn site() -> SiteId {
    SiteId::parse("demo").unwrap()
}

/// A page view with a `utm_source`; with a referrer, if `source` is an `https:` address; or with
/// neither, if it is empty.
pub fn page_view(at_ms: i64, source: &str) -> PageView {
    let (query, referrer) = match source {
        "" => (String::new(), ""),
        referrer if referrer.starts_with("https:") => (String::new(), referrer),
        source => (format!("?utm_source={source}"), ""),
    };
    let url = Url::parse(&format!("https://www.example.com/{query}")).unwrap();
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
    let evidence = RULES.evidence(&url, referrer, "");
    PageView {
        id: new_event(at_ms),
        at_ms,
        received_at_ms: at_ms,
        url: "https://www.example.com/".into(),
        title: "Home".into(),
        totals: Totals::default(),
        label: RULES.label(&evidence, "", &OwnHosts::new(["example.com"]), InternalTags::Ignore),
        evidence,
        rules: 1,
        bot: None,
    }
}

/// One visitor's batch.
pub fn arrivals(visitor: VisitorId, events: Vec<Arrival>) -> Arrivals {
    let context = VisitorContext::default();
    Arrivals { site: site(), visitor, context, received_at_ms: START_MS, events }
}

pub(super) fn shown(view: &PageView) -> Arrival {
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
        context: None,
        raw: Vec::new(),
    };
    NewConversion {
        site: site(),
        conversion,
        new_lead: LeadId::new(at_ms, rand::random()),
        destinations: vec!["crm".into()],
        due_at_ms: at_ms + 10_000,
        idempotency: None,
        named_by: visitor.map(|_| NamedBy::Cookie),
        proposed: false,
        shared_browser: SharedBrowser::default(),
    }
}

/// Converts. Returns lead, conversion, and whether it was a repeat.
pub async fn convert(store: &dyn Store, new: NewConversion) -> (LeadId, ConversionId, bool) {
    match store.convert(new).await.unwrap() {
        Converted::Stored { lead, conversion, repeated } => (lead, conversion, repeated),
        refused => panic!("{refused:?}"),
    }
}

/// A conversion as a page reports it, without a key.
pub fn proposal(at_ms: i64, visitor: VisitorId, email: &str) -> NewConversion {
    let mut new = conversion(at_ms, Some(visitor), email, None);
    (new.named_by, new.proposed) = (Some(NamedBy::Page), true);
    new.destinations = Vec::new();
    new
}

/// Creates a lead with a journey of one page view.
pub async fn a_lead(store: &dyn Store, email: &str) -> LeadId {
    let visitor = new_visitor();
    store.ingest(arrivals(visitor, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    convert(store, conversion(START_MS, Some(visitor), email, None)).await.0
}

/// Reads a lead's conversions.
pub async fn conversions(store: &dyn Store, lead: LeadId) -> Vec<Conversion> {
    let mut dossiers = store.dossiers(&[lead]).await.unwrap();
    dossiers.pop().unwrap().conversions
}
