//! kill -9 of the collector in each state of a delivery: afterwards there is one record and one
//! note.

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use standin::{Fault, Standin, When};
use std::time::Duration;
use tests::app::client;
use tests::crm::Vendor;
use tests::process::Collector;
use tests::settings::KEY;
use tests::storage::{Backend, Storage};
use tokio::time::{Interval, interval, timeout};

tests::both_stores!(one_record_and_one_note_whenever_it_is_killed);

/// When the collector is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The lead is acknowledged, and nothing has been attempted.
    Pending,
    /// The CRM got a request, which it carried out or not, and its response never arrives.
    Call(&'static str, When),
    /// An attempt has failed, and the next is due later.
    Retry,
    /// It is delivered.
    Sent,
}

/// Long enough for a dead collector's claim to run out, and on PostgreSQL a lease.
const PATIENCE: Duration = Duration::from_secs(120);

async fn one_record_and_one_note_whenever_it_is_killed(backend: Backend) {
    let vendors: &[Vendor] = match backend {
        Backend::Sled => &Vendor::ALL,
        Backend::Postgres => &[Vendor::Hubspot],
    };
    let mut cases = Vec::new();
    for vendor in vendors {
        let (find, write, note) = match vendor {
            Vendor::Hubspot => ("/contacts/", "/batch/upsert", "/notes"),
            Vendor::Salesforce => ("/composite", "/sobjects/Lead/", "/sobjects/Task"),
        };
        let calls = [
            (find, When::Before),
            (write, When::Before),
            (write, When::After),
            (note, When::Before),
            (note, When::After),
        ];
        cases
            .extend([Moment::Pending, Moment::Retry, Moment::Sent].map(|moment| (*vendor, moment)));
        cases.extend(calls.map(|(path, when)| (*vendor, Moment::Call(path, when))));
    }
    join_all(cases.into_iter().map(|(vendor, moment)| killed(backend, vendor, moment))).await;
}

async fn killed(backend: Backend, vendor: Vendor, moment: Moment) {
    let storage = Storage::new(backend);
    let crm = vendor.stand_in(None);
    let settle = if matches!(moment, Moment::Pending) { 3 } else { 0 };
    let delivery = format!(
        "[delivery]\nsettle_seconds = {settle}\ntimeout_seconds = 2\nretry_seconds = [5, 5, 5]\n"
    );
    let settings = delivery + &vendor.settings(crm.url(), "poll_minutes = 0");
    match moment {
        Moment::Call(path, when) => {
            crm.fail(Fault { path: path.into(), delay_ms: 60_000, when, ..Fault::default() })
        }
        Moment::Retry => crm.fail(Fault { status: 503, ..Fault::default() }),
        Moment::Pending | Moment::Sent => {}
    }
    let collector = Collector::start(&storage, &settings);
    let http = client();
    let made = http
        .post(format!("{}/v1/leads", collector.url))
        .bearer_auth(KEY)
        .body(json!({ "contact": { "email": "a@example.com", "last_name": "A" } }).to_string());
    let made = made.send().await.unwrap();
    assert_eq!(made.status(), 201);
    match moment {
        Moment::Pending => {}
        Moment::Call(path, _) => {
            until(async || {
                crm.log().iter().any(|call| call.status == 502 && call.path.contains(path))
            })
            .await
            .unwrap_or_else(|| {
                panic!("{vendor:?} {moment:?}: never called: {:?}", log_lines(&crm))
            });
        }
        Moment::Retry => reaches(&http, &collector, "retry").await,
        Moment::Sent => reaches(&http, &collector, "sent").await,
    }
    collector.kill();
    let collector = Collector::start(&storage, &settings);
    reaches(&http, &collector, "sent").await;
    // Another lead is delivered after it: by then any duplicate would have arrived.
    let other = json!({ "contact": { "email": "b@example.com", "last_name": "B" } });
    let made =
        http.post(format!("{}/v1/leads", collector.url)).bearer_auth(KEY).body(other.to_string());
    assert_eq!(made.send().await.unwrap().status(), 201);
    until(async || states(&http, &collector).await == ["sent", "sent"]).await.unwrap();
    let (persons, notes) = vendor.persons_and_notes(&crm);
    assert_eq!(
        (persons.len(), notes.len()),
        (2, 2),
        "{vendor:?} {moment:?}: {:?}",
        log_lines(&crm)
    );
    assert!(collector.terminate());
    crm.stop().await;
}

fn log_lines(crm: &Standin) -> Vec<String> {
    let line = |call: standin::Logged| format!("{} {} {}", call.method, call.path, call.status);
    crm.log().into_iter().map(line).collect()
}

/// Polls until a condition holds; `None` if it never does.
async fn until(is_so: impl AsyncFn() -> bool) -> Option<()> {
    let mut looks: Interval = interval(Duration::from_millis(50));
    let look = async {
        while !is_so().await {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, look).await.ok()
}

async fn reaches(http: &Client, collector: &Collector, state: &str) {
    let reached = until(async || states(http, collector).await.contains(&state.to_owned())).await;
    assert!(reached.is_some(), "never {state}: {:?}", states(http, collector).await);
}

/// The states of all deliveries.
async fn states(http: &Client, collector: &Collector) -> Vec<String> {
    let listed = http.get(format!("{}/v1/deliveries", collector.url)).bearer_auth(KEY);
    let listed: Value =
        serde_json::from_str(&listed.send().await.unwrap().text().await.unwrap()).unwrap();
    let state = |delivery: &Value| delivery["state"].as_str().unwrap().to_owned();
    listed["deliveries"].as_array().unwrap().iter().map(state).collect()
}
