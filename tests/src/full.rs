//! Fills a store quickly with something of everything.
//!
//! Browsers with long and short histories, persons who share browsers or were joined by mistake,
//! deliveries in every state, and texts that are hard to store and transfer.

use crate::story::memos::change;
use crate::story::records::{deal, link, stage};
use crate::story::scene::proposal;
use crate::story::{arrivals, conversion, convert, page_view};
use crate::wire::{new_event, new_visitor};
use clew_store::{
    Action, ActionKind, Arrival, Arrivals, Claim, Delivery, Idempotency, LeadKey, Memo, MemoKind,
    NewConversion, NewRecord, Record, Recorded, Settlement, Store, Unmatched,
};
use futures_util::future::join_all;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::context::VisitorContext;
use shared::deal::DealEvent;
use shared::ids::LeadId;
use shared::lifecycle::Stage;
use shared::limits;
use shared::page_view::{Departure, PageView, Totals};

/// When every journey begins.
pub const START_MS: i64 = 1_795_255_200_000;
/// A time at which every waiting delivery is due.
pub const ALL_DUE_MS: i64 = START_MS + 1_000_000_000;
/// The destinations of every conversion.
pub const DESTINATIONS: [&str; 2] = ["crm", "archive"];

/// The most page views of one browser; the mean is half of it.
const MOST_VIEWS: usize = 40;
/// How many batches are sent concurrently.
const AT_ONCE: usize = 250;
const MINUTE: i64 = 60_000;
const TEXTS: [&str; 5] = ["Home", "Café – 日本語 🎉", "a\0b", "\u{202e}\"\\\r\n\u{1}", ""];

/// What was stored, as far as it can be sent or read again.
pub struct FilledStore {
    /// Some of the batches, as they were sent.
    pub batches: Vec<Arrivals>,
    /// The conversions, each with its lead.
    pub conversions: Vec<(NewConversion, LeadId)>,
    /// The memos, except leases.
    pub memos: Vec<Memo>,
}

/// Fills a store with this many page views and everything that goes with them.
pub async fn fill(store: &dyn Store, page_views: usize) -> FilledStore {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let templates: Vec<PageView> =
        ["", "google", "bing", "news"].map(|source| page_view(START_MS, source)).into();
    let mut all = Vec::new();
    let mut left = page_views;
    while left > 0 {
        let views = random.random_range(1..=MOST_VIEWS).min(left);
        left -= views;
        all.push(browser(&mut random, &templates, views));
    }
    // One browser has so many page views that its older ones are summed up.
    all.push(browser(&mut random, &templates, limits::VISITOR_ROWS + 1));
    for batches in all.chunks(AT_ONCE) {
        let results = join_all(batches.iter().map(|batch| store.ingest(batch.clone()))).await;
        results.into_iter().for_each(|result| drop(result.unwrap()));
    }
    let new: Vec<_> = all
        .iter()
        .enumerate()
        .step_by(5)
        .flat_map(|(number, batch)| people(number, batch))
        .collect();
    let mut conversions = Vec::new();
    for some in new.chunks(AT_ONCE) {
        let made = join_all(some.iter().map(|new| convert(store, new.clone()))).await;
        conversions.extend(some.iter().cloned().zip(made).map(|(new, (lead, ..))| (new, lead)));
    }
    for (new, lead) in conversions.iter().step_by(9) {
        if let Some(visitor) = new.conversion.visitor {
            store.undo_join(*lead, visitor, ALL_DUE_MS).await.unwrap();
        }
    }
    for batch in all.iter().step_by(50) {
        convert(store, proposal(ALL_DUE_MS, batch.visitor, "proposed@example.com")).await;
    }
    join_all(conversions.iter().step_by(3).map(|(_, lead)| report_for(store, *lead))).await;
    hand_off(store, conversions.len()).await;
    let memos = remember(store).await;
    FilledStore { batches: all.into_iter().step_by(20).collect(), conversions, memos }
}

/// A browser's events, in random order, as a network may deliver them.
fn browser(random: &mut ChaCha8Rng, templates: &[PageView], views: usize) -> Arrivals {
    let mut events = Vec::new();
    for _ in 0..views {
        let at_ms = START_MS + random.random_range(0..500) * MINUTE;
        let mut view = templates[random.random_range(0..templates.len())].clone();
        (view.id, view.at_ms, view.received_at_ms) = (new_event(at_ms), at_ms, at_ms);
        view.title = TEXTS[random.random_range(0..TEXTS.len())].into();
        let totals = Totals {
            engaged_ms: random.random_range(0..60_000),
            scroll_pct: random.random_range(0..=100),
            form_focused: random.random_bool(0.1),
            active_at_ms: at_ms + MINUTE,
            departures: (0..random.random_range(0..3))
                .map(|turn| at_ms + turn * MINUTE)
                .map(|at_ms| Departure { at_ms, id: new_event(at_ms), host: "pay.test".into() })
                .collect(),
        };
        events.push(Arrival::Raise { page: view.id, totals });
        events.push(Arrival::View(Box::new(view)));
    }
    let at_ms = START_MS + 600 * MINUTE;
    let name = TEXTS[random.random_range(0..TEXTS.len())];
    let kind = match random.random_range(0..9) {
        0 => ActionKind::FormSubmit { form: name.into() },
        1 => ActionKind::Custom { name: name.into(), props: r#"{"n":1}"#.into() },
        2 => ActionKind::Identify,
        _ => ActionKind::Custom { name: "play".into(), props: String::new() },
    };
    // An action whose page view never arrives, which leaves totals that wait for it.
    events.push(Arrival::Act(Action { id: new_event(at_ms), page: new_event(at_ms), at_ms, kind }));
    events.shuffle(random);
    let mut batch = arrivals(new_visitor(), events);
    let (language, user_agent) = ("de-CH".into(), name.into());
    batch.context = VisitorContext { language, user_agent, ..VisitorContext::default() };
    batch
}

/// The persons who convert in a browser: one, or two in succession. Some converted elsewhere, too.
fn people(number: usize, batch: &Arrivals) -> Vec<NewConversion> {
    let second = number.is_multiple_of(20).then(|| format!("second-{number}@example.com"));
    let emails = std::iter::once(format!("person-{}@example.com", number % 1_000)).chain(second);
    let new = |(turn, email): (usize, String)| {
        let at_ms = START_MS + (300 + 200 * turn as i64) * MINUTE;
        let phone = number.is_multiple_of(3).then(|| format!("+4144{number:07}"));
        let mut new = conversion(at_ms, Some(batch.visitor), &email, phone.as_deref());
        new.conversion.contact.first_name = Some(TEXTS[number % TEXTS.len()].into());
        new.conversion.page_title = Some(TEXTS[(number + 1) % TEXTS.len()].into());
        new.destinations = DESTINATIONS.map(Into::into).into();
        let key = format!("request-{number}-{turn}");
        new.idempotency = number.is_multiple_of(2).then_some(Idempotency { key, request: [7; 32] });
        new
    };
    emails.enumerate().map(new).collect()
}

/// Stores what a CRM reports about a lead, twice, and an unmatched record.
async fn report_for(store: &dyn Store, lead: LeadId) {
    let id = new_visitor().to_text();
    let unmatched = Unmatched {
        site: crate::story::site(),
        keys: vec![LeadKey::CrmRecord(format!("crm:contact:{id}\0"))],
        record: stage(Stage::Mql, START_MS, &id),
        crm_record: None,
    };
    store.keep_unmatched(unmatched).await.unwrap();
    let records: [Record; 6] = [
        stage(Stage::Sql, START_MS, &format!("{id} sql")),
        stage(Stage::Lost, START_MS - MINUTE, &format!("{id} lost")),
        deal(&id, DealEvent::Won, 120_000, &format!("{id} won")),
        deal(&id, DealEvent::Refunded, -100, &format!("{id} refunded")),
        deal(&id, DealEvent::Reopened, 0, &format!("{id} reopened")),
        link(&id, &format!("{id} linked")),
    ];
    for (turn, record) in records.iter().chain(&records).enumerate() {
        let crm_record = (turn == 0).then(|| format!("crm:contact:{id}"));
        let is_handed_off = turn % records.len() == 0;
        let destinations = DESTINATIONS.iter().filter(|_| is_handed_off);
        let (record, destinations) =
            (record.clone(), destinations.map(|name| (*name).into()).collect());
        let due_at_ms = START_MS;
        let new = NewRecord { lead, record, crm_record, destinations, due_at_ms };
        let repeated = turn >= records.len();
        assert_eq!(store.record(new).await.unwrap(), Recorded::Stored { repeated });
    }
}

/// Stores memos of every kind, some with names that are hard to transfer. Returns those that an
/// export includes.
async fn remember(store: &dyn Store) -> Vec<Memo> {
    let texts =
        TEXTS.map(|text| text.replace('\0', "")).into_iter().filter(|name| !name.is_empty());
    // A store may be filled more than once.
    let turn: u32 = rand::random();
    let names = texts.chain((0..20).map(|number| format!("n {number}")));
    let memos: Vec<Memo> = names
        .flat_map(|name| MemoKind::ALL.map(|kind| (kind, format!("{name} {turn}"))))
        .map(|(kind, name)| {
            let value = format!("{{\"name\":{name:?}}}");
            Memo { kind, name, stamp: rand::random(), value }
        })
        .collect();
    // Concurrently, so that they share the waits for the disk.
    join_all(memos.iter().map(async |memo| {
        let change = change((memo.kind, &memo.name), None, memo.stamp, Some(&memo.value));
        assert!(store.change_memo(change).await.unwrap());
    }))
    .await;
    memos.into_iter().filter(|memo| memo.kind != MemoKind::Lease).collect()
}

/// Brings two thirds of one destination's deliveries into every state.
async fn hand_off(store: &dyn Store, conversions: usize) {
    let limit = conversions * 2 / 3;
    let claimed = claim(store, DESTINATIONS[0], ALL_DUE_MS, limit).await;
    let (now_ms, error) = (ALL_DUE_MS, "500: caf\u{e9} \0 日本".to_owned());
    let moved = claimed.into_iter().enumerate().map(async |(number, delivery)| {
        let (id, at_ms) = (delivery.id, now_ms + 1_000);
        if number % 7 != 0 {
            let body = format!("{{\"name\":\"日本\",\"id\":\"{}\"}}", id.to_text());
            store.freeze_delivery(id, body.into()).await.unwrap();
        }
        let settlement = match number % 5 {
            0 => Settlement::Sent { at_ms },
            1 => Settlement::Retry { at_ms, error: error.clone() },
            2 => Settlement::Dead { at_ms, error: error.clone() },
            3 => return assert!(store.replay_delivery(id, now_ms).await.unwrap()),
            _ => return,
        };
        store.settle_delivery(id, delivery.claims, settlement).await.unwrap();
    });
    join_all(moved).await;
}

/// Claims what is due for a destination.
pub async fn claim(
    store: &dyn Store,
    destination: &str,
    now_ms: i64,
    limit: usize,
) -> Vec<Delivery> {
    let destination = destination.into();
    let claim = Claim { destination, now_ms, lease_until_ms: now_ms + 45_000, limit };
    store.claim_deliveries(claim).await.unwrap()
}
