//! Access control: every route with a key of every scope, and with keys that open nothing.

use collector::config::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::receiver::Receiver;
use tests::settings::{OTHER_KEY, destination, key};
use tests::storage::Backend;
use tests::visitors::{contact, travelled};

/// What a route requires.
#[derive(Clone, Copy)]
enum Guard {
    /// Nothing; a key makes no difference.
    Open,
    /// Any valid key.
    Any,
    /// A key with this scope, or with `admin`. A key of another site gets this status.
    Scope(Scope, u16),
}

use Guard::{Any, Open};
use Scope::{Admin, Hooks, LeadsRead, LeadsWrite};

const WRITE: fn(u16) -> Guard = |elsewhere| Guard::Scope(LeadsWrite, elsewhere);
const READ: fn(u16) -> Guard = |elsewhere| Guard::Scope(LeadsRead, elsewhere);
const HOOKS: fn(u16) -> Guard = |elsewhere| Guard::Scope(Hooks, elsewhere);
const ADMIN: fn(u16) -> Guard = |elsewhere| Guard::Scope(Admin, elsewhere);

/// Every route of the collector: method, path, what it requires, and a valid body.
fn routes() -> Vec<(Method, &'static str, Guard, Value)> {
    let (get, post, patch, delete) = (Method::GET, Method::POST, Method::PATCH, Method::DELETE);
    let none = Value::Null;
    let lead = json!({ "contact": { "email": "new@example.com" } });
    let stage = json!({ "stage": "mql" });
    let deal = json!({
        "lead": "{lead}", "deal": "D-1", "kind": "won", "amount": "5.00", "currency": "EUR",
    });
    let other = json!({ "lead": "{merged}" });
    let report = json!({ "email": EMAIL, "stage": "sql" });
    let hook = json!({ "target_url": "{receiver}", "event": "lead.converted" });
    let rows = [
        (&get, "/c/s.js", Open, &none),
        (&get, "/c/s.{hash}.js", Open, &none),
        (&get, "/c/t.wasm", Open, &none),
        (&get, "/c/t.{hash}.wasm", Open, &none),
        (&get, "/c/p.gif", Open, &none),
        (&post, "/c/e", Open, &none),
        // Before the routes that store unmatched records.
        (&get, "/v1/unmatched", READ(200), &none),
        (&get, "/v1/leads", READ(200), &none),
        (&post, "/v1/leads", WRITE(201), &lead),
        (&get, "/v1/leads/{lead}", READ(404), &none),
        (&get, "/v1/leads/{lead}/fields", READ(404), &none),
        (&get, "/v1/leads/{lead}/journey", READ(404), &none),
        (&post, "/v1/leads/{lead}/confirm", WRITE(404), &none),
        (&delete, "/v1/leads/{lead}/visitors/{visitor}", ADMIN(404), &none),
        (&post, "/v1/leads/{lead}/merge", ADMIN(404), &other),
        (&delete, "/v1/leads/{lead}/merges/{merged}", ADMIN(404), &none),
        (&get, "/v1/duplicates", READ(200), &none),
        (&post, "/v1/leads/{lead}/stage", WRITE(404), &stage),
        (&post, "/v1/revenue", WRITE(404), &deal),
        (&get, "/v1/fields", Any, &none),
        (&get, "/v1/visitors/{visitor}/journey", READ(404), &none),
        (&get, "/v1/deliveries", READ(200), &none),
        (&post, "/v1/deliveries/{delivery}/replay", ADMIN(404), &none),
        (&get, "/v1/me", Any, &none),
        (&post, "/v1/destinations/{name}/test", HOOKS(404), &none),
        (&get, "/v1/hooks", HOOKS(200), &none),
        (&post, "/v1/hooks", HOOKS(201), &hook),
        (&get, "/v1/hooks/sample", HOOKS(200), &none),
        (&get, "/v1/hooks/{hook}", HOOKS(404), &none),
        (&patch, "/v1/hooks/{hook}", HOOKS(404), &hook),
        (&delete, "/v1/hooks/{hook}", HOOKS(404), &none),
        (&get, "/v1/hooks/{hook}/deliveries", HOOKS(404), &none),
        (&post, "/v1/hooks/{hook}/rotate-secret", HOOKS(404), &none),
        (&post, "/v1/hooks/{hook}/test", HOOKS(404), &none),
        (&post, "/hooks/{connection}", WRITE(403), &report),
        // The secret in its address opens it.
        (&post, "/hooks/{connection}/{secret}", Open, &none),
        (&get, "/openapi.json", Open, &none),
        (&get, "/docs", Open, &none),
        (&get, "/healthz", Open, &none),
        (&get, "/readyz", Open, &none),
        (&get, "/metrics", Open, &none),
    ];
    rows.map(|(method, path, guard, body)| (method.clone(), path, guard, body.clone())).to_vec()
}

const EMAIL: &str = "lead@example.com";

/// The key with one scope.
fn of(scope: Scope) -> String {
    format!("clew_{}", scope.as_str())
}

/// The collector with a key for each scope, a lead with a delivery, and their ids for use in paths.
struct World {
    app: TestApp,
    receiver: Receiver,
    lead: String,
    /// Another lead, to be merged into it.
    merged: String,
    visitor: String,
    delivery: String,
}

impl World {
    async fn new() -> Self {
        let receiver = Receiver::start();
        let mut settings = Scope::ALL.map(|scope| {
            key(scope.as_str(), &of(scope), &format!("site = \"demo\"\nscopes = [\"{scope}\"]"))
        });
        settings.sort();
        let settings = [
            "[hooks]\nallow_private = true\n",
            &settings.concat(),
            // It expires at this very moment.
            &key(
                "old",
                "clew_old",
                "site = \"demo\"\nscopes = [\"admin\"]\nexpires = \"2026-11-21T10:00:00Z\"",
            ),
            &key(
                "both",
                "clew_both",
                "sites = [\"demo\", \"other\"]\nscopes = [\"leads:write\", \"leads:read\"]",
            ),
            "[[inbound]]\nname = \"zap\"\nsite = \"demo\"\n",
            &destination("crm", &receiver.url),
        ];
        let clock = clew_core::Clock::fixed(NOW_MS);
        let app = TestApp::start_with(Backend::Sled, &settings.concat(), clock);
        let (visitor, _) = travelled(&app).await;
        let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(EMAIL) })).await;
        let lead = made.json["lead"]["id"].as_str().unwrap().to_owned();
        let listed = app.get("/v1/deliveries").await.json;
        let delivery = listed["deliveries"][0]["id"].as_str().unwrap().to_owned();
        let made = app.post_lead(&json!({ "contact": contact("other@example.com") })).await;
        let merged = made.json["lead"]["id"].as_str().unwrap().to_owned();
        Self { app, receiver, lead, merged, visitor, delivery }
    }

    /// Calls a route. If it names a subscription, it gets a new one.
    async fn call(&self, method: &Method, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let mut hook = String::new();
        if path.contains("{hook}") {
            let order = json!({ "target_url": self.receiver.url, "event": "lead.revenue" });
            let made = self.app.post("/v1/hooks", &order).await;
            made.json["id"].as_str().unwrap().clone_into(&mut hook);
        }
        let fill = |text: &str| {
            let text = text.replace("{lead}", &self.lead).replace("{visitor}", &self.visitor);
            let text = text.replace("{merged}", &self.merged);
            let text = text.replace("{delivery}", &self.delivery).replace("{hook}", &hook);
            let text = text.replace("{name}", "crm").replace("{receiver}", &self.receiver.url);
            text.replace("{connection}", "zap").replace("{secret}", "x").replace("{hash}", "x")
        };
        let request = self.app.request(method.clone(), &fill(path)).body(fill(&body.to_string()));
        answer(match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        })
        .await
    }

    async fn stop(self) {
        self.app.stop().await;
        self.receiver.stop().await;
    }
}

fn is_problem(answer: &Answer, status: u16, kind: &str) -> bool {
    answer.status == status && answer.json["type"] == format!("/problems/{kind}")
}

#[actix_web::test]
async fn every_scope_on_every_route() {
    let world = World::new().await;
    for (method, path, guard, body) in routes() {
        let by = async |key: Option<&str>| world.call(&method, path, &body, key).await;
        let place = format!("{method} {path}");
        if let Open = guard {
            let without = by(None).await.status;
            assert!(!matches!(without, 401 | 403), "{place}: {without}");
            for scope in Scope::ALL {
                assert_eq!(by(Some(&of(scope))).await.status, without, "{place} {scope}");
            }
            continue;
        }
        for (stranger, kind) in [(None, "unauthorized"), (Some("clew_x"), "unauthorized")] {
            let got = by(stranger).await;
            assert!(is_problem(&got, 401, kind), "{place} {stranger:?}: {}", got.text);
        }
        let old = by(Some("clew_old")).await;
        assert!(is_problem(&old, 401, "key_expired"), "{place}: {}", old.text);
        assert!(old.text.contains("expired at 2026-11-21T10:00:00Z"), "{}", old.text);
        for scope in Scope::ALL {
            let got = by(Some(&of(scope))).await;
            match guard {
                Guard::Scope(needed, _) if scope != needed && scope != Admin => {
                    let detail = got.json["detail"].as_str().unwrap_or_default();
                    let named = detail.contains(&format!("lacks the scope `{needed}`"));
                    let refused = is_problem(&got, 403, "forbidden") && named;
                    assert!(refused, "{place} {scope}: {}", got.text);
                }
                _ => assert_eq!(got.status / 100, 2, "{place} {scope}: {}", got.text),
            }
        }
        let elsewhere = by(Some(OTHER_KEY)).await;
        let expected = if let Guard::Scope(_, expected) = guard { expected } else { 200 };
        assert_eq!(elsewhere.status, expected, "{place}: {}", elsewhere.text);
        for known in [EMAIL, &world.lead, &world.visitor, &world.delivery] {
            assert!(!elsewhere.text.contains(known), "{place}: {}", elsewhere.text);
        }
    }
    world.stop().await;
}

#[test]
fn the_table_has_every_route() {
    let known = clew_server::http::addresses("/c");
    let known: BTreeSet<_> =
        known.iter().map(|(method, path)| format!("{method} {path}")).collect();
    let here = routes();
    let here: BTreeSet<_> =
        here.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(here, known);
}

/// A key with only `leads:write` learns nothing that was known about a person before.
#[actix_web::test]
async fn leads_write_alone_gets_a_receipt() {
    let world = World::new().await;
    let known = json!({ "contact": { "email": EMAIL }, "visitor": "{visitor}" });
    let stage = json!({ "stage": "sql" });
    let deal = json!({
        "lead": "{lead}", "deal": "D-1", "kind": "won", "amount": "5.00", "currency": "EUR",
    });
    for (path, body, receipt, more) in [
        (
            "/v1/leads",
            &known,
            &["conversion", "conversion_id", "lead", "repeated", "warnings"][..],
            &["fields", "journey"][..],
        ),
        ("/v1/leads/{lead}/stage", &stage, &["lead_id", "repeated"], &["stage", "stages"]),
        ("/v1/revenue", &deal, &["lead_id", "repeated"], &["deal"]),
    ] {
        let by = async |key: &str| world.call(&Method::POST, path, body, Some(key)).await.json;
        let got = by(&of(LeadsWrite)).await;
        let members: Vec<&String> = got.as_object().unwrap().keys().collect();
        assert_eq!(members, receipt, "{path}");
        if let Value::Object(conversion) = &got["conversion"] {
            assert_eq!(got["lead"], json!({ "id": world.lead }));
            let members: Vec<&String> = conversion.keys().collect();
            assert_eq!(members, ["id", "journey", "number", "type"]);
            assert_eq!(
                (&conversion["number"], &conversion["journey"]),
                (&json!(2), &json!("known"))
            );
        }
        let full = by("clew_both").await;
        assert!(full["detail"].as_str().unwrap().contains("`?site=`"), "{full}");
        for member in more {
            assert!(by(&of(Admin)).await.get(*member).is_some(), "{path}: {member}");
        }
    }
    world.stop().await;
}

/// A key for several sites must name one with each request; a key for a single site need not.
#[actix_web::test]
async fn a_key_opens_the_sites_that_it_names() {
    let world = World::new().await;
    let lead = |site: &str| match site {
        "" => json!({ "contact": contact(EMAIL) }),
        site => json!({ "contact": contact(EMAIL), "site": site }),
    };
    let (get, post, none) = (&Method::GET, &Method::POST, &Value::Null);
    let (both, one) = ("clew_both", &of(Admin)[..]);
    for (key, method, path, body, status, part) in [
        (both, get, "/v1/leads", none, 422, "say which one is meant with `?site=`"),
        (both, get, "/v1/leads?site=", none, 422, "say which one is meant with `?site=`"),
        (both, get, "/v1/leads?site=demo", none, 200, EMAIL),
        (both, get, "/v1/leads?site=other", none, 200, r#""leads":[]"#),
        (both, get, "/v1/leads?site=third", none, 403, "has no access to that site"),
        (both, get, "/v1/leads/{lead}?site=other", none, 404, "no such lead"),
        (both, get, "/v1/leads/{lead}/fields?site=demo&fields=email", none, 200, EMAIL),
        (one, get, "/v1/leads?site=demo", none, 200, EMAIL),
        (one, get, "/v1/leads?site=other", none, 403, "has no access to that site"),
        (both, post, "/v1/leads", &lead(""), 422, "several sites"),
        (both, post, "/v1/leads", &lead("other"), 201, r#""site":"other""#),
        (both, post, "/v1/leads?site=other", &lead(""), 201, r#""site":"other""#),
        (both, post, "/v1/leads?site=demo", &lead("demo"), 201, r#""site":"demo""#),
        (both, post, "/v1/leads?site=demo", &lead("other"), 422, "name different sites"),
        (both, post, "/v1/leads", &lead("third"), 403, "has no access to that site"),
        (one, post, "/v1/leads", &lead("other"), 403, "has no access to that site"),
        // The site of the inbound webhook counts, whatever else the key opens.
        (both, post, "/hooks/zap", &json!({ "email": EMAIL, "stage": "sql" }), 202, "accepted"),
        (both, get, "/v1/fields", none, 200, "first_click_source"),
        (both, get, "/v1/me", none, 200, r#""sites":["demo","other"]"#),
    ] {
        let got = world.call(method, path, body, Some(key)).await;
        assert!(got.status == status && got.text.contains(part), "{path} {body}: {}", got.text);
    }
    world.stop().await;
}

/// A key expires while the collector runs, and only its holder is told so.
#[actix_web::test]
async fn a_key_expires_on_time() {
    let opens = "site = \"demo\"\nscopes = [\"leads:read\"]\nexpires = \"2026-11-21\"";
    let clock = clew_core::Clock::fixed(NOW_MS);
    let app = TestApp::start_with(Backend::Sled, &key("short", "clew_short", opens), clock);
    let by =
        async |path: &str, key: &str| answer(app.request(Method::GET, path).bearer_auth(key)).await;
    let me = by("/v1/me", "clew_short").await.json;
    let expected = json!({
        "key_name": "short", "sites": ["demo"], "scopes": ["leads:read"], "expires_at": "2026-11-22T00:00:00Z",
    });
    assert_eq!(me, expected);
    let midnight_ms = 14 * 60 * 60 * 1000;
    for (advance_ms, status, kind) in
        [(midnight_ms - 1, 200, Value::Null), (1, 401, json!("/problems/key_expired"))]
    {
        app.app.core.clock.advance_ms(advance_ms);
        let got = by("/v1/leads", "clew_short").await;
        assert_eq!((got.status, &got.json["type"]), (status, &kind), "{}", got.text);
    }
    let stranger = by("/v1/leads", "clew_shorx").await;
    assert!(is_problem(&stranger, 401, "unauthorized"), "{}", stranger.text);
    assert!(!stranger.text.contains("expired"), "{}", stranger.text);
    app.stop().await;
}
