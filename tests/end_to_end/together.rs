//! Two collectors on one database: a thousand visitors through both at once, restarts of one while
//! the other serves, and the death of one during a delivery.

use crate::outbox::receiver;
use clew_core::Clock;
use clew_store::Arrival;
use futures_util::future::join_all;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use shared::ids::{EventId, VisitorId};
use shared::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::Mutex;
use tests::app::{NOW_MS, TestApp, client};
use tests::crowd::{Crowd, PATIENCE};
use tests::load::hold_together;
use tests::process::Collector;
use tests::settings::{KEY, destination};
use tests::storage::{Backend, Storage};
use tests::story::{arrivals, page_view, site};
use tests::wire::{batch, engagement, new_event, new_visitor, view};

tests::both_stores!(hundreds_in_one_commit_are_kept_apart);

const VISITORS: usize = 1_000;
/// How many visitors are active at the same time.
const CROWD: usize = 20;
/// How many requests are under way at the same time.
const AT_ONCE: usize = 64;
const SOURCES: [(&str, &str); 6] = [
    ("", ""),
    ("", "https://www.google.com/"),
    ("", "https://news.example.net/story"),
    ("?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=G1", "https://www.google.com/"),
    ("?utm_source=newsletter&utm_medium=email", ""),
    ("", "https://www.example.com/contact"),
];

/// What a visitor saw: engaged time and scroll depth of each page view.
type Seen = BTreeMap<EventId, (u32, u8)>;

/// A visitor's batches in random order, some of them repeated, and their sums.
fn visit(random: &mut ChaCha8Rng) -> (VisitorId, Vec<String>, Seen) {
    let visitor = new_visitor();
    let (mut events, mut seen) = (Vec::new(), Seen::new());
    for _ in 0..random.random_range(2..9) {
        let at_ms = NOW_MS - random.random_range(2..3 * 24 * 60) * 60_000;
        let id = new_event(at_ms);
        let (query, referrer) = SOURCES.choose(random).unwrap();
        events.push(view(id, at_ms, &format!("https://www.example.com/{query}"), referrer));
        let totals = seen.entry(id).or_default();
        for _ in 0..random.random_range(0..3) {
            let (engaged_ms, scroll_pct) =
                (random.random_range(0..60_000), random.random_range(0..=100));
            events.push(engagement(id, at_ms + 60_000, engaged_ms, scroll_pct));
            *totals = (totals.0.max(engaged_ms), totals.1.max(scroll_pct));
        }
    }
    let repeats: Vec<_> = events.iter().filter(|_| random.random_bool(0.3)).cloned().collect();
    events.extend(repeats);
    events.shuffle(random);
    let mut batches = Vec::new();
    while !events.is_empty() {
        let some = events.split_off(events.len() - random.random_range(1..=events.len().min(4)));
        batches.push(batch(&visitor.to_text(), NOW_MS, &some));
    }
    (visitor, batches, seen)
}

#[actix_web::test]
async fn a_thousand_visitors_through_two_collectors() {
    let storage = Storage::new(Backend::Postgres);
    let apps = [TestApp::start(storage.again()), TestApp::start(storage)];
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let (mut requests, mut expected) = (Vec::new(), HashMap::new());
    for _ in 0..VISITORS / CROWD {
        // A crowd's batches are sent close together, so that both collectors get some of each
        // visitor.
        let mut crowd = Vec::new();
        for _ in 0..CROWD {
            let (visitor, batches, seen) = visit(&mut random);
            crowd.extend(batches);
            expected.insert(visitor, seen);
        }
        crowd.shuffle(&mut random);
        requests.extend(crowd);
    }
    let requests = Mutex::new(requests);
    let next = || requests.lock().unwrap().pop();
    let work = async |number: usize| {
        let app = &apps[number % 2];
        while let Some(body) = next() {
            let answer = app.send(body).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
        }
    };
    join_all((0..AT_ONCE).map(work)).await;

    let store = &*apps[0].app.core.store;
    for (visitor, seen) in &expected {
        let views = store.trail(&site(), *visitor).await.unwrap().views;
        let stored =
            views.iter().map(|view| (view.id, (view.totals.engaged_ms, view.totals.scroll_pct)));
        assert!(stored.eq(seen.iter().map(|(id, totals)| (*id, *totals))), "{visitor}: {seen:?}");
    }
    let counts = hold_together(store).await.counts;
    let views: usize = expected.values().map(Seen::len).sum();
    assert_eq!(
        (counts.visitors, counts.page_views, counts.stubs, counts.actions),
        (VISITORS as u64, views as u64, 0, 0)
    );
    for app in apps {
        app.stop().await;
    }
}

#[actix_web::test]
async fn a_rolling_restart_loses_and_refuses_nothing() {
    let storage = Storage::new(Backend::Postgres);
    let mut collectors: Vec<_> = (0..2).map(|_| Collector::start(&storage, "")).collect();
    let urls = |collectors: &[Collector]| collectors.iter().map(|one| one.url.clone()).collect();
    let crowd = Crowd::gather(urls(&collectors), 16);
    for _ in 0..3 {
        // The first collector, then the other.
        for _ in 0..2 {
            crowd.goes_on(100).await;
            let old = collectors.remove(0);
            let ended = tokio::task::spawn_blocking(|| old.terminate()).await.unwrap();
            assert!(ended, "no clean exit on SIGTERM");
            crowd.goes_on(100).await;
            let again = storage.again();
            let new = tokio::task::spawn_blocking(move || Collector::start(&again, "")).await;
            collectors.push(new.unwrap());
            crowd.turn_to(urls(&collectors));
        }
    }
    crowd.goes_on(100).await;
    // Requests that found nobody listening, and those whose connection was never accepted.
    assert!(crowd.unanswered() > 0, "no request met a restart");
    assert_eq!(crowd.refused(), 0, "a running collector refused a request");
    let acknowledged = crowd.stop().await;
    for collector in collectors {
        assert!(collector.terminate());
    }
    let store = storage.open();
    acknowledged.is_in(&*store).await;
    hold_together(&*store).await;
}

/// A receiver that accepts requests and never responds. It passes on each `webhook-id`.
fn never_answers() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook", listener.local_addr().unwrap());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            let mut lines = BufReader::new(connection.unwrap()).lines();
            let id = lines
                .find_map(|line| line.unwrap().strip_prefix("webhook-id: ").map(str::to_owned));
            // The test may no longer listen.
            let _ = sender.send(id.unwrap());
            held.push(lines);
        }
    });
    (url, receiver)
}

#[actix_web::test]
async fn a_dead_collectors_deliveries_come_from_the_other() {
    let storage = Storage::new(Backend::Postgres);
    let (silent, attempts) = never_answers();
    let at_once = "[delivery]\nsettle_seconds = 0\n";
    let dying = Collector::start(&storage, &format!("{at_once}{}", destination("crm", &silent)));
    let mut leads = BTreeSet::new();
    for number in 0..5 {
        let body = json!({ "contact": { "email": format!("lead-{number}@example.com") } });
        let request = client().post(format!("{}/v1/leads", dying.url)).bearer_auth(KEY);
        let made = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
        let made: serde_json::Value = serde_json::from_str(&made).unwrap();
        leads.insert(made["lead"]["id"].as_str().unwrap().to_owned());
    }
    let tried: BTreeSet<_> = (0..5).map(|_| attempts.recv_timeout(PATIENCE).unwrap()).collect();
    assert_eq!(tried.len(), 5);
    dying.kill();

    let clock = Clock::system();
    let crm = receiver(&clock);
    let webhook = destination("crm", &format!("{}/webhook", crm.crm_url()));
    let app = TestApp::start_with(storage, &webhook, clock.clone());
    assert_eq!(app.deliver().await, 0, "the leases still run");
    // The longest time of an attempt, and half a minute.
    clock.advance_ms(46_000);
    while app.deliver().await > 0 {}
    let attempts: Vec<_> =
        crm.attempts().into_iter().filter_map(|attempt| attempt.webhook_id).collect();
    assert_eq!((attempts.len(), attempts.into_iter().collect::<BTreeSet<_>>()), (5, tried));
    let received = crm.deliveries();
    let received =
        received.iter().map(|one| one.body["data"]["lead_id"].as_str().unwrap().to_owned());
    assert_eq!(received.collect::<BTreeSet<_>>(), leads);
    app.stop().await;
    crm.stop().await;
}

/// More concurrent visitors than a statement is prepared for: what waits is committed together.
async fn hundreds_in_one_commit_are_kept_apart(backend: Backend) {
    let storage = Storage::new(backend);
    let store = storage.open();
    let visitors: Vec<_> = (0..600).map(|_| new_visitor()).collect();
    let shown = |number: usize, source: &str| {
        Arrival::View(Box::new(page_view(NOW_MS + number as i64, source)))
    };
    for source in ["google", "bing"] {
        let batch = |(number, visitor): (usize, &VisitorId)| {
            store.ingest(arrivals(*visitor, vec![shown(number, source), shown(number, "")]))
        };
        let outcomes = join_all(visitors.iter().enumerate().map(batch)).await;
        assert!(outcomes.iter().all(|outcome| outcome.as_deref().unwrap() == [Outcome::Stored; 2]));
    }
    for visitor in &visitors {
        let (record, views) = (
            store.visitor(&site(), *visitor).await.unwrap().unwrap(),
            store.trail(&site(), *visitor).await.unwrap().views,
        );
        assert_eq!((record.views, views.len()), (4, 4));
    }
    hold_together(&*store).await;
    store.close().await.unwrap();
}
