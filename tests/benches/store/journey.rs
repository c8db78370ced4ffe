//! Reads journeys over HTTP, one request after the other on one connection, from a store that holds
//! many others.

use crate::collectors::{Collector, Connection};
use crate::{Scale, percentile_ms, rounded};
use clew_server::server;
use clew_store::{Arrival, Store};
use futures_util::future::join_all;
use rand::RngExt;
use serde_json::{Map, Value};
use shared::ids::VisitorId;
use shared::limits::DAY_MS;
use shared::outcome::Outcome;
use shared::page_view::PageView;
use std::path::Path;
use std::time::Instant;
use tests::postgres::Server;
use tests::settings::KEY;
use tests::storage::open_store;
use tests::storage::{Backend, Storage};
use tests::story::{START_MS, arrivals, page_view};
use tests::wire::{new_event, new_visitor};

/// The visits of each visitor.
const VISITS: usize = 5;
/// The page views of each visit, each from another campaign than the last: one touch each.
const PAGES: usize = 10;
/// How many batches are sent concurrently while the store is filled.
const FILLING: usize = 400;

struct Figures {
    fill_s: f64,
    size: String,
    p50_ms: f64,
    p99_ms: f64,
}

pub(crate) fn measure(scale: &Scale, figures: &mut Map<String, Value>) {
    let [sled, postgres] = [Backend::Sled, Backend::Postgres].map(|backend| run(scale, backend));
    let title = format!(
        "journey of {} touches among {} page views, one connection",
        VISITS * PAGES,
        scale.visitors * VISITS * PAGES
    );
    println!("{title:<62} {:>8} {:>8}", "p50 ms", "p99 ms");
    for (name, Figures { fill_s, size, p50_ms, p99_ms }) in
        [("sled", &sled), ("PostgreSQL", &postgres)]
    {
        println!("{name:<62} {p50_ms:>8.2} {p99_ms:>8.2}");
        println!("    filled in {fill_s:.0} s, {size}");
    }
    let mut put = |name: &str, value| figures.insert(name.to_owned(), rounded(value, 2));
    put("journey_p99_ms", sled.p99_ms.max(postgres.p99_ms));
    put("sled_journey_p99_ms", sled.p99_ms);
    put("postgres_journey_p99_ms", postgres.p99_ms);
}

fn run(scale: &Scale, backend: Backend) -> Figures {
    let storage = Storage::new(backend);
    server::block_on(async {
        let collector = Collector::start(&storage, |config| open_store(config));
        let visitors: Vec<_> = (0..scale.visitors).map(|_| new_visitor()).collect();
        let begun = Instant::now();
        for visit in 0..VISITS {
            // Visit by visit, in order of time, so that a visitor's rows are not adjacent.
            fill(&*collector.app.core.store, &visitors, visit).await;
        }
        let fill_s = begun.elapsed().as_secs_f64();

        let mut connection = Connection::open(collector.address).await;
        let mut times_us = Vec::with_capacity(scale.reads);
        for read in 0..scale.reads {
            let visitor = visitors[rand::rng().random_range(0..visitors.len())];
            let request = format!(
                "GET /v1/visitors/{}/journey HTTP/1.1\r\nhost: track.example.com\r\n\
                 authorization: Bearer {KEY}\r\n\r\n",
                visitor.to_text()
            );
            let (taken_us, answer) = connection.ask(&request).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            if read == 0 {
                let (_, body) = answer.split_once("\r\n\r\n").unwrap();
                let body: Value = serde_json::from_str(body).unwrap();
                let touches = body["journey"]["touches"].as_array().unwrap();
                assert_eq!(touches.len(), VISITS * PAGES);
            }
            times_us.push(taken_us);
        }
        collector.stop().await;
        Figures {
            fill_s,
            size: size(&storage),
            p50_ms: percentile_ms(&mut times_us, 50),
            p99_ms: percentile_ms(&mut times_us, 99),
        }
    })
}

/// Stores one visit of every visitor, through the trait.
async fn fill(store: &dyn Store, visitors: &[VisitorId], visit: usize) {
    let pages = ["google", "bing"].map(|source| page_view(START_MS, source));
    let first_ms = START_MS + visit as i64 * DAY_MS;
    let share = visitors.chunks(visitors.len().div_ceil(FILLING));
    join_all(share.map(async |visitors| {
        for visitor in visitors {
            let views =
                (0..PAGES).map(|page| shown(&pages[page % 2], first_ms + page as i64 * 60_000));
            let batch = arrivals(*visitor, views.collect());
            let outcomes = store.ingest(batch).await.unwrap();
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
        }
    }))
    .await;
}

fn shown(page: &PageView, at_ms: i64) -> Arrival {
    let (id, received_at_ms) = (new_event(at_ms), at_ms);
    Arrival::View(Box::new(PageView { id, at_ms, received_at_ms, ..page.clone() }))
}

/// The disk space that a storage uses.
fn size(storage: &Storage) -> String {
    match storage {
        Storage::Sled(folder) => format!("{:.0} MiB", mebibytes(folder_bytes(folder.path()))),
        Storage::Postgres(database) => {
            let table = |name: &str| {
                let sql = format!("SELECT pg_total_relation_size('clew.{name}')");
                mebibytes(Server::shared().psql(database.name(), &sql).parse().unwrap())
            };
            let (events, visitors) = (table("events"), table("visitors"));
            format!("{events:.0} MiB of events and {visitors:.0} MiB of visitors")
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => folder_bytes(&entry.path()),
        false => entry.metadata().unwrap().len(),
    });
    bytes.sum()
}
