//! Throughput and latency of the stores, behind the same server and pipeline. One run measures
//! everything, because absolute figures vary from minute to minute: compare only figures in one
//! table.
//!
//! Clients, collectors and the database share one machine. The last line is a JSON object.
//! Run: `cargo xtask bench store [--quick] [ingest] [journey] [claims] [hand-off]`; without a
//! chapter, all.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints and may panic")]

mod claims;
mod collectors;
mod hand_off;
mod ingest;
mod journey;
mod nothing;

use serde_json::{Map, Value, json};
use std::time::Duration;

/// How much a run measures.
struct Scale {
    rounds: usize,
    round: Duration,
    visitors: usize,
    reads: usize,
    deliveries: usize,
    queued: usize,
}

const FULL: Scale = Scale {
    rounds: 3,
    round: Duration::from_secs(4),
    visitors: 20_000,
    reads: 10_000,
    deliveries: 20_000,
    queued: 100_000,
};
const QUICK: Scale = Scale {
    rounds: 1,
    round: Duration::from_secs(3),
    visitors: 2_000,
    reads: 2_000,
    deliveries: 4_000,
    queued: 10_000,
};

/// A part of the run. It prints its table and adds its figures to the last line.
type Chapter = fn(&Scale, &mut Map<String, Value>);

const CHAPTERS: [(&str, Chapter); 4] = [
    ("ingest", ingest::measure),
    ("journey", journey::measure),
    ("claims", claims::measure),
    ("hand-off", hand_off::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |word: &str| arguments.iter().any(|argument| argument == word);
    let scale = if is_given("--quick") { &QUICK } else { &FULL };
    let all = !CHAPTERS.iter().any(|(name, _)| is_given(name));
    let mut figures = Map::new();
    for (name, chapter) in CHAPTERS {
        if all || is_given(name) {
            chapter(scale, &mut figures);
            println!();
        }
    }
    println!("{}", Value::Object(figures));
}

/// A figure rounded to this many decimal places.
fn rounded(value: f64, digits: i32) -> Value {
    let factor = 10_f64.powi(digits);
    json!((value * factor).round() / factor)
}

/// A percentile of the times, in milliseconds.
fn percentile_ms(times_us: &mut [u32], hundredths: usize) -> f64 {
    times_us.sort_unstable();
    f64::from(times_us[times_us.len() * hundredths / 100]) / 1000.0
}
