//! Deliveries by webhook: once, signed, retried with the same id and body, given up, replayed.

use clew_core::Clock;
use clew_store::Claim;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use tests::app::{NOW_MS, TestApp};
use tests::settings::{WEBHOOK_SECRET, destination};
use tests::storage::Backend;
use tests::wire::new_visitor;
use www::{Demo, Listeners, Settings};

tests::both_stores!(
    a_lead_is_delivered_once_after_the_settle_time,
    a_receiver_that_was_down_gets_the_lead_with_the_same_id,
    every_attempt_sends_the_same_body,
    dead_letters_are_listed_and_replayed,
    redirects_are_not_followed,
    responses_that_need_no_second_attempt,
    a_claim_whose_holder_died_comes_back,
    a_hanging_destination_holds_up_no_other,
    a_corrected_clock_strands_nothing,
);

/// The demo's CRM on the test's clock.
pub(crate) fn receiver(clock: &Clock) -> Demo {
    receiver_on(TcpListener::bind("127.0.0.1:0").unwrap(), clock)
}

/// Like [`receiver`], on a listener that the test has bound.
fn receiver_on(crm: TcpListener, clock: &Clock) -> Demo {
    let mut settings = Settings::new("http://127.0.0.1:1", "none", WEBHOOK_SECRET);
    let clock = clock.clone();
    settings.now = Arc::new(move || clock.now_ms());
    settings.retry_every = None;
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    Demo::start(settings, Listeners { site: listen(), news: listen(), crm }).unwrap()
}

/// A clock, a CRM on it, and a collector that delivers to it.
fn stage(backend: Backend) -> (Clock, Demo, TestApp) {
    let clock = Clock::fixed(NOW_MS);
    let crm = receiver(&clock);
    let webhook = destination("crm", &format!("{}/webhook", crm.crm_url()));
    let app = TestApp::start_with(backend, &webhook, clock.clone());
    (clock, crm, app)
}

async fn lead(app: &TestApp, email: &str) -> String {
    let visitor = new_visitor().to_text();
    app.visit(&visitor, "https://www.example.com/?utm_source=google&utm_medium=cpc").await;
    let made = app.post_lead(&json!({ "visitor": visitor, "contact": { "email": email } })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["lead"]["id"].as_str().unwrap().to_owned()
}

async fn state(app: &TestApp, lead: &str) -> Value {
    app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"]["crm_sync_status"].clone()
}

async fn a_lead_is_delivered_once_after_the_settle_time(backend: Backend) {
    let (clock, crm, app) = stage(backend);
    let id = lead(&app, "a@example.com").await;
    assert_eq!((app.deliver().await, state(&app, &id).await), (0, json!("pending")));
    clock.advance_ms(9_999);
    assert_eq!(app.deliver().await, 0);
    clock.advance_ms(1);
    assert_eq!(app.deliver().await, 1);
    clock.advance_ms(3_600_000);
    assert_eq!((app.deliver().await, state(&app, &id).await), (0, json!("sent")));
    let received = crm.deliveries();
    assert_eq!((received.len(), received[0].attempts), (1, 1));
    let body = &received[0].body;
    assert_eq!((&body["type"], &body["data"]["lead_id"]), (&json!("lead.converted"), &json!(id)));
    assert_eq!(body["data"]["fields"]["first_click_source"], "google");
    assert!(body["data"]["fields"].as_object().unwrap().values().all(|value| !value.is_null()));
    app.stop().await;
    crm.stop().await;
}

/// The receiver is down at the first attempt and refuses the second; once it is back, the lead
/// arrives with the same id.
async fn a_receiver_that_was_down_gets_the_lead_with_the_same_id(backend: Backend) {
    let clock = Clock::fixed(NOW_MS);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let webhook = destination("crm", &format!("http://{address}/webhook"));
    let app = TestApp::start_with(backend, &webhook, clock.clone());
    let id = lead(&app, "a@example.com").await;
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    assert_eq!(state(&app, &id).await, "retry");
    let listed = app.get("/v1/deliveries?state=retry").await.json["deliveries"][0].take();
    assert!(listed["error"].as_str().is_some_and(|error| error.contains("refused")), "{listed}");

    let crm = receiver_on(TcpListener::bind(address).unwrap(), &clock);
    crm.set_failing(Some(503));
    clock.advance_ms(6_000);
    assert_eq!(app.deliver().await, 1);
    crm.set_failing(None);
    assert_eq!(app.deliver().await, 0, "nothing is due yet");
    clock.advance_ms(331_000);
    assert_eq!((app.deliver().await, state(&app, &id).await), (1, json!("sent")));

    let received = crm.deliveries();
    assert_eq!((received.len(), received[0].attempts), (1, 1));
    let ids: Vec<_> = crm.attempts().into_iter().map(|attempt| json!(attempt.webhook_id)).collect();
    assert_eq!(ids, [listed["id"].clone(), listed["id"].clone()]);
    app.stop().await;
    crm.stop().await;
}

/// The body is frozen at the first attempt, so that a repeat is the same message.
async fn every_attempt_sends_the_same_body(backend: Backend) {
    let (clock, crm, app) = stage(backend);
    lead(&app, "a@example.com").await;
    crm.set_failing(Some(500));
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    crm.set_failing(None);
    // The same person converts again before the second attempt.
    lead(&app, "a@example.com").await;
    clock.advance_ms(60_000);
    assert_eq!(app.deliver().await, 1, "one lead's go one after the other");
    clock.advance_ms(1_000);
    assert_eq!(app.deliver().await, 1);
    let mut counts: Vec<_> = crm
        .deliveries()
        .iter()
        .map(|delivery| delivery.body["data"]["fields"]["conversion_count"].clone())
        .collect();
    counts.sort_by_key(Value::to_string);
    assert_eq!(counts, [json!(1), json!(2)]);
    app.stop().await;
    crm.stop().await;
}

async fn dead_letters_are_listed_and_replayed(backend: Backend) {
    let (clock, crm, app) = stage(backend);
    let id = lead(&app, "a@example.com").await;
    crm.set_failing(Some(500));
    let mut attempts = 0;
    // Four days, so that the lead is given up before the destination is.
    for _ in 0..30 {
        clock.advance_ms(4 * 3_600_000);
        attempts += app.deliver().await;
    }
    assert_eq!((attempts, state(&app, &id).await), (10, json!("dead")));
    let dead = app.get(&format!("/v1/deliveries?state=dead&lead={id}")).await.json;
    let delivery = dead["deliveries"][0]["id"].as_str().unwrap().to_owned();
    crm.set_failing(None);
    let replayed = app.post(&format!("/v1/deliveries/{delivery}/replay"), &Value::Null).await;
    assert_eq!((replayed.status, &replayed.json["state"]), (202, &json!("pending")));
    assert_eq!((app.deliver().await, state(&app, &id).await), (1, json!("sent")));
    assert_eq!(crm.deliveries()[0].webhook_id, delivery);
    for unknown in ["x", "msg_x", &delivery[..delivery.len() - 3]] {
        assert_eq!(
            app.post(&format!("/v1/deliveries/{unknown}/replay"), &Value::Null).await.status,
            404,
            "{unknown}"
        );
    }
    app.stop().await;
    crm.stop().await;
}

/// A redirect is a failure, and its target is not called.
async fn redirects_are_not_followed(backend: Backend) {
    use std::io::{Read, Write};
    let clock = Clock::fixed(NOW_MS);
    let (first, second) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let target = second.local_addr().unwrap();
    let app = TestApp::start_with(
        backend,
        &destination("crm", &format!("http://{}/", first.local_addr().unwrap())),
        clock.clone(),
    );
    lead(&app, "a@example.com").await;
    let redirecting = std::thread::spawn(move || {
        let (mut connection, _) = first.accept().unwrap();
        let mut request = [0; 65_536];
        assert!(connection.read(&mut request).unwrap() > 0);
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{target}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(answer.as_bytes()).unwrap();
    });
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    redirecting.join().unwrap();
    let listed = app.get("/v1/deliveries?state=retry").await.json;
    assert!(listed["deliveries"][0]["error"].as_str().unwrap().contains("302"), "{listed}");
    second.set_nonblocking(true).unwrap();
    assert!(second.accept().is_err(), "the redirect was followed");
    app.stop().await;
}

/// 410 pauses the destination, and private addresses are refused unless allowed.
async fn responses_that_need_no_second_attempt(backend: Backend) {
    let clock = Clock::fixed(NOW_MS);
    let crm = receiver(&clock);
    let url = format!("{}/webhook", crm.crm_url());
    let guarded = destination("guarded", "https://127.0.0.1/webhook")
        .replace("allow_private = true", "allow_private = false");
    let app = TestApp::start_with(backend, &(destination("crm", &url) + &guarded), clock.clone());
    let id = lead(&app, "a@example.com").await;
    crm.set_failing(Some(410));
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 2);
    let dead = app.get(&format!("/v1/deliveries?state=dead&lead={id}")).await.json;
    let error = |listed: &Value| {
        let all = listed["deliveries"].as_array().unwrap();
        assert_eq!(all.len(), 1, "{listed}");
        all[0]["error"].as_str().unwrap().to_owned()
    };
    assert!(error(&dead).contains("127.0.0.1 is not a public address"), "{dead}");
    let waits = app.get(&format!("/v1/deliveries?state=retry&lead={id}")).await.json;
    assert!(error(&waits).contains("410"), "{waits}");
    clock.advance_ms(48 * 3_600_000);
    assert_eq!(app.deliver().await, 0);
    assert!(crm.attempts().iter().all(|attempt| attempt.status != 200));
    app.stop().await;
    crm.stop().await;
}

/// A collector that dies between claim and settlement loses nothing: the lease runs out.
async fn a_claim_whose_holder_died_comes_back(backend: Backend) {
    let (clock, crm, app) = stage(backend);
    lead(&app, "a@example.com").await;
    clock.advance_ms(10_000);
    let now_ms = clock.now_ms();
    let claim =
        Claim { destination: "crm".into(), now_ms, lease_until_ms: now_ms + 45_000, limit: 9 };
    assert_eq!(app.app.core.store.claim_deliveries(claim).await.unwrap().len(), 1);
    assert_eq!(app.deliver().await, 0);
    clock.advance_ms(45_000);
    assert_eq!((app.deliver().await, crm.deliveries().len()), (1, 1));
    app.stop().await;
    crm.stop().await;
}

/// A destination that hangs holds up no other, with the loop as the collector runs it, in real
/// time.
async fn a_hanging_destination_holds_up_no_other(backend: Backend) {
    let clock = Clock::fixed(NOW_MS);
    let crm = receiver(&clock);
    // It accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = destination("silent", &format!("http://{}/", silent.local_addr().unwrap()))
        + &destination("crm", &format!("{}/webhook", crm.crm_url()));
    let app = TestApp::start_with(backend, &settings, clock.clone());
    for number in 0..30 {
        lead(&app, &format!("lead-{number}@example.com")).await;
    }
    clock.advance_ms(10_000);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let outbox = app.app.outbox();
    let running = tokio::task::spawn_local(outbox.run(stopped));
    let mut attempts = crm.watch_attempts();
    let all = attempts.wait_for(|attempts| *attempts == 30);
    let in_time = tokio::time::timeout(std::time::Duration::from_secs(10), all).await.is_ok();
    assert!(in_time, "{} of 30 arrived", crm.deliveries().len());
    stop.send_replace(true);
    // The attempts under way would end at their time limit; the test need not wait for it.
    running.abort();
    app.stop().await;
    crm.stop().await;
}

/// A machine that starts with a clock a year ahead, which a time server then corrects.
async fn a_corrected_clock_strands_nothing(backend: Backend) {
    const YEAR_MS: i64 = 365 * 86_400_000;
    let (clock, crm, app) = stage(backend);
    clock.advance_ms(YEAR_MS);
    let first = lead(&app, "early@example.com").await;
    // One delivery is claimed by a collector that then dies.
    clock.advance_ms(10_000);
    let held = Claim {
        destination: "crm".into(),
        now_ms: clock.now_ms(),
        lease_until_ms: clock.now_ms() + 45_000,
        limit: 1,
    };
    assert_eq!(app.app.core.store.claim_deliveries(held).await.unwrap().len(), 1);
    let second = lead(&app, "late@example.com").await;
    assert_eq!(app.deliver().await, 0);

    clock.advance_ms(-YEAR_MS);
    let third = lead(&app, "now@example.com").await;
    assert_eq!(app.deliver().await, 2);
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    // A clock that runs ahead again loses nothing.
    let fourth = lead(&app, "then@example.com").await;
    clock.advance_ms(YEAR_MS);
    assert_eq!(app.deliver().await, 1);
    for lead in [first, second, third, fourth] {
        assert_eq!(state(&app, &lead).await, json!("sent"));
    }
    app.stop().await;
    crm.stop().await;
}
