//! Subscriptions as Zapier and similar tools use them: created by API, delivered in flat bodies,
//! signed, ended.

use clew_core::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::TcpListener;
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::receiver::Receiver;
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::{contact, travelled};

tests::both_stores!(
    leads_are_delivered_flat_until_unsubscribed,
    secrets_are_rotated,
    stages_and_revenue_are_delivered,
    a_test_shows_the_receivers_response,
    a_gone_subscription_is_disabled_and_its_deliveries_stay,
    an_unreadable_secret_disables_it,
);

pub(crate) const PRIVATE: &str = "[hooks]\nallow_private = true\n";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

pub(crate) async fn call(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    answer(app.request(method, path).bearer_auth(KEY).body(body.to_string())).await
}

/// Creates a subscription. Returns its path and its secret.
pub(crate) async fn subscribe(
    app: &TestApp,
    receiver: &Receiver,
    event: Value,
) -> (String, String) {
    let order = json!({ "target_url": format!("{}/zap", receiver.url), "event": event });
    let made = app.post("/v1/hooks", &order).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.json["event"], event);
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/v1/hooks/{id}").as_str());
    (format!("/v1/hooks/{id}"), made.json["secret"].as_str().unwrap().to_owned())
}

pub(crate) async fn lead(app: &TestApp, email: &str) -> Value {
    let (visitor, _) = travelled(app).await;
    let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json
}

pub(crate) async fn settle_and_deliver(app: &TestApp) -> usize {
    app.app.core.clock.advance_ms(10_000);
    app.deliver().await
}

async fn leads_are_delivered_flat_until_unsubscribed(backend: Backend) {
    let receiver = Receiver::start();
    let clock = Clock::fixed(NOW_MS);
    let app = TestApp::start_with(backend, PRIVATE, clock);
    let (path, secret) = subscribe(&app, &receiver, json!("lead.converted")).await;
    let made = lead(&app, "a@example.com").await;
    assert_eq!(settle_and_deliver(&app).await, 1);
    let got = receiver.one();
    let body = got.json();
    for (name, expected) in [
        ("event", json!("lead.converted")),
        ("id", made["conversion_id"].clone()),
        ("occurred_at", json!("2026-11-21T10:00:00Z")),
        ("lead_id", made["lead"]["id"].clone()),
        ("email", json!("a@example.com")),
        ("first_click_source", json!("google")),
        ("last_click_channel", json!("direct")),
        ("revenue", json!(null)),
    ] {
        assert_eq!(body[name], expected, "{name}");
    }
    assert!(body.as_object().unwrap().values().all(|it| !it.is_object() && !it.is_array()));
    assert!(body.get("crm_sync_status").is_none() && body.get("data").is_none());
    assert!(got.headers["user-agent"].to_str().unwrap().starts_with("clew/"));

    // Lists show it, but never its secret, which is nowhere in the store.
    let listed = app.get("/v1/hooks").await;
    assert_eq!(listed.json["hooks"].as_array().unwrap().len(), 1);
    let shown = app.get(&path).await;
    assert_eq!(shown.json, listed.json["hooks"][0]);
    assert!(!listed.text.contains("secret") && !shown.text.contains("secret"));
    let bare = secret.strip_prefix("whsec_").unwrap();
    let mut entities = app.app.core.store.export();
    while let Some(entity) = entities.next().await {
        assert!(!serde_json::to_string(&entity.unwrap()).unwrap().contains(bare));
    }
    let deliveries = app.get(&format!("{path}/deliveries")).await.json;
    assert_eq!(deliveries["deliveries"][0]["id"], got.id());
    assert_eq!(deliveries["deliveries"][0]["state"], "sent");
    assert_eq!(deliveries["next"], Value::Null);

    // A delivery is replayed by its id. Then the subscription ends, with everything that waits for
    // it.
    app.post(&format!("/v1/deliveries/{}/replay", got.id()), &Value::Null).await;
    assert_eq!(app.deliver().await, 1);
    let again = receiver.one();
    assert_eq!((again.id(), &again.body), (got.id(), &got.body));
    let waits = lead(&app, "b@example.com").await["lead"]["id"].as_str().unwrap().to_owned();
    lead(&app, "b@example.com").await;
    assert_eq!(call(&app, Method::DELETE, &path, Value::Null).await.status, 204);
    assert_eq!(call(&app, Method::DELETE, &path, Value::Null).await.status, 404);
    assert_eq!(app.get(&path).await.status, 404);
    lead(&app, "c@example.com").await;
    assert_eq!((settle_and_deliver(&app).await, receiver.take().len()), (0, 0));
    let left = app.get(&format!("/v1/deliveries?lead={waits}")).await.json["deliveries"].take();
    assert_eq!(left.as_array().unwrap().len(), 2, "even those behind their lead's first");
    for left in left.as_array().unwrap() {
        let state = (&left["state"], &left["error"]);
        assert_eq!(state, (&json!("dead"), &json!("the subscription was deleted")));
    }
    // A subscription does not count in the lead's own delivery status.
    let status = app.get(&format!("/v1/leads/{waits}/fields")).await.json["fields"].take();
    assert_eq!(status["crm_sync_status"], Value::Null);
    app.stop().await;
    receiver.stop().await;
}

async fn secrets_are_rotated(backend: Backend) {
    let receiver = Receiver::start();
    // The Standard Webhooks library uses the machine's time.
    let app = TestApp::start_with(backend, PRIVATE, Clock::system());
    let (path, first) = subscribe(&app, &receiver, json!("lead.converted")).await;
    let test = async |path: &str| {
        let tested = app.post(&format!("{path}/test"), &Value::Null).await;
        assert_eq!(tested.json["accepted"], true, "{}", tested.text);
        receiver.one()
    };
    let got = test(&path).await;
    assert!(got.is_signed_with(&first));
    let rotated = app.post(&format!("{path}/rotate-secret"), &Value::Null).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let second = rotated.json["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let got = test(&path).await;
    assert!(got.is_signed_with(&first) && got.is_signed_with(&second), "both sign");
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    let third = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    assert!(!got.is_signed_with(third));

    // A restart does not change that, but a day does. (The library's tolerance is five minutes, so
    // the header is checked.)
    let clock = Clock::system();
    clock.advance_ms(DAY_MS + 1_000);
    let app = TestApp::start_with(app.stop().await, PRIVATE, clock);
    let tested = app.post(&format!("{path}/test"), &Value::Null).await;
    assert_eq!(tested.json["accepted"], true, "{}", tested.text);
    let got = receiver.one();
    assert_eq!(got.header("webhook-signature").split(' ').count(), 1);
    let timestamp = got.header("webhook-timestamp").parse().unwrap();
    let expected = standardwebhooks::Webhook::new(&second).unwrap();
    let expected = expected.sign(got.id(), timestamp, &got.body).unwrap();
    assert_eq!(got.header("webhook-signature"), expected);
    app.stop().await;
    receiver.stop().await;
}

async fn stages_and_revenue_are_delivered(backend: Backend) {
    let receiver = Receiver::start();
    let app = TestApp::start_with(backend, PRIVATE, Clock::fixed(NOW_MS));
    subscribe(&app, &receiver, json!(["lead.stage_changed", "lead.revenue"])).await;
    let made = lead(&app, "a@example.com").await;
    assert_eq!(settle_and_deliver(&app).await, 0, "it gets no leads");
    let stage = json!({ "stage": "sql", "at": "2026-11-21T09:30:00Z", "reason": "rang" });
    app.post("/v1/leads/email:a@example.com/stage", &stage).await;
    app.post("/v1/leads/email:a@example.com/stage", &stage).await;
    assert_eq!(app.deliver().await, 1, "once");
    let body = receiver.one().json();
    for (name, expected) in [
        ("event", json!("lead.stage_changed")),
        ("occurred_at", json!("2026-11-21T09:30:00Z")),
        ("lead_id", made["lead"]["id"].clone()),
        ("from", json!("mql")),
        ("to", json!("sql")),
        ("at", json!("2026-11-21T09:30:00Z")),
        ("by", json!("api")),
        ("reason", json!("rang")),
        ("lead_stage", json!("sql")),
        ("email", json!("a@example.com")),
    ] {
        assert_eq!(body[name], expected, "{name}");
    }
    let deal = |kind: &str, amount: &str| json!({ "email": "a@example.com", "deal": "D-1", "kind": kind, "amount": amount, "currency": "EUR" });
    app.post("/v1/revenue", &deal("won", "1200.00")).await;
    app.app.core.clock.advance_ms(1_000);
    app.post("/v1/revenue", &deal("refunded", "200.00")).await;
    // In the lead's order, one after the other.
    assert_eq!(app.deliver().await, 1);
    app.app.core.clock.advance_ms(1_000);
    assert_eq!(app.deliver().await, 1);
    let mut bodies: Vec<Value> = receiver.take().iter().map(|got| got.json()).collect();
    assert_ne!(bodies[0]["id"], bodies[1]["id"]);
    let mut members = |place: usize, names: &[&str]| -> Vec<Value> {
        names.iter().map(|name| bodies[place][name].take()).collect()
    };
    let names = ["event", "deal", "kind", "amount", "currency", "changes", "status"];
    let euro = |amount: &str| json!([{ "amount": amount, "currency": "EUR" }]);
    let won = [json!("lead.revenue"), json!("D-1"), json!("won"), json!("1200.00"), json!("EUR")];
    assert_eq!(members(0, &names), [&won[..], &[euro("1200.00"), json!("won")]].concat());
    assert_eq!(members(1, &names[2..4]), [json!("refunded"), json!("-200.00")]);
    assert_eq!(members(1, &["changes", "revenue"]), [euro("-200.00"), json!("1000.00")]);
    app.stop().await;
    receiver.stop().await;
}

async fn a_test_shows_the_receivers_response(backend: Backend) {
    let receiver = Receiver::start();
    let app = TestApp::start_with(backend, PRIVATE, Clock::fixed(NOW_MS));
    let (path, _) = subscribe(&app, &receiver, json!("lead.converted")).await;
    let test = async || app.post(&format!("{path}/test"), &Value::Null).await;
    let response = test().await;
    let got = receiver.one();
    assert_eq!(
        (response.status, &response.json["accepted"]),
        (200, &json!(true)),
        "{}",
        response.text
    );
    assert_eq!((&response.json["status"], &response.json["error"]), (&json!(200), &Value::Null));
    assert!(response.json["milliseconds"].is_u64() && response.json["webhook_id"] == got.id());
    let ping = json!({ "id": got.id(), "event": "ping", "occurred_at": "2026-11-21T10:00:00Z" });
    assert_eq!(got.json(), ping);
    receiver.answer(500, &[]);
    let response = test().await;
    assert_eq!(
        (&response.json["accepted"], &response.json["status"]),
        (&json!(false), &json!(500))
    );
    assert!(response.json["error"].as_str().unwrap().contains("500 Internal Server Error"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let moved = json!({ "target_url": format!("http://{closed}/") });
    assert_eq!(call(&app, Method::PATCH, &path, moved).await.status, 200);
    let response = test().await;
    assert_eq!(
        (&response.json["accepted"], &response.json["status"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(app.post("/v1/hooks/hk_x/test", &Value::Null).await.status, 404);
    app.stop().await;
    receiver.stop().await;
}

async fn a_gone_subscription_is_disabled_and_its_deliveries_stay(backend: Backend) {
    let receiver = Receiver::start();
    let app = TestApp::start_with(backend, PRIVATE, Clock::fixed(NOW_MS));
    let (path, _) = subscribe(&app, &receiver, json!("lead.converted")).await;
    lead(&app, "a@example.com").await;
    receiver.answer(410, &[]);
    settle_and_deliver(&app).await;
    receiver.one();
    let shown = app.get(&path).await.json;
    assert_eq!(
        (&shown["disabled"], &shown["disabled_at"]),
        (&json!(true), &json!("2026-11-21T10:00:10Z"))
    );
    assert!(shown["disabled_reason"].as_str().unwrap().contains("410"), "{shown}");
    receiver.answer(200, &[]);
    // It gets no leads that come meanwhile; what waited is delivered once a test succeeds.
    lead(&app, "b@example.com").await;
    assert_eq!(settle_and_deliver(&app).await, 0);
    assert_eq!(app.post(&format!("{path}/test"), &Value::Null).await.json["accepted"], true);
    assert_eq!(
        (app.get(&path).await.json["disabled"].clone(), receiver.one().json()["event"].clone()),
        (json!(false), json!("ping"))
    );
    assert_eq!(app.deliver().await, 1);
    assert_eq!(receiver.one().json()["email"], "a@example.com");

    // A test does not enable a subscription that its owner disabled.
    let off = call(&app, Method::PATCH, &path, json!({ "disabled": true })).await;
    assert_eq!((&off.json["disabled"], &off.json["disabled_reason"]), (&json!(true), &Value::Null));
    app.post(&format!("{path}/test"), &Value::Null).await;
    assert_eq!(app.get(&path).await.json["disabled"], true);
    let on = json!({ "disabled": false, "description": "the Zap", "target_url": format!("{}/b", receiver.url) });
    let on = call(&app, Method::PATCH, &path, on).await.json;
    assert_eq!((&on["disabled"], &on["description"]), (&json!(false), &json!("the Zap")));
    assert!(on["target_url"].as_str().unwrap().ends_with("/b") && on.get("secret").is_none());

    // Five days of only failures disable it, too.
    receiver.answer(500, &[]);
    lead(&app, "c@example.com").await;
    for hours in 0..30 {
        app.app.core.clock.advance_ms(5 * 3_600_000);
        app.deliver().await;
        let disabled = app.get(&path).await.json["disabled"] == true;
        assert!(!disabled || hours >= 23, "too soon: {hours}");
        if hours % 6 == 0 && !disabled {
            lead(&app, &format!("c{hours}@example.com")).await;
        }
    }
    let shown = app.get(&path).await.json;
    assert!(shown["disabled_reason"].as_str().unwrap().contains("five days"), "{shown}");
    app.stop().await;
    receiver.stop().await;
}

/// If the key that sealed its secret is removed, it is disabled and says why; a new secret helps.
async fn an_unreadable_secret_disables_it(backend: Backend) {
    let receiver = Receiver::start();
    let app = TestApp::start_with(backend, PRIVATE, Clock::fixed(NOW_MS));
    let (path, _) = subscribe(&app, &receiver, json!("lead.converted")).await;
    lead(&app, "a@example.com").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let clock = Clock::fixed(NOW_MS);
    let app = TestApp::start_adjusted(app.stop().await, listener, PRIVATE, clock, |config| {
        config.token_keys[0].id = 9;
    });
    assert_eq!(settle_and_deliver(&app).await, 0);
    let shown = app.get(&path).await.json;
    let reason = shown["disabled_reason"].as_str().unwrap();
    assert!(reason.contains("key 1, which is no longer in token_keys"), "{reason}");
    assert_eq!(app.post(&format!("{path}/test"), &Value::Null).await.status, 409);
    assert_eq!(app.post(&format!("{path}/rotate-secret"), &Value::Null).await.status, 200);
    assert_eq!(app.post(&format!("{path}/test"), &Value::Null).await.json["accepted"], true);
    receiver.take();
    assert_eq!(
        (app.deliver().await, receiver.one().json()["email"].clone()),
        (1, json!("a@example.com"))
    );
    app.stop().await;
    receiver.stop().await;
}
