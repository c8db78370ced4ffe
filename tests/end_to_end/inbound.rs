//! Inbound webhooks from other tools: signed or with a key, stored once, passed on, credited.

use clew_core::Clock;
use clew_core::secret::Secret;
use collector::signing::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::receiver::Receiver;
use tests::settings::{KEY, OTHER_KEY, WEBHOOK_SECRET, destination};
use tests::storage::Backend;
use tests::visitors::{contact, travelled};

tests::both_stores!(
    a_sale_is_stored_credited_and_passed_on,
    forged_old_and_repeated_webhooks,
    an_api_key_opens_it_too,
    unmatched_records_are_listed,
);

const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NOW_S: i64 = NOW_MS / 1000;

fn settings() -> String {
    format!(
        "[[inbound]]\nname = \"zap\"\nsite = \"demo\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
         previous_secret = \"{OTHER_SECRET}\"\ncurrency = \"EUR\"\n\
         [inbound.stages]\n\"Demo booked\" = \"sql\"\n\
         [[inbound]]\nname = \"keyed\"\nsite = \"demo\"\n"
    )
}

async fn lead(app: &TestApp, email: &str) -> String {
    let (visitor, _) = travelled(app).await;
    let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
    made.json["lead"]["id"].as_str().unwrap().to_owned()
}

/// Posts a body, signed with this secret, id and time.
async fn signed(app: &TestApp, secret: &str, id: &str, at_s: i64, body: &str) -> Answer {
    let key = SigningKey::parse(&Secret::new(secret)).unwrap();
    let signature = key.sign(id, at_s, body.as_bytes());
    sent(app, id, &at_s.to_string(), &signature, body).await
}

async fn sent(app: &TestApp, id: &str, at: &str, signature: &str, body: &str) -> Answer {
    let request = app.request(Method::POST, "/hooks/zap").header("webhook-id", id);
    let request = request.header("webhook-timestamp", at).header("webhook-signature", signature);
    answer(request.body(body.to_owned())).await
}

async fn send(app: &TestApp, id: &str, body: &Value) -> Answer {
    signed(app, WEBHOOK_SECRET, id, app.app.core.clock.now_ms() / 1000, &body.to_string()).await
}

async fn a_sale_is_stored_credited_and_passed_on(backend: Backend) {
    let receiver = Receiver::start();
    let settings = settings() + &destination("crm", &receiver.url);
    let app = TestApp::start_with(backend, &settings, Clock::fixed(NOW_MS));
    let id = lead(&app, "lead@example.com").await;
    app.app.core.clock.advance_ms(60_000);
    let body = json!({
        "email": "lead@example.com", "crm_record_id": "x", "stage": "customer", "deal_id": "D-1",
        "amount": "1200.00", "status": "won", "occurred_at": "2026-11-21T10:00:30Z", "event_id": "e1",
    });
    let response = send(&app, "msg_1", &body).await;
    assert_eq!((response.status, response.json), (202, json!({ "accepted": true, "lead_id": id })));
    let response = send(&app, "msg_2", &body).await;
    assert_eq!(
        (response.status, response.json),
        (200, json!({ "duplicate": true, "lead_id": id }))
    );

    let journey = app.get(&format!("/v1/leads/{id}/journey")).await.json;
    let last = journey["stages"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["to"], &last["by"]), (&json!("customer"), &json!("crm:zap")));
    let deal = &journey["deals"][0];
    assert_eq!((&deal["status"], &deal["source"]), (&json!("won"), &json!("crm:zap")));
    assert_eq!(
        deal["credit"][0]["touches"],
        json!([{ "n": 1, "amount": "1200.00", "currency": "EUR" }])
    );

    // From now on the deal's id finds it, and so does the record. When it is reopened, the credit
    // is gone.
    let again = json!({ "deal_id": "D-1", "status": "open", "event_id": "e2" });
    assert_eq!(send(&app, "msg_3", &again).await.json["lead_id"], id.as_str());
    let lost =
        json!({ "crm_record_id": "x", "stage": "lost", "reason": "no budget", "event_id": "e3" });
    assert_eq!(send(&app, "msg_4", &lost).await.json["lead_id"], id.as_str());
    let fields = app.get("/v1/leads/crm:zap:record:x/fields").await.json["fields"].take();
    assert_eq!((&fields["lead_stage"], &fields["revenue"]), (&json!("lost"), &Value::Null));
    let deal = app.get(&format!("/v1/leads/{id}/journey")).await.json["deals"][0].take();
    assert_eq!(
        (&deal["reversed"], &deal["credit"][0]["touches"][0]["amount"]),
        (&json!(true), &json!("0.00"))
    );

    // All of it was passed on, once each.
    for _ in 0..12 {
        app.deliver().await;
        app.app.core.clock.advance_ms(1_000);
    }
    let webhooks = receiver.take();
    let mut types: Vec<_> = webhooks.iter().map(|got| got.json()["type"].clone()).collect();
    types.sort_by_key(Value::to_string);
    let (stage, revenue) = ("lead.stage_changed", "lead.revenue");
    assert_eq!(types, ["lead.converted", revenue, revenue, stage, stage]);
    app.stop().await;
    receiver.stop().await;
}

async fn forged_old_and_repeated_webhooks(backend: Backend) {
    let app = TestApp::start_with(backend, &settings(), Clock::fixed(NOW_MS));
    let id = lead(&app, "lead@example.com").await;
    let body = json!({ "email": "lead@example.com", "stage": "mql" }).to_string();
    let refused = |response: Answer, why: &str| {
        assert_eq!(
            (response.status, &response.json["type"]),
            (401, &json!("/problems/not_signed"))
        );
        assert!(response.json["detail"].as_str().unwrap().contains(why), "{}", response.text);
    };
    let third = "whsec_BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    refused(signed(&app, third, "msg_1", NOW_S, &body).await, "no signature matches");
    refused(signed(&app, WEBHOOK_SECRET, "msg_1", NOW_S - 301, &body).await, "five minutes off");
    refused(signed(&app, WEBHOOK_SECRET, "msg_1", NOW_S + 301, &body).await, "five minutes off");
    refused(sent(&app, "msg_1", "soon", "v1,x", &body).await, "not a number of seconds");
    // The body is not parsed before the signature is verified.
    let now = NOW_S.to_string();
    refused(sent(&app, "msg_1", &now, "v1,x", "{").await, "no v1 signature");
    let forged = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    refused(sent(&app, "msg_1", &now, forged, "{").await, "no signature matches");
    let bare = answer(app.request(Method::POST, "/hooks/zap").body(body.clone())).await;
    refused(bare, "no webhook-id");
    let stage = async || {
        let fields = app.get(&format!("/v1/leads/{id}/fields")).await.json["fields"].take();
        fields["lead_stage"].clone()
    };
    assert_eq!(stage().await, "lead");

    // The old secret is valid, too. A replay within five minutes is a repeat.
    assert_eq!(signed(&app, OTHER_SECRET, "msg_1", NOW_S - 299, &body).await.status, 202);
    let again = signed(&app, WEBHOOK_SECRET, "msg_1", NOW_S, &body).await;
    assert_eq!((again.status, &again.json["duplicate"]), (200, &json!(true)));
    assert_eq!(stage().await, "mql");
    // The same id with another body is no repeat.
    let other = json!({ "email": "lead@example.com", "stage": "Demo booked" }).to_string();
    assert_eq!(signed(&app, WEBHOOK_SECRET, "msg_1", NOW_S, &other).await.status, 409);
    assert_eq!(signed(&app, WEBHOOK_SECRET, "msg_2", NOW_S, &other).await.status, 202);
    assert_eq!(stage().await, "sql");
    let bad = signed(&app, WEBHOOK_SECRET, "msg_3", NOW_S, "{").await;
    assert_eq!((bad.status, &bad.json["type"]), (400, &json!("/problems/malformed")));
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(signed(&app, WEBHOOK_SECRET, "msg_4", NOW_S, &large).await.status, 413);
    app.stop().await;
}

async fn an_api_key_opens_it_too(backend: Backend) {
    let app = TestApp::start_with(backend, &settings(), Clock::fixed(NOW_MS));
    let id = lead(&app, "lead@example.com").await;
    let body = json!({ "email": "lead@example.com", "value": 900, "transaction": "T-1", "CurrencyCode": "EUR" });
    let response = app.post("/hooks/keyed", &body).await;
    assert_eq!(
        (response.status, &response.json["lead_id"]),
        (202, &json!(id)),
        "{}",
        response.text
    );
    // Without an id, its content identifies it.
    assert_eq!(app.post("/hooks/keyed", &body).await.json["duplicate"], true);
    let by = async |path: &str, key: Option<&str>| {
        let request = app.request(Method::POST, path).body(body.to_string());
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        answer(request).await.status
    };
    assert_eq!(by("/hooks/zap", Some(KEY)).await, 202);
    assert_eq!(by("/hooks/keyed", Some(OTHER_KEY)).await, 403);
    assert_eq!(by("/hooks/keyed", Some("clew_x")).await, 401);
    assert_eq!(by("/hooks/keyed", None).await, 401);
    assert_eq!(by("/hooks/nobody", Some(KEY)).await, 404);
    // An amount needs a currency of its own or of the configuration.
    let bare = app
        .post("/hooks/keyed", &json!({ "email": "lead@example.com", "value": 9, "key": "K" }))
        .await;
    assert_eq!(bare.status, 422);
    assert!(bare.json["detail"].as_str().unwrap().contains("currency: "), "{}", bare.text);
    app.stop().await;
}

async fn unmatched_records_are_listed(backend: Backend) {
    let app = TestApp::start_with(backend, &settings(), Clock::fixed(NOW_MS));
    let body = json!({
        "email": "who@example.com", "stage": "customer", "amount": "5.00", "deal_id": "D-9", "event_id": "e9",
    });
    for _ in 0..2 {
        let response = send(&app, "msg_1", &body).await;
        assert_eq!((response.status, &response.json["type"]), (404, &json!("/problems/not_found")));
    }
    let listed = app.get("/v1/unmatched").await.json["unmatched"].take();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    for record in listed.as_array().unwrap() {
        assert_eq!((&record["by"], &record["reference"]), (&json!("crm:zap"), &json!("e9")));
        assert_eq!(record["names"][0], "email:who@example.com");
    }
    // Once the person is known, the sender sends it again.
    lead(&app, "who@example.com").await;
    assert_eq!(send(&app, "msg_1", &body).await.status, 202);
    app.stop().await;
}
