//! What every response looks like: the public contract, as snapshots. A change shows in the diff of a `.snap` file;
//! `INSTA_UPDATE=always cargo test --package tests snapshots` takes it over.

use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::settings::{destination, key};
use tests::storage::Backend;
use tests::visitors::travelled;
use tests::wire::{batch, new_event, new_visitor, view};

/// What differs from run to run, and what stands for it.
const FILTERS: [(&str, &str); 9] = [
    (r"127\.0\.0\.1:\d+", "[address]"),
    (r"msg_[A-Za-z0-9_-]{43}", "[delivery]"),
    (r"hk_[0-9a-f]{32}", "[hook]"),
    (r"whsec_[A-Za-z0-9+/=]+", "[secret]"),
    (r"ping_[A-Za-z0-9_-]+", "[ping]"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[id]"),
    (r"\b[0-9a-f]{32}\b", "[request]"),
    (r"\b[0-9a-f]{16}\b", "[hash]"),
    (r#""token": "[^"]+""#, r#""token": "[token]""#),
];

/// Compares a response with the snapshot of its name.
fn check(name: &str, got: &Answer) {
    let seen = json!({ "status": got.status, "body": got.json });
    insta::with_settings!({ filters => FILTERS.to_vec(), prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!(name, seen);
    });
}

const WRITER: &str = "clew_writer";

#[actix_web::test]
async fn responses() {
    // Nobody listens there: what is delivered fails.
    let settings = [
        "[hooks]\nallow_private = true\n",
        &key("forms", WRITER, "site = \"demo\"\nscopes = [\"leads:write\"]"),
        &destination("crm", "http://127.0.0.1:9/"),
    ];
    let app =
        TestApp::start_with(Backend::Sled, &settings.concat(), clew_core::Clock::fixed(NOW_MS));
    let page = view(new_event(NOW_MS), NOW_MS, "https://www.example.com/", "");
    check("batch", &app.send(batch(&new_visitor().to_text(), NOW_MS, &[page])).await);

    let (visitor, _) = travelled(&app).await;
    let lead = json!({
        "visitor": visitor,
        "contact": { "email": "lead@example.com", "phone": "+41 44 668 18 00", "full_name": "First Last" },
        "form": { "id": "contact", "name": "Contact form" },
        "page": { "url": "https://www.example.com/contact", "title": "Contact" },
    });
    let created = app.post_lead(&lead).await;
    check("lead-created", &created);
    // Their order is that of random ids, so it is asked while there is one.
    check("deliveries", &app.get("/v1/deliveries").await);
    let as_writer = async |path: &str, body: &Value| {
        answer(app.request(Method::POST, path).bearer_auth(WRITER).json(body)).await
    };
    check("lead-created-receipt", &as_writer("/v1/leads", &lead).await);
    let id = created.json["lead"]["id"].as_str().unwrap().to_owned();
    let at = |path: &str| format!("/v1/leads/{id}{path}");

    let stage = json!({ "stage": "sql", "reason": "asked for an offer", "reference": "s-1" });
    check("stage", &app.post(&at("/stage"), &stage).await);
    check("stage-receipt", &as_writer(&at("/stage"), &stage).await);
    let deal =
        json!({ "lead": id, "deal": "D-1", "kind": "won", "amount": "1200.00", "currency": "EUR" });
    check("revenue", &app.post("/v1/revenue", &deal).await);
    let unknown = json!({ "email": "nobody@example.com", "stage": "mql" });
    drop(app.post("/v1/leads/email:nobody@example.com/stage", &unknown).await);

    for (name, path) in [
        ("key", "/v1/me".to_owned()),
        ("lead", at("")),
        ("lead-fields", at("/fields?fields=email,first_click_source,lead_stage")),
        ("lead-fields-grouped", at("/fields?format=grouped&fields=email,first_click_source,gclid")),
        ("lead-fields-hubspot", at("/fields?crm=hubspot&fields=email,first_click_source,gclid")),
        ("lead-journey", at("/journey?limit=2")),
        ("leads", "/v1/leads".to_owned()),
        ("leads-flat", "/v1/leads?flat=1".to_owned()),
        ("visitor-journey", format!("/v1/visitors/{visitor}/journey")),
        ("unmatched", "/v1/unmatched".to_owned()),
        ("hook-sample", "/v1/hooks/sample?event=lead.revenue".to_owned()),
        ("unknown-parameter", "/v1/leads?emial=lead@example.com".to_owned()),
        ("not-found", "/v1/leads/email:nobody@example.com".to_owned()),
    ] {
        check(name, &app.get(&path).await);
    }

    let order =
        json!({ "target_url": "http://127.0.0.1:9/", "event": ["lead.converted", "lead.revenue"] });
    let hook = app.post("/v1/hooks", &order).await;
    check("hook-created", &hook);
    check("hooks", &app.get("/v1/hooks").await);
    app.stop().await;
}
