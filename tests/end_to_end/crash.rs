//! kill -9 under load: what was acknowledged is there, nothing twice, lead and delivery together.
//!
//! Five rounds here; `CLEW_CRASH_ROUNDS` asks for more (`cargo xtask soak`).

use futures_util::future::select_all;
use rand::RngExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tests::app::{KEY, client, destination};
use tests::process::Collector;
use tests::wire::{batch, new_event, new_visitor, view};
use tokio::sync::Notify;

const BROWSERS: usize = 24;
const FORMS: usize = 4;

/// What the clients know, over all rounds.
#[derive(Default)]
struct Ledger {
    /// Sent page views of each visitor, and whether they were acknowledged.
    events: Mutex<BTreeMap<String, BTreeMap<String, bool>>>,
    /// Sent leads by e-mail, and the acknowledged id.
    leads: Mutex<BTreeMap<String, Option<String>>>,
    acknowledged: AtomicUsize,
    progress: Notify,
    stop: AtomicBool,
}

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the process under test has the machine's clock")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    #[expect(clippy::disallowed_methods, reason = "how long to run is this test's own setting")]
    let rounds = std::env::var("CLEW_CRASH_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let settings = "[delivery]\nsettle_seconds = 86400\n".to_owned()
        + &destination("crm", "http://127.0.0.1:9/");
    let ledger = Arc::new(Ledger::default());
    for round in 1..=rounds {
        let collector = Collector::start(folder.path(), &settings);
        ledger.stop.store(false, Ordering::SeqCst);
        let before = ledger.acknowledged.load(Ordering::SeqCst);
        let mut clients: Vec<_> = (0..BROWSERS + FORMS)
            .map(|number| {
                let (ledger, url) = (Arc::clone(&ledger), collector.url.clone());
                actix_web::rt::spawn(async move {
                    match number < BROWSERS {
                        true => browse(&ledger, &url).await,
                        false => convert(&ledger, &url).await,
                    }
                })
            })
            .collect();
        let enough = before + rand::rng().random_range(200..2_000);
        while ledger.acknowledged.load(Ordering::SeqCst) < enough {
            tokio::select! {
                () = ledger.progress.notified() => {}
                _ = select_all(&mut clients) => panic!("round {round}: a client was let down before the kill"),
            }
        }
        collector.kill();
        ledger.stop.store(true, Ordering::SeqCst);
        for client in clients {
            client.await.unwrap();
        }
        let collector = Collector::start(folder.path(), &settings);
        check(&ledger, &collector.url, round).await;
        assert!(collector.terminate(), "round {round}: SIGTERM did not end it in order");
    }
    assert!(ledger.acknowledged.load(Ordering::SeqCst) > rounds * 200);
}

/// Batches of three page views for a visitor of its own, until the collector is gone.
async fn browse(ledger: &Ledger, url: &str) {
    let client = client();
    let visitor = new_visitor().to_text();
    while !ledger.stop.load(Ordering::SeqCst) {
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
        let Ok(response) = request.send().await else { return };
        if response.status() == 202 {
            mark(true);
            ledger.acknowledged.fetch_add(3, Ordering::SeqCst);
            ledger.progress.notify_one();
        }
    }
}

/// One lead after the other, each of another person.
async fn convert(ledger: &Ledger, url: &str) {
    let client = client();
    while !ledger.stop.load(Ordering::SeqCst) {
        let email = format!("{}@example.com", new_visitor());
        ledger.leads.lock().unwrap().insert(email.clone(), None);
        let body = json!({ "contact": { "email": email } }).to_string();
        let request = client.post(format!("{url}/v1/leads")).bearer_auth(KEY).body(body);
        let Ok(response) = request.send().await else { return };
        if response.status() != 201 {
            continue;
        }
        let Ok(made) = response.text().await else { return };
        let made: Value = serde_json::from_str(&made).unwrap();
        let id = made["lead"]["id"].as_str().unwrap().to_owned();
        ledger.leads.lock().unwrap().insert(email, Some(id));
    }
}

async fn get(url: &str, path: &str) -> Option<Value> {
    let response = client().get(format!("{url}{path}")).bearer_auth(KEY).send().await.unwrap();
    match response.status().as_u16() {
        200 => Some(serde_json::from_str(&response.text().await.unwrap()).unwrap()),
        404 => None,
        other => panic!("{path}: {other}"),
    }
}

/// All rows of a list, page after page.
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
        let journey = get(url, &format!("/v1/visitors/{visitor}/journey")).await;
        let pages = journey.map_or(Value::Null, |found| found["journey"]["pages"].clone());
        let stored: Vec<_> = pages
            .as_array()
            .into_iter()
            .flatten()
            .map(|page| page["id"].as_str().unwrap().to_owned())
            .collect();
        let distinct: BTreeSet<_> = stored.iter().cloned().collect();
        assert_eq!(stored.len(), distinct.len(), "round {round}: an event was doubled");
        let missing = sent
            .iter()
            .filter(|(id, acknowledged)| **acknowledged && !distinct.contains(*id))
            .count();
        assert_eq!(missing, 0, "round {round}: acknowledged events are missing");
        assert!(
            distinct.iter().all(|id| sent.contains_key(id)),
            "round {round}: an event nobody sent"
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
        "round {round}: a lead and its delivery are not both there"
    );
}
