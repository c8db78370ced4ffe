//! Claims of one destination's due deliveries by four concurrent workers, through the trait; on
//! PostgreSQL, two workers in each of two stores. Every delivery must be claimed exactly once.

use crate::{Scale, rounded};
use clew_server::server;
use clew_store::{Claim, Converted, DeliveryId, Store};
use collector::config::Config;
use futures_util::future::join_all;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::settings::settings_for;
use tests::storage::open_store;
use tests::storage::{Backend, Storage};
use tests::story::{START_MS, conversion};

const WORKERS: usize = 4;
const LIMIT: usize = 20;
/// How many leads are created concurrently.
const FILLING: usize = 64;
/// A run that takes longer has lost a delivery.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn measure(scale: &Scale, figures: &mut Map<String, Value>) {
    let sled = run(scale.deliveries, Backend::Sled, 1);
    let postgres = run(scale.deliveries, Backend::Postgres, 2);
    let title = format!("{} due deliveries, {WORKERS} workers, {LIMIT} a claim", scale.deliveries);
    println!("{title:<50} {:>14}", "deliveries/s");
    println!("{:<50} {sled:>14.0}", "sled");
    println!("{:<50} {postgres:>14.0}", "PostgreSQL, two stores");
    figures.insert("claims_per_s".into(), rounded(postgres, 0));
    figures.insert("sled_claims_per_s".into(), rounded(sled, 0));
}

/// Returns the deliveries claimed per second.
fn run(deliveries: usize, backend: Backend, stores: usize) -> f64 {
    let storage = Storage::new(backend);
    let config = Config::parse(&settings_for(&storage.url()), &[]).unwrap();
    server::block_on(async {
        let stores: Vec<_> = (0..stores).map(|_| open_store(&config)).collect();
        make(&*stores[0], deliveries).await;

        let claimed = Rc::new(RefCell::new(HashSet::new()));
        let begun = Instant::now();
        let workers = (0..WORKERS).map(|index| {
            let (store, claimed) = (Arc::clone(&stores[index % stores.len()]), Rc::clone(&claimed));
            tokio::task::spawn_local(worker(store, claimed, deliveries))
        });
        for worker in join_all(workers).await {
            worker.unwrap();
        }
        let taken = begun.elapsed();
        for store in stores {
            store.close().await.unwrap();
        }
        deliveries as f64 / taken.as_secs_f64()
    })
}

/// Claims until all deliveries are claimed.
async fn worker(
    store: Arc<dyn Store>,
    claimed: Rc<RefCell<HashSet<DeliveryId>>>,
    deliveries: usize,
) {
    let begun = Instant::now();
    while claimed.borrow().len() < deliveries {
        assert!(begun.elapsed() < PATIENCE, "only {} were claimed", claimed.borrow().len());
        let found = store.claim_deliveries(due()).await.unwrap();
        if found.is_empty() {
            // Other workers are getting the rest. They share this thread, so yield it: a store that
            // returns at once would never give it up.
            tokio::task::yield_now().await;
        }
        for delivery in found {
            assert_eq!(delivery.attempts, 1);
            assert!(claimed.borrow_mut().insert(delivery.id), "a delivery was claimed twice");
        }
    }
}

/// A claim at a time when everything is due, with a lease longer than the run.
fn due() -> Claim {
    let (now_ms, lease) = (START_MS + 10_000, PATIENCE * 10);
    let lease_until_ms = now_ms + lease.as_millis() as i64;
    Claim { destination: "crm".into(), now_ms, lease_until_ms, limit: LIMIT }
}

/// Creates leads, each with one delivery.
async fn make(store: &dyn Store, deliveries: usize) {
    join_all((0..FILLING).map(async |first| {
        for number in (first..deliveries).step_by(FILLING) {
            let email = format!("{number}@example.com");
            let converted = store.convert(conversion(START_MS, None, &email, None)).await.unwrap();
            assert!(matches!(converted, Converted::Stored { repeated: false, .. }));
        }
    }))
    .await;
}
