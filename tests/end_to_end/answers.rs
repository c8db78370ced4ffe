//! Properties of every response: browsers are told not to sniff its type, and a refusal never
//! repeats the caller's input.

use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::contact;
use tests::wire::{batch, new_visitor};

#[actix_web::test]
async fn every_response_forbids_sniffing() {
    let app = TestApp::start(Backend::Sled);
    let routes = clew_server::http::addresses("/c");
    let others = [(Method::GET, "/nowhere".to_owned()), (Method::PUT, "/v1/leads".to_owned())];
    let routes = routes
        .into_iter()
        .map(|(method, path)| (Method::from_bytes(method.as_str().as_bytes()).unwrap(), path));
    let mut statuses = std::collections::BTreeSet::new();
    for (method, path) in routes.chain(others) {
        for key in ["", KEY] {
            let got = answer(app.request(method.clone(), &path).bearer_auth(key)).await;
            let sniffing = got.headers.get_all("x-content-type-options").iter().collect::<Vec<_>>();
            assert_eq!(sniffing, ["nosniff"], "{method} {path}: {}", got.status);
            statuses.insert(got.status);
        }
    }
    assert!(statuses.is_superset(&[200, 400, 401, 404, 405].into()), "{statuses:?}");
    app.stop().await;
}

/// Sent in every field that a caller fills. No text of Clew's contains it.
const MARKER: &str = "zqmarkerqz";

/// Whether a request is refused. Asserts that a refusal does not contain the marker.
fn is_refused(got: &Answer, what: &str) -> bool {
    let refused = (400..500).contains(&got.status);
    assert!(refused || got.status < 300, "{what}: {}", got.text);
    // A page can read the refusal only if this header repeats its own origin.
    let headers = got.headers.iter().filter(|(name, _)| *name != "access-control-allow-origin");
    let mut headers = headers.map(|(_, value)| value.to_str().unwrap_or_default());
    let repeats = got.text.to_lowercase().contains(MARKER) || headers.any(|it| it.contains(MARKER));
    assert!(!refused || !repeats, "{what}: {}", got.text);
    refused
}

/// A valid body for each route that takes one.
fn bodies(lead: &str, hook: &str) -> Vec<(Method, String, Value)> {
    vec![
        (
            Method::POST,
            "/v1/leads".into(),
            json!({
                "site": "demo", "visitor": "v", "token": "t", "type": "form",
                "contact": {
                    "email": "a@example.com", "phone": "1", "first_name": "A", "last_name": "B", "full_name": "A B",
                    "company": "C", "job_title": "D",
                },
                "form": { "id": "f", "name": "F" },
                "page": { "url": "https://www.example.com/", "title": "T" },
            }),
        ),
        (
            Method::POST,
            format!("/v1/leads/{lead}/stage"),
            json!({
                "stage": "mql", "at": "2026-11-21T09:00:00Z", "reason": "r", "reference": "s",
                "crm": "hubspot:contact:1",
            }),
        ),
        (
            Method::POST,
            "/v1/revenue".into(),
            json!({
                "lead": lead, "email": "a@example.com", "phone": "1", "crm": "hubspot:contact:1", "deal": "D",
                "kind": "won", "amount": "5.00", "currency": "EUR", "at": "2026-11-21T09:00:00Z", "reference": "r",
            }),
        ),
        (
            Method::POST,
            "/hooks/zap".into(),
            json!({
                "lead_id": lead, "email": "a@example.com", "phone": "1", "crm_record_id": "1", "stage": "mql",
                "reason": "r", "deal_id": "D", "amount": "5.00", "currency": "EUR", "status": "won",
                "occurred_at": "2026-11-21T09:00:00Z", "event_id": "e",
            }),
        ),
        (
            Method::POST,
            "/v1/hooks".into(),
            json!({
                "target_url": "https://hooks.example.com/", "event": "lead.converted", "description": "d",
            }),
        ),
        (
            Method::PATCH,
            hook.into(),
            json!({
                "target_url": "https://hooks.example.com/", "description": "d", "disabled": false,
            }),
        ),
    ]
}

/// Every value in a body, as a JSON pointer.
fn places(body: &Value, prefix: &str) -> Vec<String> {
    let members = body.as_object().into_iter().flatten();
    let under = members.flat_map(|(name, value)| {
        let place = format!("{prefix}/{name}");
        [places(value, &place), vec![place]].concat()
    });
    under.collect()
}

#[actix_web::test]
async fn no_refusal_repeats_the_body() {
    let world = world().await;
    let Refusals { app, lead, hook } = &world;
    for (method, path, good) in bodies(lead, hook) {
        let send = async |body: String| {
            answer(app.request(method.clone(), &path).bearer_auth(KEY).body(body)).await
        };
        for place in places(&good, "") {
            let url = format!("https://{MARKER}.example/\u{0}");
            let kinds = [
                json!(MARKER),
                json!([MARKER]),
                json!({ MARKER: MARKER }),
                json!(format!("{MARKER}\u{0}")),
                json!(format!("{MARKER}`, expected {MARKER}")),
                json!(MARKER.repeat(1000)),
                json!(format!("http://{MARKER}.localhost/")),
                json!(url),
            ];
            let mut refused = 0;
            for value in kinds {
                let mut body = good.clone();
                *body.pointer_mut(&place).unwrap() = value;
                let what = format!("{path} {place}: {body}");
                refused += usize::from(is_refused(&send(body.to_string()).await, &what));
            }
            // No field accepts everything, but for what a person typed, which refuses no lead.
            assert!(refused > 0 || path == "/v1/leads", "{path} {place}");
        }
        for body in [
            MARKER.to_owned(),
            format!("\"{MARKER}\""),
            format!("[\"{MARKER}\"]"),
            format!("{{\"{MARKER}"),
            format!("{{\"{MARKER}\" 1}}"),
            format!("{{\"{MARKER}\": {MARKER}}}"),
            format!("{{\"{MARKER}\": \"\\{MARKER}\"}}"),
            format!("{{\"stage\": \"{MARKER}\", \"{MARKER}\": 1"),
        ] {
            assert!(is_refused(&send(body.clone()).await, &body), "{path} {body}");
        }
    }
    world.stop().await;
}

#[actix_web::test]
async fn no_refusal_repeats_the_address_or_a_header() {
    let world = world().await;
    let Refusals { app, lead, .. } = &world;
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let fields = format!("/v1/leads/{lead}/fields");
    for (method, path, queries) in [
        (&get, "/MARKER", &["", "MARKER=MARKER"][..]),
        (
            &get,
            "/v1/leads",
            &["limit=MARKER", "after=MARKER", "sort=MARKER", "flat=MARKER", "site=MARKER"],
        ),
        (&get, "/v1/leads/MARKER", &[""]),
        (&get, "/v1/leads/email:MARKER@example.com", &[""]),
        (&get, "/v1/leads/crm:MARKER:contact:1/journey", &[""]),
        (&get, "/v1/leads/%00MARKER%ff", &[""]),
        (&get, &fields, &["fields=email,MARKER", "format=MARKER", "crm=MARKER"]),
        (&post, "/v1/leads/MARKER/stage", &[""]),
        (&delete, "/v1/leads/MARKER/visitors/MARKER", &[""]),
        (&get, "/v1/visitors/MARKER/journey", &[""]),
        (&get, "/v1/unmatched", &["after=MARKER", "limit=MARKER"]),
        (&get, "/v1/deliveries", &["state=MARKER", "lead=MARKER", "after=MARKER", "limit=MARKER"]),
        (&post, "/v1/deliveries/MARKER/replay", &[""]),
        (&post, "/v1/destinations/MARKER/test", &[""]),
        (&get, "/v1/hooks/sample", &["event=MARKER"]),
        (&get, "/v1/hooks/MARKER", &[""]),
        (&patch, "/v1/hooks/MARKER", &[""]),
        (&delete, "/v1/hooks/MARKER", &[""]),
        (&get, "/v1/hooks/MARKER/deliveries", &[""]),
        (&post, "/hooks/MARKER", &[""]),
        (&post, "/hooks/MARKER/MARKER", &[""]),
        (&get, "/c/s.MARKER.js", &[""]),
        (&get, "/c/p.gif", &["site=MARKER"]),
        (&Method::PUT, "/v1/leads/MARKER", &["MARKER=MARKER"]),
    ] {
        for query in queries {
            let address = format!("{path}?{query}").replace("MARKER", MARKER);
            let request = app.request(method.clone(), &address).bearer_auth(KEY);
            let got = answer(request.body("{\"stage\": \"mql\"}")).await;
            assert!(is_refused(&got, &address), "{method} {address}: {}", got.text);
        }
    }
    let person = json!({ "contact": contact("a@example.com") }).to_string();
    let batch = batch(&new_visitor().to_text(), NOW_MS, &[]);
    let long = MARKER.repeat(30);
    for (path, headers, body) in [
        ("/v1/leads", &[("authorization", MARKER)][..], &person),
        ("/v1/leads", &[("authorization", "Bearer zqmarkerqz")], &person),
        ("/v1/leads", &[("x-request-id", MARKER)], &person),
        ("/v1/leads", &[("authorization", KEY_HEADER), ("idempotency-key", &long)], &person),
        (
            "/v1/leads",
            &[("authorization", KEY_HEADER), ("idempotency-key", "zqmarkerqzé")],
            &person,
        ),
        ("/hooks/signed", &[("webhook-id", MARKER)], &person),
        (
            "/hooks/signed",
            &[("webhook-id", MARKER), ("webhook-timestamp", MARKER), ("webhook-signature", MARKER)],
            &person,
        ),
        ("/c/e", &[("origin", "https://zqmarkerqz.example")], &batch),
        ("/c/e", &[], &batch.replace("\"demo\"", "\"zqmarkerqz\"")),
        ("/c/e", &[], &batch.replace("\"v\":1", "\"v\":\"zqmarkerqz\"")),
        ("/c/e", &[], &MARKER.to_owned()),
    ] {
        let mut request = app.request(Method::POST, path);
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        let got = answer(request.body(body.clone())).await;
        assert!(is_refused(&got, path), "{path} {headers:?}: {}", got.text);
    }
    world.stop().await;
}

const KEY_HEADER: &str = "Bearer clew_test-key";

/// A collector with a lead, a subscription and two inbound webhooks.
struct Refusals {
    app: TestApp,
    lead: String,
    hook: String,
}

async fn world() -> Refusals {
    let settings = format!(
        "[[inbound]]\nname = \"zap\"\nsite = \"demo\"\n\
         [[inbound]]\nname = \"signed\"\nsite = \"demo\"\nsecret = \"{}\"\n",
        tests::settings::WEBHOOK_SECRET
    );
    let clock = clew_core::Clock::fixed(NOW_MS);
    let app = TestApp::start_with(Backend::Sled, &settings, clock);
    let made = app.post_lead(&json!({ "contact": contact("lead@example.com") })).await;
    let lead = made.json["lead"]["id"].as_str().unwrap().to_owned();
    let order = json!({ "target_url": "https://hooks.example.com/", "event": "lead.revenue" });
    let made = app.post("/v1/hooks", &order).await;
    let hook = format!("/v1/hooks/{}", made.json["id"].as_str().unwrap());
    Refusals { app, lead, hook }
}

impl Refusals {
    async fn stop(self) {
        self.app.stop().await;
    }
}
