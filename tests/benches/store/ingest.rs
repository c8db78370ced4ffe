//! Ingest over HTTP: the server with a store that keeps nothing (the ceiling), with sled, and two
//! collectors on one PostgreSQL database with its default durability, where every commit waits for
//! the disk.

use crate::collectors::{Collector, Connection};
use crate::nothing::NullStore;
use crate::{Scale, percentile_ms, rounded};
use clew_server::server;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::storage::open_store;
use tests::storage::{Backend, Storage};
use tests::wire::{batch, new_event, new_visitor, view};

pub(crate) const CONNECTIONS: usize = 64;
const EVENTS: usize = 3;

/// Requests per second, and the 99th percentile of their times in milliseconds.
struct Figures {
    per_second: f64,
    p99_ms: f64,
}

pub(crate) fn measure(scale: &Scale, figures: &mut Map<String, Value>) {
    let (mut ceiling, mut sled, mut postgres) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        ceiling.push(round(scale.round, Backend::Sled, 1, true));
        sled.push(round(scale.round, Backend::Sled, 1, false));
    }
    // Not interleaved with the others: the server goes on writing after a round.
    for _ in 0..scale.rounds {
        postgres.push(round(scale.round, Backend::Postgres, 2, false));
    }
    let [ceiling, sled, postgres] = [ceiling, sled, postgres].map(median);

    let title = format!("{CONNECTIONS} connections, {EVENTS} page views per request");
    println!("{title:<44} {:>10} {:>10} {:>10}", "requests/s", "events/s", "p99 ms");
    let rows = [
        ("no store (the ceiling)", &ceiling),
        ("sled, flush and fdatasync, then 202", &sled),
        ("PostgreSQL, two collectors, commit, then 202", &postgres),
    ];
    for (name, Figures { per_second, p99_ms }) in rows {
        let events = per_second * EVENTS as f64;
        println!("{name:<44} {per_second:>10.0} {events:>10.0} {p99_ms:>10.2}");
    }
    let mut put = |name: &str, value| figures.insert(name.to_owned(), value);
    put("ceiling_rps", rounded(ceiling.per_second, 0));
    put("sled_rps", rounded(sled.per_second, 0));
    put("sled_ratio", rounded(sled.per_second / ceiling.per_second, 3));
    put("sled_p99_ms", rounded(sled.p99_ms, 2));
    put("postgres_events_per_s", rounded(postgres.per_second * EVENTS as f64, 0));
    put("postgres_p99_ms", rounded(postgres.p99_ms, 2));
}

fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    rounds.swap_remove(rounds.len() / 2)
}

/// One round on a new storage, with the connections divided among its collectors.
fn round(length: Duration, backend: Backend, collectors: usize, ceiling: bool) -> Figures {
    let storage = Storage::new(backend);
    server::block_on(async {
        let start = |_| {
            Collector::start(&storage, |config| match ceiling {
                true => Arc::new(NullStore),
                false => open_store(config),
            })
        };
        let collectors: Vec<_> = (0..collectors).map(start).collect();
        let begun = Instant::now();
        let clients = (0..CONNECTIONS).map(|index| {
            let collector = &collectors[index % collectors.len()];
            let now_ms = collector.app.core.clock.clone();
            let browsers = browsers(collector.address, move || now_ms.now_ms(), begun, length);
            tokio::task::spawn_local(browsers)
        });
        let mut times_us = Vec::new();
        for times in futures_util::future::join_all(clients).await {
            times_us.extend(times.unwrap());
        }
        let taken = begun.elapsed();
        for collector in collectors {
            collector.stop().await;
        }
        Figures {
            per_second: times_us.len() as f64 / taken.as_secs_f64(),
            p99_ms: percentile_ms(&mut times_us, 99),
        }
    })
}

/// One browser after another on one connection. Returns the microseconds of each request.
pub(crate) async fn browsers(
    address: SocketAddr,
    now_ms: impl Fn() -> i64,
    begun: Instant,
    length: Duration,
) -> Vec<u32> {
    let mut connection = Connection::open(address).await;
    let mut times_us = Vec::new();
    while begun.elapsed() < length {
        let now_ms = now_ms();
        let events: Vec<String> = (0..EVENTS)
            .map(|_| {
                view(
                    new_event(now_ms),
                    now_ms,
                    "https://www.example.com/pricing?utm_source=google&utm_medium=cpc",
                    "",
                )
            })
            .collect();
        let body = batch(&new_visitor().to_text(), now_ms, &events);
        let request = format!(
            "POST /c/e HTTP/1.1\r\nhost: track.example.com\r\norigin: https://www.example.com\r\n\
             user-agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/156\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (taken_us, answer) = connection.ask(&request).await;
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        times_us.push(taken_us);
    }
    times_us
}
