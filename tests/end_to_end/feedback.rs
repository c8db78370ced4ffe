//! Stages and revenue reported by API: stored once, shown in order, credited to touches, and taken
//! back.

use collector::check::Check;
use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::{contact, travelled};

tests::both_stores!(
    stages_are_reported_in_any_order,
    revenue_is_credited_and_taken_back,
    a_lead_is_found_by_its_records,
    bad_requests_are_explained,
);

/// A lead that came from an ad, then directly, and has converted now.
async fn a_lead(app: &TestApp, email: &str) -> String {
    let (visitor, _) = travelled(app).await;
    let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["lead"]["id"].as_str().unwrap().to_owned()
}

/// The history as `stage@time`, with `~` for implied stages.
fn steps(stages: &Value) -> Vec<String> {
    let step = |entry: &Value| {
        let mark = if entry["implied"] == true { "~" } else { "" };
        format!("{mark}{}@{}", entry["to"].as_str().unwrap(), &entry["at"].as_str().unwrap()[5..10])
    };
    stages.as_array().unwrap().iter().map(step).collect()
}

async fn holds_together(app: &TestApp, records: u64) {
    let (mut entities, mut check) = (app.app.core.store.export(), Check::default());
    while let Some(entity) = entities.next().await {
        check.take(&entity.unwrap()).unwrap();
    }
    let report = check.finish();
    assert_eq!((report.problems, report.counts.records), (Vec::new(), records));
}

async fn stages_are_reported_in_any_order(backend: Backend) {
    let app = TestApp::start(backend);
    let id = a_lead(&app, "lead@example.com").await;
    let path = format!("/v1/leads/{id}");
    let report = async |body: Value| app.post(&format!("{path}/stage"), &body).await;
    let field = async |name: &str| {
        let answer = app.get(&format!("{path}/fields?fields={name}")).await;
        answer.json["fields"][name].clone()
    };
    assert_eq!(
        (field("lead_stage").await, field("lead_stage_at").await),
        (json!("lead"), json!("2026-11-21T10:00:00Z"))
    );

    // Stages are skipped; the lead is named by its e-mail; with a reference.
    app.app.core.clock.advance_ms(10 * 24 * 60 * 60 * 1000);
    let sql = json!({ "stage": "sql", "at": "2026-11-25T09:00:00Z", "reason": "rang", "reference": "e1" });
    let response = app.post("/v1/leads/email:lead@example.com/stage", &sql).await;
    assert_eq!(
        (response.status, &response.json["repeated"]),
        (201, &json!(false)),
        "{}",
        response.text
    );
    assert_eq!(response.headers["location"], path.as_str());
    assert_eq!(steps(&response.json["stages"]), ["lead@11-21", "~mql@11-25", "sql@11-25"]);
    assert_eq!(response.json["stages"][2]["reason"], "rang");
    assert_eq!(
        (&response.json["stages"][2]["by"], &response.json["stages"][0]["by"]),
        (&json!("api"), &json!("rule"))
    );
    assert_eq!(response.json["stages"][2]["reference"], "e1");
    assert_eq!(
        (&response.json["stage"], &response.json["stage_at"]),
        (&json!("sql"), &json!("2026-11-25T09:00:00Z"))
    );

    // A repeat; one with the reference in a header; and something else under that reference.
    let response = report(sql.clone()).await;
    assert_eq!((response.status, &response.json["repeated"]), (200, &json!(true)));
    let by_header = async |key: &str, body: Value| {
        let request = app.request(Method::POST, &format!("{path}/stage")).bearer_auth(KEY);
        answer(request.header("Idempotency-Key", key).body(body.to_string())).await
    };
    assert_eq!(by_header("e1", json!({ "stage": "sql" })).await.status, 200);
    let other = by_header("e1", json!({ "stage": "lost" })).await;
    assert_eq!((other.status, &other.json["type"]), (409, &json!("/problems/conflict")));

    // Backward, reported late, and lost.
    report(json!({ "stage": "lead", "at": "2026-11-27T00:00:00Z" })).await;
    let late = report(json!({ "stage": "mql", "at": "2026-11-23T00:00:00Z" })).await;
    assert_eq!(late.json["stage"], "lead");
    let lost = report(json!({ "stage": "lost", "reason": "no budget" })).await;
    let expected = ["lead@11-21", "mql@11-23", "sql@11-25", "lead@11-27", "lost@12-01"];
    assert_eq!(steps(&lost.json["stages"]), expected);
    let journey = app.get(&format!("{path}/journey")).await.json;
    assert_eq!((&journey["stages"], &journey["deals"]), (&lost.json["stages"], &json!([])));
    for (name, expected) in [
        ("lead_stage", json!("lost")),
        ("lead_stage_at", json!("2026-12-01T10:00:00Z")),
        ("mql_at", json!("2026-11-23T00:00:00Z")),
        ("sql_at", json!("2026-11-25T09:00:00Z")),
        ("opportunity_at", json!(null)),
        ("customer_at", json!(null)),
        ("lost_at", json!("2026-12-01T10:00:00Z")),
        ("revenue", json!(null)),
        ("deals_count", json!(null)),
    ] {
        assert_eq!(field(name).await, expected, "{name}");
    }
    let fields = app.get(&format!("{path}/fields")).await;
    assert_eq!(fields.json["updated_at"], "2026-12-01T10:00:00Z");
    holds_together(&app, 4).await;

    // It survives a restart.
    let again = TestApp::start(app.stop().await);
    assert_eq!(again.get(&format!("{path}/journey")).await.json, journey);
    again.stop().await;
}

/// The shares of a deal's revenue by model: touch and amount.
fn credit(deal: &Value) -> Vec<(String, Vec<(u64, String)>)> {
    let share = |share: &Value| {
        assert_eq!(share["currency"], "EUR");
        (share["n"].as_u64().unwrap(), share["amount"].as_str().unwrap().to_owned())
    };
    let model = |credit: &Value| {
        let touches = credit["touches"].as_array().unwrap().iter().map(share).collect();
        (credit["model"].as_str().unwrap().to_owned(), touches)
    };
    deal["credit"].as_array().unwrap().iter().map(model).collect()
}

/// The credit by the first-click, the last-click and the site's own model.
fn credited(amount: &str) -> Vec<(String, Vec<(u64, String)>)> {
    let by = |model: &str, n| (model.to_owned(), vec![(n, amount.to_owned())]);
    vec![by("first", 1), by("last", 2), by("last-non-direct", 1)]
}

async fn revenue_is_credited_and_taken_back(backend: Backend) {
    let app = TestApp::start(backend);
    let id = a_lead(&app, "lead@example.com").await;
    app.app.core.clock.advance_ms(10 * 24 * 60 * 60 * 1000);
    let report = async |kind: &str, amount: Value, day: u32| -> Answer {
        let body = json!({
            "email": "Lead@example.com", "deal": "D-1", "kind": kind, "amount": amount,
            "currency": "EUR", "at": format!("2026-11-{day}T09:00:00Z"),
        });
        app.post("/v1/revenue", &body).await
    };
    let fields = async || app.get(&format!("/v1/leads/{id}/fields")).await.json["fields"].clone();
    let booked = |answer: &Answer| {
        let lines = answer.json["deal"]["ledger"].as_array().unwrap().iter();
        let lines =
            lines.map(|line| line["booked"][0]["amount"].as_str().unwrap_or("-").to_owned());
        lines.collect::<Vec<_>>()
    };

    let opened = report("opened", json!("1000"), 22).await;
    assert_eq!((opened.status, &opened.json["lead_id"]), (201, &json!(id)), "{}", opened.text);
    assert_eq!(
        (&opened.json["deal"]["status"], credit(&opened.json["deal"]).len()),
        (&json!("open"), 0)
    );
    assert_eq!(
        (&fields().await["opportunity_value"], &fields().await["revenue"]),
        (&json!("1000.00"), &json!(null))
    );

    // Won: credited to the first and the last click.
    let won = report("won", json!("1200.01"), 24).await;
    assert_eq!(won.json["deal"]["revenue"], json!([{ "amount": "1200.01", "currency": "EUR" }]));
    assert_eq!(credit(&won.json["deal"]), credited("1200.01"));
    let repeat = report("won", json!("1200.01"), 24).await;
    assert_eq!((repeat.status, &repeat.json["repeated"]), (200, &json!(true)));
    assert_eq!(repeat.json["deal"], won.json["deal"]);
    let journey = app.get(&format!("/v1/leads/{id}/journey")).await.json;
    assert_eq!(journey["deals"], json!([won.json["deal"]]));
    assert_eq!(journey["journey"]["touches"][0]["source"], "google");
    for (name, expected) in [
        ("revenue", json!("1200.01")),
        ("revenue_currency", json!("EUR")),
        ("opportunity_value", json!(null)),
        ("closed_at", json!("2026-11-24T09:00:00Z")),
        ("deals_count", json!(1)),
        ("crm_deal_id", json!("D-1")),
        // A deal does not change the stage.
        ("lead_stage", json!("lead")),
    ] {
        assert_eq!(fields().await[name], expected, "{name}");
    }

    // Changed, then partly refunded.
    assert_eq!(
        credit(&report("amount_changed", json!("1500"), 25).await.json["deal"]),
        credited("1500.00")
    );
    let refunded = report("refunded", json!("100"), 26).await;
    assert_eq!(credit(&refunded.json["deal"]), credited("1400.00"));
    assert_eq!(refunded.json["deal"]["ledger"][3]["amount"], "-100.00");
    assert_eq!(fields().await["revenue"], "1400.00");

    // Reopened: all credit is taken back.
    let reopened = report("reopened", json!(null), 27).await;
    assert_eq!(booked(&reopened), ["-", "1200.01", "299.99", "-100.00", "-1400.00"]);
    let deal = &reopened.json["deal"];
    assert_eq!(
        (&deal["reversed"], &deal["status"], &deal["won_at"]),
        (&json!(true), &json!("open"), &json!(null))
    );
    assert_eq!(credit(deal), credited("0.00"));
    let after = fields().await;
    assert_eq!(
        [
            &after["revenue"],
            &after["closed_at"],
            &after["opportunity_value"],
            &after["deals_count"]
        ],
        [&json!(null), &json!(null), &json!("1500.00"), &json!(1)]
    );

    // A second deal; a repeat that has only its id.
    let second =
        json!({ "lead": id, "deal": "D-2", "kind": "won", "amount": "10", "currency": "EUR" });
    assert_eq!(app.post("/v1/revenue", &second).await.status, 201);
    assert_eq!(
        app.post("/v1/revenue", &second).await.status,
        200,
        "a repeat without any reference"
    );
    let lost = app.post("/v1/revenue", &json!({ "deal": "D-2", "kind": "lost" })).await;
    assert_eq!((lost.status, &lost.json["lead_id"]), (201, &json!(id)), "{}", lost.text);
    assert_eq!(
        (&fields().await["deals_count"], &fields().await["revenue"]),
        (&json!(2), &json!(null))
    );
    holds_together(&app, 7).await;
    app.stop().await;
}

async fn a_lead_is_found_by_its_records(backend: Backend) {
    let app = TestApp::start(backend);
    let id = a_lead(&app, "lead@example.com").await;
    let other = a_lead(&app, "other@example.com").await;
    let stage = json!({ "stage": "mql", "crm": "hubspot:contact:151" });
    assert_eq!(app.post("/v1/leads/crm:hubspot:contact:151/stage", &stage).await.status, 404);
    assert_eq!(app.post(&format!("/v1/leads/{id}/stage"), &stage).await.status, 201);
    let found = app.get("/v1/leads/crm:hubspot:contact:151").await;
    assert_eq!(found.json["lead"]["id"], json!(id), "{}", found.text);

    let won = |lead: &str| {
        json!({
            "lead": lead, "crm": "hubspot:contact:151", "deal": "D", "kind": "won", "amount": "1",
            "currency": "EUR",
        })
    };
    let taken = app.post("/v1/revenue", &won(&other)).await;
    assert_eq!(taken.status, 409);
    let detail = format!("This CRM record already belongs to the lead {id}.");
    assert_eq!(taken.json["detail"], detail);
    // No lead has that id: the CRM record decides.
    let nobody = shared::ids::LeadId::new(NOW_MS, [9; 10]).to_text();
    assert_eq!(app.post("/v1/revenue", &won(&nobody)).await.json["lead_id"], json!(id));
    assert_eq!(app.get("/v1/leads/deal:api:D").await.json["lead"]["id"], json!(id));
    let mut stranger = won(&other);
    stranger["crm"] = json!(null);
    let taken = app.post("/v1/revenue", &stranger).await;
    assert_eq!(taken.json["detail"], format!("This deal already belongs to the lead {id}."));

    // Another site's key sees none of it.
    for path in [format!("/v1/leads/{id}/stage"), "/v1/leads/crm:hubspot:contact:151/stage".into()]
    {
        let request = app.request(Method::POST, &path).bearer_auth("clew_other-key");
        assert_eq!(answer(request.body(stage.to_string())).await.status, 404);
    }
    holds_together(&app, 2).await;
    app.stop().await;
}

async fn bad_requests_are_explained(backend: Backend) {
    let app = TestApp::start(backend);
    let id = a_lead(&app, "lead@example.com").await;
    let stage = format!("/v1/leads/{id}/stage");
    let good = json!({ "email": "lead@example.com", "deal": "D", "kind": "won", "amount": "5", "currency": "EUR" });
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body
    };
    let revenue = "/v1/revenue";
    for (path, body, status, part) in [
        (stage.as_str(), json!({ "stage": "sold" }), 422, "stage: not a stage; use one of"),
        (
            &stage,
            json!({ "stage": "anonymous" }),
            422,
            "stage: `anonymous`: a lead has named itself",
        ),
        (&stage, json!({}), 400, "The body is not a stage: missing field `stage`"),
        (&stage, json!({ "stage": "mql", "at": "now" }), 422, "at: it is not a valid time"),
        (&stage, json!({ "stage": "mql", "at": "2026-11-21T12:00:00Z" }), 422, "is in the future"),
        (&stage, json!({ "stage": "mql", "at": "1999-11-21T12:00:00Z" }), 422, "20 years ago"),
        (
            &stage,
            json!({ "stage": "mql", "crm": "151" }),
            422,
            "crm: it should be provider:type:id",
        ),
        (&stage, json!({ "stage": "mql", "reference": "a\u{0}b" }), 422, "control characters"),
        (
            &stage,
            json!({ "stage": "mql", "reason": "x".repeat(600) }),
            422,
            "longer than 512 bytes",
        ),
        (
            "/v1/leads/me/stage",
            json!({ "stage": "mql" }),
            404,
            "There is no such lead; the record was kept, and GET /v1/unmatched lists",
        ),
        (
            revenue,
            with("email", json!("who@example.com")),
            404,
            "There is no such lead; the record was kept, and GET /v1/unmatched lists",
        ),
        (revenue, with("amount", json!(5.0)), 422, "amount: it should be a string"),
        (revenue, with("amount", json!("5.001")), 422, "too many decimals: EUR has"),
        (revenue, with("amount", json!("-5")), 422, "amount: it is below 0"),
        (revenue, with("amount", json!(null)), 422, "amount: `won` needs an amount"),
        (revenue, with("currency", json!("EURO")), 422, "currency: not an ISO 4217 currency code"),
        (revenue, with("currency", json!(null)), 422, "currency: an amount needs a currency"),
        (revenue, with("kind", json!("sold")), 422, "kind: not an event of a deal"),
        (revenue, with("deal", json!(" ")), 422, "deal: it is empty"),
        (revenue, json!([]), 400, "The body is not a deal"),
    ] {
        let answer = app.post(path, &body).await;
        let detail = answer.json["detail"].as_str().unwrap_or_default();
        assert!(answer.status == status && detail.contains(part), "{body}: {}", answer.text);
    }
    let unkeyed = answer(app.request(Method::POST, revenue).body(good.to_string())).await;
    assert_eq!(unkeyed.status, 401);
    assert_eq!(app.get(revenue).await.status, 405);

    // Valid, but unmatched: stored once, and listed.
    assert_eq!(app.post(revenue, &with("email", json!("who@example.com"))).await.status, 404);
    let listed = app.get("/v1/unmatched").await.json;
    let listed: Vec<&Value> = listed["unmatched"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 2, "{listed:#?}");
    let stage = listed.iter().find(|record| record["stage"] == "mql").unwrap();
    assert_eq!((&stage["names"], &stage["by"]), (&json!(["me"]), &json!("api")));
    let deal = listed.iter().find(|record| record["deal"] == "D").unwrap();
    assert_eq!(deal["names"], json!(["email:who@example.com", "deal:api:D"]));
    assert_eq!((&deal["kind"], &deal["amount"]), (&json!("won"), &json!("5.00")));
    let page = app.get("/v1/unmatched?limit=1").await.json;
    assert_eq!((&page["unmatched"][0], &page["next"]), (listed[0], &listed[0]["id"]));
    let after = page["next"].as_str().unwrap();
    let page = app.get(&format!("/v1/unmatched?limit=2&after={after}")).await.json;
    assert_eq!((&page["unmatched"], &page["next"]), (&json!([listed[1]]), &json!(null)));
    holds_together(&app, 0).await;
    app.stop().await;
}
