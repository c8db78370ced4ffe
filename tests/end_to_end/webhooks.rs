//! Configured destinations: two secrets during a rotation, what a receiver's response means for
//! everything that waits for it, and test deliveries.

use clew_core::Clock;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use tests::app::{NOW_MS, TestApp};
use tests::crm::{Scene, Vendor};
use tests::receiver::Receiver;
use tests::settings::{WEBHOOK_SECRET, destination};
use tests::storage::{Backend, Storage};
use tests::visitors::contact;

tests::both_stores!(
    two_secrets_sign,
    a_destination_gets_the_events_it_selects,
    reports_of_a_crm_are_passed_on,
    a_gone_destination_is_paused_until_a_test,
    a_busy_destination_is_left_alone,
    five_days_of_failures_pause_a_destination,
    an_endless_response_is_not_read,
    tests_of_unknown_destinations,
);

const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const HOUR_MS: i64 = 3_600_000;

fn app_with(backend: Backend, receiver: &Receiver, more: &str, clock: Clock) -> TestApp {
    let settings = destination("crm", &receiver.url) + more;
    TestApp::start_with(backend, &settings, clock)
}

async fn lead(app: &TestApp, email: &str) {
    let made = app.post_lead(&json!({ "contact": contact(email) })).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

/// The error of each delivery in a state, oldest lead first.
async fn waiting(app: &TestApp, state: &str) -> Vec<String> {
    let listed = app.get(&format!("/v1/deliveries?state={state}")).await.json;
    let listed = listed["deliveries"].as_array().unwrap().iter();
    listed.map(|it| it["error"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn two_secrets_sign(backend: Backend) {
    let receiver = Receiver::start();
    let more = format!("previous_secret = \"{OTHER_SECRET}\"\n");
    // The Standard Webhooks library uses the machine's time.
    let app = app_with(backend, &receiver, &more, Clock::system());
    lead(&app, "a@example.com").await;
    app.app.core.clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    let got = receiver.one();
    assert!(got.is_signed_with(WEBHOOK_SECRET) && got.is_signed_with(OTHER_SECRET));
    assert!(!got.is_signed_with("whsec_BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    app.stop().await;
    receiver.stop().await;
}

/// The enveloped bodies of stages and deals; `events` selects what a destination gets.
async fn a_destination_gets_the_events_it_selects(backend: Backend) {
    let (all, leads) = (Receiver::start(), Receiver::start());
    let more = destination("leads", &leads.url) + "events = [\"lead.converted\"]\n";
    let app = app_with(backend, &all, &more, Clock::fixed(NOW_MS));
    lead(&app, "a@example.com").await;
    app.app.core.clock.advance_ms(1_000);
    let stage = json!({ "stage": "mql", "reference": "e1" });
    let stage_response = app.post("/v1/leads/email:a@example.com/stage", &stage).await.json;
    let won = json!({ "email": "a@example.com", "deal": "D-1", "kind": "won", "amount": "5.00", "currency": "EUR" });
    app.post("/v1/revenue", &won).await;
    // The stage waits for the lead: before it, it would make no sense.
    assert_eq!(app.deliver().await, 0);
    app.app.core.clock.advance_ms(11_000);
    while app.deliver().await > 0 {
        app.app.core.clock.advance_ms(1_000);
    }
    assert_eq!(leads.one().json()["type"], "lead.converted");
    let bodies: Vec<Value> = all.take().iter().map(|got| got.json()).collect();
    let types: Vec<_> = bodies.iter().map(|body| body["type"].as_str().unwrap()).collect();
    assert_eq!(types[0], "lead.converted");
    let of_type =
        |kind: &str| bodies.iter().find(|body| body["type"] == kind).unwrap()["data"].clone();
    let stage = of_type("lead.stage_changed");
    for (name, expected) in [
        ("lead_id", stage_response["lead_id"].clone()),
        ("from", json!("lead")),
        ("to", json!("mql")),
        ("at", json!("2026-11-21T10:00:01Z")),
        ("by", json!("api")),
        ("reason", Value::Null),
        ("fields_version", json!(1)),
    ] {
        assert_eq!(stage[name], expected, "{name}");
    }
    assert_eq!((&stage["fields"]["lead_stage"], stage.get("journey")), (&json!("mql"), None));
    let deal = of_type("lead.revenue");
    for (name, expected) in [
        ("deal", json!("D-1")),
        ("kind", json!("won")),
        ("amount", json!("5.00")),
        ("currency", json!("EUR")),
        ("changes", json!([{ "amount": "5.00", "currency": "EUR" }])),
        ("status", json!("won")),
    ] {
        assert_eq!(deal[name], expected, "{name}");
    }
    assert_eq!(deal["fields"]["revenue"], "5.00");
    // The lead's delivery status does not depend on later events that wait.
    let fields = app.get("/v1/leads/email:a@example.com/fields").await.json["fields"].take();
    assert_eq!(fields["crm_sync_status"], "sent");
    app.stop().await;
    all.stop().await;
    leads.stop().await;
}

async fn reports_of_a_crm_are_passed_on(backend: Backend) {
    for vendor in Vendor::ALL {
        let receiver = Receiver::start();
        let more = "poll_minutes = 0\n".to_owned() + &destination("told", &receiver.url);
        let scene = Scene::start_with(vendor, backend, &more);
        let lead = scene.lead(json!({ "email": "a@example.com", "last_name": "A" })).await;
        scene.hand_off().await;
        assert_eq!(receiver.one().json()["type"], "lead.converted");
        let record = scene.field(&lead, "crm_record_id").await;
        let deal = scene.deal(record.as_str().unwrap(), "1200").await;
        scene.advance_ms(HOUR_MS);
        scene.change_deal(&deal, scene.change("won", None), |_| {}).await;
        scene.app.follow().await;
        for _ in 0..6 {
            scene.app.deliver().await;
            scene.advance_ms(1_000);
        }
        let bodies: Vec<Value> = receiver.take().iter().map(|got| got.json()).collect();
        let has = |kind: &str, name: &str, value: &str| {
            bodies.iter().any(|body| {
                let data = &body["data"];
                body["type"] == kind && data[name] == value && data["lead_id"] == lead.as_str()
            })
        };
        assert!(has("lead.stage_changed", "to", "customer"), "{vendor:?} {bodies:?}");
        assert!(has("lead.revenue", "kind", "won"), "{vendor:?} {bodies:?}");
        assert!(has("lead.revenue", "by", &format!("crm:{}", vendor.name())), "{bodies:?}");
        scene.stop().await;
        receiver.stop().await;
    }
}

async fn a_gone_destination_is_paused_until_a_test(backend: Backend) {
    let receiver = Receiver::start();
    let app = app_with(backend, &receiver, "", Clock::fixed(NOW_MS));
    lead(&app, "a@example.com").await;
    app.app.core.clock.advance_ms(10_000);
    receiver.answer(410, &[]);
    assert_eq!(app.deliver().await, 1);
    assert_eq!(
        waiting(&app, "retry").await,
        ["the destination answered 410 Gone: it wants no more"]
    );
    // It is resumed neither by time, nor by a restart, nor by a failed test.
    receiver.answer(500, &[]);
    lead(&app, "b@example.com").await;
    app.app.core.clock.advance_ms(48 * HOUR_MS);
    assert_eq!(app.deliver().await, 0);
    let clock = app.app.core.clock.clone();
    let settings = destination("crm", &receiver.url);
    let app = TestApp::start_with(app.stop().await, &settings, clock);
    let tested = app.post("/v1/destinations/crm/test", &Value::Null).await.json;
    assert_eq!((&tested["accepted"], &tested["status"]), (&json!(false), &json!(500)));
    assert_eq!(app.deliver().await, 0);
    receiver.answer(204, &[]);
    receiver.take();
    let tested = app.post("/v1/destinations/crm/test", &Value::Null).await.json;
    assert_eq!((&tested["accepted"], &tested["status"]), (&json!(true), &json!(204)));
    let ping = receiver.one().json();
    assert_eq!((&ping["type"], &ping["data"]["id"]), (&json!("ping"), &tested["webhook_id"]));
    assert_eq!((app.deliver().await, receiver.take().len()), (2, 2));
    app.stop().await;
    receiver.stop().await;
}

async fn a_busy_destination_is_left_alone(backend: Backend) {
    let receiver = Receiver::start();
    let app = app_with(backend, &receiver, "", Clock::fixed(NOW_MS));
    let clock = app.app.core.clock.clone();
    let attempts = async || {
        let listed = app.get("/v1/deliveries?state=retry").await.json;
        listed["deliveries"][0]["attempts"].clone()
    };
    lead(&app, "a@example.com").await;
    clock.advance_ms(10_000);
    // Too many requests: no other lead is sent meanwhile, and the attempt does not count.
    receiver.answer(429, &[("retry-after", "60")]);
    assert_eq!((app.deliver().await, attempts().await), (1, json!(0)));
    lead(&app, "b@example.com").await;
    clock.advance_ms(59_999);
    assert_eq!(app.deliver().await, 0);
    // A gateway error counts, and the destination is left alone for ten seconds, because it was
    // busy twice.
    receiver.answer(502, &[]);
    clock.advance_ms(1);
    assert_eq!((app.deliver().await, attempts().await), (2, json!(1)));
    lead(&app, "c@example.com").await;
    clock.advance_ms(9_999);
    assert_eq!(app.deliver().await, 0);
    receiver.answer(200, &[]);
    clock.advance_ms(1);
    assert_eq!(app.deliver().await, 3);
    // A receiver that names a time is called then, whichever delivery is first.
    receiver.answer(503, &[("retry-after", "Sat, 21 Nov 2026 10:03:00 GMT")]);
    lead(&app, "d@example.com").await;
    clock.advance_ms(10_000);
    assert_eq!(app.deliver().await, 1);
    lead(&app, "e@example.com").await;
    clock.set_ms(NOW_MS + 179_999);
    assert_eq!(app.deliver().await, 0);
    receiver.answer(200, &[]);
    clock.advance_ms(1);
    assert_eq!((app.deliver().await, waiting(&app, "sent").await.len()), (2, 5));
    app.stop().await;
    receiver.stop().await;
}

async fn five_days_of_failures_pause_a_destination(backend: Backend) {
    let receiver = Receiver::start();
    let mut app = app_with(backend, &receiver, "", Clock::fixed(NOW_MS));
    let clock = app.app.core.clock.clone();
    receiver.answer(500, &[]);
    // One lead per day, each attempted ten times; a restart in between forgets nothing.
    for day in 0..6 {
        lead(&app, &format!("a{day}@example.com")).await;
        let mut attempts = 0;
        for _ in 0..4 {
            clock.advance_ms(6 * HOUR_MS);
            attempts += app.deliver().await;
        }
        assert!(attempts > 0 || day == 5, "{day}");
        if day == 2 {
            let settings = destination("crm", &receiver.url);
            app = TestApp::start_with(app.stop().await, &settings, clock.clone());
        }
    }
    receiver.take();
    clock.advance_ms(24 * HOUR_MS);
    assert_eq!(app.deliver().await, 0, "it is paused");
    receiver.answer(200, &[]);
    app.post("/v1/destinations/crm/test", &Value::Null).await;
    assert!(app.deliver().await > 0);
    // A success resets the count: as many failures again do not pause it at once.
    receiver.answer(500, &[]);
    lead(&app, "b@example.com").await;
    clock.advance_ms(24 * HOUR_MS);
    assert_eq!(app.deliver().await, 1);
    clock.advance_ms(24 * HOUR_MS);
    assert_eq!(app.deliver().await, 1);
    app.stop().await;
    receiver.stop().await;
}

/// Only the head of a response is read; an endless body holds up nothing.
async fn an_endless_response_is_not_read(backend: Backend) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = destination("crm", &format!("http://{}/", listener.local_addr().unwrap()));
    let app = TestApp::start_with(backend, &settings, Clock::fixed(NOW_MS));
    lead(&app, "a@example.com").await;
    let endless = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 65_536];
        assert!(connection.read(&mut request).unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";
        connection.write_all(head).unwrap();
        // Until the other side closes the connection.
        let mut written = 0_usize;
        while connection.write_all(&[b'x'; 65_536]).is_ok() {
            written += 65_536;
        }
        written
    });
    app.app.core.clock.advance_ms(10_000);
    assert_eq!((app.deliver().await, waiting(&app, "sent").await.len()), (1, 1));
    let written = endless.join().unwrap();
    assert!(written < 64 << 20, "{written} bytes were read");
    app.stop().await;
}

async fn tests_of_unknown_destinations(backend: Backend) {
    let receiver = Receiver::start();
    let other = destination("others", &receiver.url).replace("\"demo\"", "\"other\"");
    let app = app_with(backend, &receiver, &other, Clock::fixed(NOW_MS));
    for name in ["others", "nobody", "hk_x"] {
        let response = app.post(&format!("/v1/destinations/{name}/test"), &Value::Null).await;
        assert_eq!(response.status, 404, "{name}");
        assert!(
            response.json["detail"].as_str().unwrap().contains("clew crm test"),
            "{}",
            response.text
        );
    }
    assert!(receiver.take().is_empty());
    app.stop().await;
    receiver.stop().await;
}

/// A failure no longer counts if another collector has delivered since.
#[actix_web::test]
async fn one_collectors_success_resets_anothers_failures() {
    let (receiver, storage) = (Receiver::start(), Storage::new(Backend::Postgres));
    let (settings, clock) = (destination("crm", &receiver.url), Clock::fixed(NOW_MS));
    let start = |storage| TestApp::start_with(storage, &settings, clock.clone());
    let (unlucky, other) = (start(storage.again()), start(storage));
    let deliver = async |app: &TestApp, email: &str, status: u16| {
        receiver.answer(status, &[]);
        lead(app, email).await;
        clock.advance_ms(10_000);
        app.deliver().await
    };
    assert_eq!(deliver(&other, "a@example.com", 200).await, 1);
    assert_eq!(deliver(&unlucky, "b@example.com", 500).await, 1);
    for day in 0..6 {
        clock.advance_ms(24 * HOUR_MS);
        assert!(deliver(&other, &format!("c{day}@example.com"), 200).await > 0);
    }
    assert_eq!(deliver(&unlucky, "d@example.com", 500).await, 1);
    assert!(deliver(&other, "e@example.com", 200).await > 0, "it is paused");
    unlucky.stop().await;
    other.stop().await;
}
