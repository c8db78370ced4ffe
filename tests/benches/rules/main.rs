//! `cargo xtask bench rules`: the cost of each rule on one core.
//!
//! The last lines compare each with its limit; the table is in `docs/performance.md`.

mod hits;

use clew_core::Clock;
use collector::config::Config;
use collector::limiter::{Limiter, Load};
use collector::settings::Settings;
use criterion::{BatchSize, Criterion, Throughput};
use shared::attribution::markov::Chain;
use shared::attribution::{Model, Rule};
use shared::bot::Bots;
use shared::fields::{self, Subject};
use shared::ids::{SiteId, VisitorId};
use shared::journey::History;
use shared::lifecycle::LifeCycle;
use shared::limits;
use shared::source::{InternalTags, OwnHosts, Rules};
use shared::visit::Journey;
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    classify(&mut criterion);
    derive(&mut criterion);
    lead_fields(&mut criterion);
    bot_check(&mut criterion);
    markov(&mut criterion);
    admit(&mut criterion);
    criterion.final_summary();
}

/// One hit: the evidence from address and referrer, then the label.
fn classify(criterion: &mut Criterion) {
    let rules = Rules::built_in();
    let own = OwnHosts::new(["www.example.com"]);
    let mut group = criterion.benchmark_group("classify");
    group.throughput(Throughput::Elements(hits::HITS.len() as u64));
    group.bench_function("hits", |bencher| {
        bencher.iter(|| {
            for (url, referrer) in hits::HITS {
                let url = Url::parse(black_box(url)).expect("an address");
                let evidence = rules.evidence(&url, black_box(referrer), hits::USER_AGENTS[0].1);
                black_box(rules.label(&evidence, "", &own, InternalTags::Ignore));
            }
        });
    });
    group.finish();
}

/// One batch at the default rates, each from another visitor and one of 50,000 clients.
fn admit(criterion: &mut Criterion) {
    let text =
        "[[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n[rates]\nsite_events_per_day = 0\n";
    let settings = Settings::new(Config::parse(text, &[]).expect("settings")).expect("settings");
    let site = SiteId::parse("demo").expect("a name");
    let limiter = Limiter::new(Clock::system());
    let mut number = 0_u32;
    criterion.bench_function("rates/one_batch", |bencher| {
        bencher.iter(|| {
            number += 1;
            let mut visitor = [0; 16];
            visitor[..4].copy_from_slice(&number.to_be_bytes());
            let load = Load {
                client: Some(IpAddr::V4((0x0a00_0000 | (number % 50_000)).into())),
                visitor: VisitorId::from_random(visitor),
                events: 1,
                persons: 0,
                bytes: 500,
            };
            black_box(limiter.batch(&settings, &site, black_box(load)))
        });
    });
}

/// 200 labelled page views with 50 touches.
fn derive(criterion: &mut Criterion) {
    let views = hits::page_views(200, 50);
    assert_eq!(Journey::derive(&views).touches.len(), 50);
    criterion.bench_function("derive/200_views_50_touches", |bencher| {
        bencher.iter(|| Journey::derive(black_box(&views)));
    });
}

/// All fields of a lead with such a journey, with its summary, as JSON.
fn lead_fields(criterion: &mut Criterion) {
    let (lead, conversion) = hits::lead();
    let views = hits::page_views(200, 50).into_iter().collect();
    let views = vec![(lead.joins[0].visitor, views)];
    let life_cycle = LifeCycle::of(lead.created_at_ms, []);
    criterion.bench_function("fields/121_as_json", |bencher| {
        bencher.iter_batched(
            || History::of_lead(&lead, &views, vec![conversion.clone()]),
            |history| {
                let subject = Subject {
                    lead: &lead,
                    history: &history,
                    life_cycle: &life_cycle,
                    deals: &[],
                    hand_off: None,
                    rule: Rule::new(Model::LastNonDirect),
                    long_text: limits::JOURNEY_BYTES,
                };
                serde_json::to_string(&fields::by_name(subject)).expect("JSON")
            },
            BatchSize::SmallInput,
        );
    });
}

/// Bot detection for three user agents: a person's, a crawler's, and a short one.
fn bot_check(criterion: &mut Criterion) {
    let bots = Bots::built_in();
    let mut group = criterion.benchmark_group("bot");
    for (name, user_agent) in hits::USER_AGENTS {
        group.bench_function(name, |bencher| {
            bencher.iter(|| bots.reason(black_box(user_agent)).is_some())
        });
    }
    group.finish();
}

/// Counts transitions and computes removal effects for 10,000 distinct paths over 12 channels.
fn markov(criterion: &mut Criterion) {
    let paths = hits::paths(10_000, 12);
    criterion.bench_function("markov/10000_paths_12_channels", |bencher| {
        bencher.iter(|| {
            let mut chain = Chain::default();
            for (path, conversions) in black_box(&paths) {
                chain.add(path.iter().copied(), *conversions, 1.0, 1.0).expect("few channels");
            }
            chain.effects()
        });
    });
}
