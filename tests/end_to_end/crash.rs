//! kill -9 under load: everything acknowledged survives, nothing is stored twice, and a lead comes
//! with its delivery.
//!
//! It runs a few rounds; `CLEW_CRASH_ROUNDS` asks for more (`cargo xtask soak`). On sled each round
//! kills the collector. On PostgreSQL two collectors share a database, and rounds kill one of them,
//! both, or the server in turn.

use futures_util::future::{join_all, select_all};
use rand::RngExt;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::app::client;
use tests::postgres::Server;
use tests::process::Collector;
use tests::settings::{KEY, destination};
use tests::storage::{Backend, Storage};
use tests::wire::{batch, new_event, new_visitor, view};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

tests::both_stores!(nothing_acknowledged_is_lost_by_kill_9);

const BROWSERS: usize = 24;
const FORMS: usize = 4;
/// The longest wait for an acknowledgement, including a restart of the database.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is killed.
enum Victim {
    OneCollector,
    EveryCollector,
    Database(Arc<Server>),
}

/// How many batches one visitor sends.
const VISITOR_BATCHES: usize = 100;

/// What the clients know, over all rounds.
#[derive(Default)]
struct Ledger {
    /// The page views sent by each visitor, and whether they were acknowledged.
    events: Mutex<BTreeMap<String, BTreeMap<String, bool>>>,
    /// The leads sent, by e-mail, with the acknowledged id.
    leads: Mutex<BTreeMap<String, Option<String>>>,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    progress: Notify,
    stop: AtomicBool,
}

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the process under test uses the real clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

async fn nothing_acknowledged_is_lost_by_kill_9(backend: Backend) {
    let (storage, count, victims, rounds) = match backend {
        Backend::Sled => (Storage::new(backend), 1, vec![Victim::EveryCollector], 5),
        Backend::Postgres => {
            let server = Arc::new(Server::start());
            let storage = Storage::on(&server);
            let database = Victim::Database(server);
            (storage, 2, vec![Victim::OneCollector, Victim::EveryCollector, database], 3)
        }
    };
    #[expect(clippy::disallowed_methods, reason = "how long to run is this test's own setting")]
    let rounds =
        std::env::var("CLEW_CRASH_ROUNDS").map_or(rounds, |rounds| rounds.parse().unwrap());
    let settings = "[delivery]\nsettle_seconds = 86400\n".to_owned()
        + &destination("crm", "http://127.0.0.1:9/");
    let ledger = Arc::new(Ledger::default());
    for (round, victim) in (1..=rounds).zip(victims.iter().cycle()) {
        let start = || Collector::start(&storage, &settings);
        let mut collectors: Vec<_> = (0..count).map(|_| start()).collect();
        ledger.stop.store(false, Ordering::SeqCst);
        let mut clients: Vec<_> =
            collectors.iter().map(|collector| clients(&ledger, &collector.url, count)).collect();
        let enough = rand::rng().random_range(200..2_000);
        ledger.goes_on(enough, &mut clients, round).await;
        match victim {
            Victim::OneCollector => {
                collectors.remove(0).kill();
                join_all(clients.remove(0)).await;
                ledger.goes_on(200, &mut clients, round).await;
            }
            Victim::EveryCollector => collectors.drain(..).for_each(Collector::kill),
            Victim::Database(server) => {
                let (server, before) = (Arc::clone(server), ledger.refused.load(Ordering::SeqCst));
                let again = move || {
                    server.kill();
                    server.restart();
                };
                // On a separate thread, so that the clients go on sending.
                tokio::task::spawn_blocking(again).await.unwrap();
                ledger.goes_on(200, &mut clients, round).await;
                let refused = ledger.refused.load(Ordering::SeqCst) - before;
                assert!(refused > 0, "round {round}: no request was refused meanwhile");
            }
        }
        ledger.stop.store(true, Ordering::SeqCst);
        for client in clients.into_iter().flatten() {
            client.await.unwrap();
        }
        if collectors.is_empty() {
            collectors.push(start());
        }
        check(&ledger, &collectors[0].url, round).await;
        for collector in collectors {
            assert!(collector.terminate(), "round {round}: no clean exit on SIGTERM");
        }
    }
    assert!(ledger.acknowledged.load(Ordering::SeqCst) > rounds * 200);
}

/// Starts one collector's share of browsers and forms.
fn clients(ledger: &Arc<Ledger>, url: &str, collectors: usize) -> Vec<JoinHandle<()>> {
    let client = |is_browser: bool| {
        let (ledger, url) = (Arc::clone(ledger), url.to_owned());
        actix_web::rt::spawn(async move {
            match is_browser {
                true => browse(&ledger, &url).await,
                false => convert(&ledger, &url).await,
            }
        })
    };
    let browsers = (0..BROWSERS / collectors).map(|_| client(true));
    browsers.chain((0..FORMS / collectors).map(|_| client(false))).collect()
}

impl Ledger {
    /// Waits until this many more requests are acknowledged. No client may lose its collector
    /// meanwhile.
    async fn goes_on(&self, more: usize, clients: &mut [Vec<JoinHandle<()>>], round: usize) {
        let enough = self.acknowledged.load(Ordering::SeqCst) + more;
        let progress = async {
            while self.acknowledged.load(Ordering::SeqCst) < enough {
                tokio::select! {
                    () = self.progress.notified() => {}
                    (ended, ..) = select_all(clients.iter_mut().flatten()) =>
                        panic!("round {round}: a client failed: {ended:?}"),
                }
            }
        };
        let in_time = timeout(PATIENCE, progress).await.is_ok();
        assert!(in_time, "round {round}: nothing more was acknowledged");
    }

    /// Sends a request. Returns the response if it acknowledges, and `None` if it is 503. Any other
    /// response fails the test; an error means that the collector is gone.
    async fn send(
        &self,
        request: RequestBuilder,
        acknowledges: u16,
    ) -> reqwest::Result<Option<Response>> {
        let response = request.send().await?;
        if response.status() == 503 {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Ok(None);
        }
        assert_eq!(response.status(), acknowledges, "{:?}", response.text().await);
        Ok(Some(response))
    }
}

/// Sends batches of three page views until the collector is gone, each visitor with too few for
/// older ones to be summed up.
async fn browse(ledger: &Ledger, url: &str) {
    let (client, mut pauses) = (client(), pauses());
    let mut visitor = new_visitor().to_text();
    for turn in 1.. {
        if ledger.stop.load(Ordering::SeqCst) {
            return;
        }
        if turn % VISITOR_BATCHES == 0 {
            visitor = new_visitor().to_text();
        }
        let at_ms = now_ms();
        let ids: Vec<_> = (0..3).map(|_| new_event(at_ms)).collect();
        let views: Vec<_> =
            ids.iter().map(|id| view(*id, at_ms, "https://www.example.com/", "")).collect();
        let mark = |acknowledged: bool| {
            let sent = ids.iter().map(|id| (id.to_text(), acknowledged));
            ledger.events.lock().unwrap().entry(visitor.clone()).or_default().extend(sent);
        };
        mark(false);
        let request = client.post(format!("{url}/c/e")).body(batch(&visitor, at_ms, &views));
        match ledger.send(request, 202).await {
            Err(_) => return,
            Ok(None) => {
                pauses.tick().await;
            }
            Ok(Some(_)) => {
                mark(true);
                ledger.acknowledged.fetch_add(3, Ordering::SeqCst);
                ledger.progress.notify_one();
            }
        }
    }
}

/// Sends leads one after the other, each of another person.
async fn convert(ledger: &Ledger, url: &str) {
    let (client, mut pauses) = (client(), pauses());
    while !ledger.stop.load(Ordering::SeqCst) {
        let email = format!("{}@example.com", new_visitor());
        ledger.leads.lock().unwrap().insert(email.clone(), None);
        let body = json!({ "contact": { "email": email } }).to_string();
        let request = client.post(format!("{url}/v1/leads")).bearer_auth(KEY).body(body);
        let made = match ledger.send(request, 201).await {
            Err(_) => return,
            Ok(None) => {
                pauses.tick().await;
                continue;
            }
            Ok(Some(made)) => made,
        };
        let Ok(made) = made.text().await else { return };
        let made: Value = serde_json::from_str(&made).unwrap();
        let id = made["lead"]["id"].as_str().unwrap().to_owned();
        ledger.leads.lock().unwrap().insert(email, Some(id));
    }
}

/// The pauses of a client after a 503.
fn pauses() -> Interval {
    let mut pauses = interval(Duration::from_millis(20));
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pauses
}

/// Gets an API path. A collector whose database was away may need a moment.
async fn get(url: &str, path: &str) -> Option<Value> {
    let (client, mut looks) = (client(), interval(Duration::from_millis(100)));
    for _ in 0..100 {
        looks.tick().await;
        let response = client.get(format!("{url}{path}")).bearer_auth(KEY).send().await.unwrap();
        match response.status().as_u16() {
            200 => return Some(serde_json::from_str(&response.text().await.unwrap()).unwrap()),
            404 => return None,
            503 => {}
            other => panic!("{path}: {other}"),
        }
    }
    panic!("{path}: nothing but 503");
}

/// Reads all rows of a list, page by page.
async fn all(url: &str, list: &str) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = get(url, &format!("/v1/{list}?limit=500{after}")).await.unwrap();
        rows.extend(page[list].as_array().unwrap().iter().cloned());
        let Some(next) = page["next"].as_str() else { return rows };
        after = format!("&after={next}");
    }
}

async fn check(ledger: &Ledger, url: &str, round: usize) {
    let events = ledger.events.lock().unwrap().clone();
    for (visitor, sent) in events {
        let journey = get(url, &format!("/v1/visitors/{visitor}/journey?limit=500")).await;
        let pages = journey.map_or(Value::Null, |found| found["journey"]["pages"].clone());
        let stored: Vec<_> = pages
            .as_array()
            .into_iter()
            .flatten()
            .map(|page| page["id"].as_str().unwrap().to_owned())
            .collect();
        let distinct: BTreeSet<_> = stored.iter().cloned().collect();
        assert_eq!(stored.len(), distinct.len(), "round {round}: an event is stored twice");
        let missing = sent
            .iter()
            .filter(|(id, acknowledged)| **acknowledged && !distinct.contains(*id))
            .count();
        assert_eq!(missing, 0, "round {round}: acknowledged events are missing");
        assert!(
            distinct.iter().all(|id| sent.contains_key(id)),
            "round {round}: an event that nobody sent"
        );
    }
    let leads = all(url, "leads").await;
    let sent = ledger.leads.lock().unwrap().clone();
    let ids: BTreeSet<_> =
        leads.iter().map(|lead| lead["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), leads.len(), "round {round}: a lead is listed twice");
    for id in sent.values().flatten() {
        assert!(ids.contains(id), "round {round}: the acknowledged lead {id} is missing");
    }
    for lead in &leads {
        let email = lead["contact"]["email"].as_str().unwrap();
        assert!(sent.contains_key(email) && lead["conversions"] == 1, "round {round}: {lead}");
    }
    let deliveries = all(url, "deliveries").await;
    let delivered: Vec<_> = deliveries
        .iter()
        .map(|delivery| delivery["lead_id"].as_str().unwrap().to_owned())
        .collect();
    let distinct: BTreeSet<_> = delivered.iter().cloned().collect();
    assert_eq!(
        (delivered.len(), &distinct),
        (leads.len(), &ids),
        "round {round}: a lead without its delivery, or the reverse"
    );
}
