//! Deliveries to destinations that take 200 ms to respond, and how a long queue of them affects
//! ingest.

use crate::collectors::Collector;
use crate::ingest::{CONNECTIONS, browsers};
use crate::{Scale, percentile_ms, rounded};
use actix_web::{App, HttpResponse, HttpServer, web};
use clew_server::server;
use clew_store::{DeliveriesOf, DeliveryFilter, DeliveryState, NewConversion, Store};
use futures_util::future::join_all;
use serde_json::{Map, Value};
use shared::limits::DAY_MS;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tests::crm::Vendor;
use tests::settings::destination;
use tests::storage::open_store;
use tests::storage::{Backend, Storage};
use tests::story::{conversion, site};
use tokio::sync::watch;

/// How long a destination takes to respond.
const ANSWERS_AFTER: Duration = Duration::from_millis(200);
/// How long deliveries are counted.
const COUNTED: Duration = Duration::from_secs(10);
/// The length of a short queue that still lasts a round.
const SHORT: usize = 2_000;
/// How many leads are created concurrently.
const FILLING: usize = 64;

pub(crate) fn measure(scale: &Scale, figures: &mut Map<String, Value>) {
    let title = format!("leads delivered, {} ms per response", ANSWERS_AFTER.as_millis());
    println!("{title:<60} {:>10}", "leads/s");
    let mut put = |name: &str, value| figures.insert(name.to_owned(), value);
    for (name, key, to) in [
        ("a webhook", "webhook_leads_per_s", None),
        ("HubSpot (a stand-in), record and note", "hubspot_leads_per_s", Some(Vendor::Hubspot)),
        (
            "Salesforce (a stand-in), record and note",
            "salesforce_leads_per_s",
            Some(Vendor::Salesforce),
        ),
    ] {
        let per_second = handed_off(to);
        println!("{name:<60} {per_second:>10.1}");
        put(key, rounded(per_second, 1));
    }
    println!();
    println!(
        "{:<60} {:>10} {:>10}",
        "ingest on sled, 3 page views per request", "requests/s", "p99 ms"
    );
    let loads = [(0, true), (scale.queued, false), (SHORT, true), (scale.queued, true)];
    let mut rounds = loads.map(|_| Vec::new());
    for _ in 0..scale.rounds {
        for ((queued, is_due), rounds) in loads.into_iter().zip(&mut rounds) {
            rounds.push(ingest(scale.round, queued, is_due));
        }
    }
    let [nothing, waiting, short, long] = rounds.map(|mut rounds| {
        rounds.sort_by(|left, right| left.0.total_cmp(&right.0));
        rounds.swap_remove(rounds.len() / 2)
    });
    let queued = scale.queued;
    for (name, (per_second, p99_ms)) in [
        ("nothing to hand off".to_owned(), nothing),
        (format!("{queued} deliveries queued, none due yet"), waiting),
        (format!("{SHORT} queued and handed off meanwhile"), short),
        (format!("{queued} queued and handed off meanwhile"), long),
    ] {
        println!("{name:<60} {per_second:>10.0} {p99_ms:>10.2}");
    }
    put("queued_ingest_ratio", rounded(waiting.0 / nothing.0, 3));
    put("short_hand_off_ingest_ratio", rounded(short.0 / nothing.0, 3));
    put("long_hand_off_ingest_ratio", rounded(long.0 / nothing.0, 3));
    put("queued_p99_ms", rounded(long.1, 2));
}

/// Starts a slow webhook receiver. Returns its URL.
fn slow_receiver() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = || async {
        #[expect(
            clippy::disallowed_methods,
            reason = "the receiver's delay is part of what is measured"
        )]
        tokio::time::sleep(ANSWERS_AFTER).await;
        HttpResponse::Ok().finish()
    };
    let receiver = HttpServer::new(move || App::new().default_service(web::to(answer)));
    let receiver = receiver.workers(1).disable_signals().listen(listener).unwrap().run();
    actix_web::rt::spawn(receiver);
    url
}

/// Returns the leads delivered to a destination per second, with the settings of a new
/// installation.
fn handed_off(to: Option<Vendor>) -> f64 {
    let storage = Storage::new(Backend::Sled);
    server::block_on(async {
        let (settings, _crm) = match to {
            None => (destination("slow", &slow_receiver()), None),
            Some(vendor) => {
                let crm = vendor.stand_in(None);
                let settings = vendor.settings(crm.url(), "poll_minutes = 0");
                crm.set(|settings| settings.latency_ms = ANSWERS_AFTER.as_millis() as u64);
                (settings, Some(crm))
            }
        };
        let name = to.map_or("slow", Vendor::name);
        let collector = Collector::start_with(&storage, &settings, |config| open_store(config));
        if let Some(vendor) = to {
            let settings = collector.app.settings.get();
            let connection =
                settings.connection(&collector.app.connections, vendor.name()).unwrap().unwrap();
            connection.crm.fields().unwrap().declare(&connection.fields).await.unwrap();
        }
        fill(&*collector.app.core.store, collector.app.core.clock.now_ms(), 2_000, name).await;
        let outbox = collector.app.outbox();
        let (stop, stopped) = watch::channel(false);
        let begun = Instant::now();
        let running = tokio::task::spawn_local(outbox.run(stopped));
        #[expect(
            clippy::disallowed_methods,
            reason = "the run counts what is done in a fixed time"
        )]
        tokio::time::sleep(COUNTED).await;
        stop.send_replace(true);
        running.await.unwrap();
        let taken = begun.elapsed();
        let sent = sent(&*collector.app.core.store).await;
        collector.stop().await;
        sent as f64 / taken.as_secs_f64()
    })
}

/// Returns requests per second and the 99th percentile, with this many deliveries in the queue.
/// They are delivered meanwhile if they are due.
fn ingest(length: Duration, queued: usize, is_due: bool) -> (f64, f64) {
    let storage = Storage::new(Backend::Sled);
    server::block_on(async {
        let settings = destination("slow", &slow_receiver());
        let collector = Collector::start_with(&storage, &settings, |config| open_store(config));
        let due_ms = collector.app.core.clock.now_ms() + if is_due { 0 } else { DAY_MS };
        fill(&*collector.app.core.store, due_ms, queued, "slow").await;
        let (stop, stopped) = watch::channel(false);
        let outbox = tokio::task::spawn_local(collector.app.outbox().run(stopped));
        let begun = Instant::now();
        let clients = (0..CONNECTIONS).map(|_| {
            let clock = collector.app.core.clock.clone();
            let browsers = browsers(collector.address, move || clock.now_ms(), begun, length);
            tokio::task::spawn_local(browsers)
        });
        let mut times_us = Vec::new();
        for times in join_all(clients).await {
            times_us.extend(times.unwrap());
        }
        let taken = begun.elapsed();
        let is_busy = is_due && queued > 0;
        assert_eq!(
            sent(&*collector.app.core.store).await > 0,
            is_busy,
            "whether the outbox delivered"
        );
        stop.send_replace(true);
        outbox.await.unwrap();
        collector.stop().await;
        (times_us.len() as f64 / taken.as_secs_f64(), percentile_ms(&mut times_us, 99))
    })
}

/// Creates leads, each with a delivery that is due at `now_ms`.
async fn fill(store: &dyn Store, now_ms: i64, leads: usize, name: &str) {
    join_all((0..FILLING).map(async |first| {
        for number in (first..leads).step_by(FILLING) {
            let email = format!("{number}@example.com");
            let new = conversion(now_ms, None, &email, None);
            let new = NewConversion { destinations: vec![name.into()], due_at_ms: now_ms, ..new };
            store.convert(new).await.unwrap();
        }
    }))
    .await;
}

async fn sent(store: &dyn Store) -> usize {
    let (site, state, limit) = (site(), Some(DeliveryState::Sent), usize::MAX);
    let filter = DeliveryFilter { site, of: DeliveriesOf::Site, state, after: None, limit };
    store.deliveries(filter).await.unwrap().len()
}
