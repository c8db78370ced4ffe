//! Durable ingest against the same server and pipeline with a store that keeps nothing.
//!
//! 64 connections, three page views a request, client and server on the same machine. Both stores in
//! one run, in turns, because absolute figures swing from minute to minute; the ratio is what counts.
//! The last line is one JSON object. Run: `cargo xtask bench`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark talks and may fail")]

mod nothing;

use collector::app::{App, open_store};
use collector::clock::{Clock, Dice};
use collector::config::Config;
use collector::server;
use collector::store::Store;
use serde_json::json;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::app::settings_for;
use tests::storage::{Backend, Storage};
use tests::wire::{batch, new_event, new_visitor, view};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const EVENTS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;

/// Requests a second and the 99th percentile of their times in milliseconds.
struct Figures {
    per_second: f64,
    p99_ms: f64,
}

fn main() {
    let mut ceiling = Vec::new();
    let mut durable = Vec::new();
    for _ in 0..ROUNDS {
        ceiling.push(measure(|_| Arc::new(nothing::Nothing)));
        durable.push(measure(|config| open_store(config).unwrap()));
    }
    let (ceiling, durable) = (median(ceiling), median(durable));
    println!("{:<28} {:>10} {:>10}", "store", "requests/s", "p99 ms");
    println!("{:<28} {:>10.0} {:>10.2}", "none (the ceiling)", ceiling.per_second, ceiling.p99_ms);
    println!(
        "{:<28} {:>10.0} {:>10.2}",
        "sled, fdatasync, then 202", durable.per_second, durable.p99_ms
    );
    let line = json!({
        "ceiling_rps": ceiling.per_second.round(),
        "sled_rps": durable.per_second.round(),
        "sled_ratio": (durable.per_second / ceiling.per_second * 1000.0).round() / 1000.0,
        "sled_p99_ms": (durable.p99_ms * 100.0).round() / 100.0,
    });
    println!("{line}");
}

fn median(mut rounds: Vec<Figures>) -> Figures {
    rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    rounds.swap_remove(rounds.len() / 2)
}

fn measure(store: impl FnOnce(&Config) -> Arc<dyn Store>) -> Figures {
    let storage = Storage::new(Backend::Sled);
    let config = Config::parse(&settings_for(&storage), &[]).unwrap();
    server::block_on(async {
        let store = store(&config);
        let app = App::new(config, Arc::clone(&store), Clock::system(), Dice::system()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server::serve(listener, &app).unwrap();
        let clock = app.clock.clone();
        let begun = Instant::now();
        let clients = (0..CONNECTIONS)
            .map(|_| tokio::task::spawn_local(client(address, clock.clone(), begun)));
        let mut times_us = Vec::new();
        for times in futures_util::future::join_all(clients).await {
            times_us.extend(times.unwrap());
        }
        let taken = begun.elapsed();
        serving.stop().await;
        store.close().await.unwrap();
        times_us.sort_unstable();
        let p99_us: u32 = times_us[times_us.len() * 99 / 100];
        Figures {
            per_second: times_us.len() as f64 / taken.as_secs_f64(),
            p99_ms: f64::from(p99_us) / 1000.0,
        }
    })
}

/// One browser after another over one connection; the microseconds of each request.
async fn client(address: std::net::SocketAddr, clock: Clock, begun: Instant) -> Vec<u32> {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.set_nodelay(true).unwrap();
    let mut times_us = Vec::new();
    let mut answer = vec![0; 4096];
    while begun.elapsed() < ROUND {
        let now_ms = clock.now_ms();
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
             user-agent: Mozilla/5.0 Chrome/156\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let sent = Instant::now();
        connection.write_all(request.as_bytes()).await.unwrap();
        let length = connection.read(&mut answer).await.unwrap();
        times_us.push(sent.elapsed().as_micros() as u32);
        assert!(
            answer[..length].starts_with(b"HTTP/1.1 202"),
            "{}",
            String::from_utf8_lossy(&answer[..length])
        );
    }
    times_us
}
