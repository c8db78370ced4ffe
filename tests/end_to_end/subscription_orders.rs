//! Creating subscriptions: what is refused, how many there can be, and the samples and lists that
//! tools use for mapping.

use crate::subscriptions::{PRIVATE, call, lead, settle_and_deliver, subscribe};
use clew_core::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{NOW_MS, TestApp, answer};
use tests::receiver::Receiver;
use tests::storage::Backend;

tests::both_stores!(
    samples_and_lists_have_the_same_members,
    invalid_subscriptions_are_refused,
    a_sites_subscriptions_are_limited,
);

async fn samples_and_lists_have_the_same_members(backend: Backend) {
    let receiver = Receiver::start();
    let app = TestApp::start_with(backend, PRIVATE, Clock::fixed(NOW_MS));
    subscribe(&app, &receiver, json!("lead.converted")).await;
    let names =
        |body: &Value| -> Vec<String> { body.as_object().unwrap().keys().cloned().collect() };
    let sample = async |event: &str| app.get(&format!("/v1/hooks/sample?event={event}")).await.json;
    let made_up = sample("lead.converted").await;
    assert_eq!(
        (made_up.as_array().unwrap().len(), &made_up[0]["email"]),
        (1, &json!("lead@example.com"))
    );
    assert_eq!(app.get("/v1/leads?flat=1&sort=-converted_at").await.json, json!([]));

    for email in ["a@example.com", "b@example.com"] {
        lead(&app, email).await;
        app.app.core.clock.advance_ms(1_000);
    }
    assert_eq!(settle_and_deliver(&app).await, 2);
    let body = receiver.take();
    let body =
        body.iter().map(|got| got.json()).find(|body| body["email"] == "b@example.com").unwrap();
    let real = sample("lead.converted").await;
    assert_eq!((names(&real[0]), &real[0]["email"]), (names(&body), &json!("b@example.com")));
    assert_eq!(names(&made_up[0]), names(&body));
    let listed = app.get("/v1/leads?sort=-converted_at&limit=50&flat=1").await.json;
    assert_eq!((&listed[0], listed.as_array().unwrap().len()), (&body, 2));
    assert_ne!(listed[0]["id"], listed[1]["id"]);
    // The first lead converts again and is the newest, with another id.
    lead(&app, "a@example.com").await;
    let again = app.get("/v1/leads?sort=-converted_at&limit=1&flat=1").await.json;
    assert_eq!(again[0]["email"], "a@example.com");
    assert_ne!(again[0]["id"], listed[1]["id"]);
    let by_email = app.get("/v1/leads?email=b@example.com&flat=1").await.json;
    assert_eq!(by_email[0]["id"], listed[0]["id"]);

    for event in ["lead.stage_changed", "lead.revenue"] {
        assert_eq!(sample(event).await[0]["event"], event);
    }
    app.post("/v1/leads/email:a@example.com/stage", &json!({ "stage": "mql" })).await;
    let stage = sample("lead.stage_changed").await;
    assert_eq!((&stage[0]["to"], &stage[0]["email"]), (&json!("mql"), &json!("a@example.com")));
    assert_eq!(app.get("/v1/hooks/sample?event=x").await.status, 422);
    assert_eq!(app.get("/v1/leads?sort=email").await.status, 422);
    assert_eq!(app.get("/v1/leads?flat=maybe").await.status, 422);
    let me = app.get("/v1/me").await.json;
    let expected =
        json!({ "key_name": "test", "sites": ["demo"], "scopes": ["admin"], "expires_at": null });
    assert_eq!(me, expected);
    app.stop().await;
    receiver.stop().await;
}

async fn invalid_subscriptions_are_refused(backend: Backend) {
    let app = TestApp::start(backend);
    let check = async |target: &str, event: Value, part: &str| {
        let order = json!({ "target_url": target, "event": event });
        let response = app.post("/v1/hooks", &order).await;
        assert_eq!(response.status, 422, "{target}: {}", response.text);
        assert!(response.json["detail"].as_str().unwrap().contains(part), "{}", response.text);
    };
    let lead = json!("lead.converted");
    check(
        "http://hooks.example.com/",
        lead.clone(),
        "must begin with https://; to use http, set allow_private",
    )
    .await;
    check("https://10.0.0.1/", lead.clone(), "target_url: it is not a public address").await;
    check("https://2130706433/", lead.clone(), "it is not a public address").await;
    check("https://localhost/", lead.clone(), "it is not a public address").await;
    check("https://u:p@hooks.example.com/", lead.clone(), "must not contain a user name").await;
    check("hooks", lead.clone(), "it is not a URL").await;
    check(
        "https://hooks.example.com/",
        json!("lead.deleted"),
        "event: not an event; use one of lead.converted",
    )
    .await;
    check("https://hooks.example.com/", json!([]), "name at least one event").await;
    assert_eq!(app.post("/v1/hooks", &json!({})).await.status, 400);
    let good = json!({ "target_url": "https://hooks.example.com/", "event": "lead.converted" });
    let made = app.post("/v1/hooks", &good).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/v1/hooks/{}", made.json["id"].as_str().unwrap());
    let moved = json!({ "target_url": "https://169.254.169.254/" });
    assert_eq!(call(&app, Method::PATCH, &path, moved).await.status, 422);
    // A key of another site sees none of it.
    let other = app.request(Method::GET, &path).bearer_auth("clew_other-key");
    assert_eq!(answer(other).await.status, 404);
    let none = app.request(Method::GET, "/v1/hooks").bearer_auth("clew_other-key");
    assert_eq!(answer(none).await.json, json!({ "hooks": [] }));
    assert_eq!(answer(app.request(Method::GET, "/v1/hooks")).await.status, 401);
    app.stop().await;
}

async fn a_sites_subscriptions_are_limited(backend: Backend) {
    let app = TestApp::start(backend);
    let order = json!({ "target_url": "https://hooks.example.com/", "event": "lead.converted" });
    for _ in 0..100 {
        assert_eq!(app.post("/v1/hooks", &order).await.status, 201);
    }
    let response = app.post("/v1/hooks", &order).await;
    assert_eq!((response.status, &response.json["type"]), (409, &json!("/problems/conflict")));
    let listed = app.get("/v1/hooks").await.json["hooks"].take();
    assert_eq!(listed.as_array().unwrap().len(), 100);
    let path = format!("/v1/hooks/{}", listed[0]["id"].as_str().unwrap());
    assert_eq!(call(&app, Method::DELETE, &path, Value::Null).await.status, 204);
    assert_eq!(app.post("/v1/hooks", &order).await.status, 201);
    app.stop().await;
}
