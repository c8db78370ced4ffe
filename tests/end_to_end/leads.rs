//! Leads: made by form handlers, joined by person, read back by whoever has the key.

use collector::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use shared::limits::DAY_MS;
use tests::app::{KEY, NOW_MS, TestApp, answer};
use tests::wire::{batch, engagement, new_event, new_visitor, view};

const MINUTE: i64 = 60_000;

/// A visitor that came by an ad, then directly; its id and the token of its last answer.
async fn travelled(app: &TestApp) -> (String, String) {
    let visitor = new_visitor().to_text();
    let ad =
        "https://www.example.com/?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=G1";
    let days_ago = NOW_MS - 3 * DAY_MS;
    let first = new_event(days_ago);
    let events = [
        view(first, days_ago, ad, "https://www.google.com/"),
        engagement(first, days_ago + 20_000, 20_000, 90),
    ];
    app.send(batch(&visitor, NOW_MS, &events)).await;
    let second = new_event(NOW_MS - MINUTE);
    let answer = app
        .send(batch(
            &visitor,
            NOW_MS,
            &[view(second, NOW_MS - MINUTE, "https://www.example.com/contact", "")],
        ))
        .await;
    (visitor, answer.json["token"].as_str().unwrap().to_owned())
}

fn contact(email: &str) -> Value {
    json!({ "email": email, "first_name": "First", "last_name": "Last" })
}

#[actix_web::test]
async fn a_form_becomes_a_lead_with_fields_and_journey() {
    let app = TestApp::start();
    let (visitor, _) = travelled(&app).await;
    let body = json!({
        "visitor": visitor, "contact": contact("Lead@Example.COM"), "form": { "id": "contact", "name": "Contact us" },
        "page": { "url": "https://www.example.com/contact?gclid=x", "title": "Contact" },
    });
    let made = app.post_lead(&body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.json["lead"]["id"].as_str().unwrap();
    assert_eq!(made.headers["location"], format!("/v1/leads/{id}"));
    let fields = app.get(&format!("/v1/leads/{id}/fields")).await.json["fields"].clone();
    assert_eq!(fields, made.json["fields"]);
    for (name, expected) in [
        ("email", json!("Lead@example.com")),
        ("first_click_source", json!("google")),
        ("first_click_campaign", json!("brand")),
        ("first_click_channel", json!("paid_search")),
        ("last_click_channel", json!("direct")),
        ("last_non_direct_click_source", json!("google")),
        ("gclid", json!("G1")),
        ("conversion_page", json!("https://www.example.com/contact")),
        ("form_name", json!("Contact us")),
        ("visits_count", json!(2)),
        ("days_to_convert", json!(3)),
        ("crm_sync_status", json!(null)),
    ] {
        assert_eq!(fields[name], expected, "{name}");
    }
    let journey = app.get(&format!("/v1/leads/{id}/journey")).await.json["journey"].clone();
    assert_eq!(journey, made.json["journey"]);
    assert_eq!(
        (journey["state"].as_str(), journey["touches"].as_array().map(Vec::len)),
        (Some("known"), Some(2))
    );
    assert_eq!(app.get("/v1/leads/email:lead@example.com/fields").await.json["lead_id"], id);
    assert_eq!(app.get(&format!("/v1/leads/{id}")).await.json["lead"], made.json["lead"]);
    app.stop().await;
}

/// What names the visitor, and what becomes of the lead where it names nobody.
#[actix_web::test]
async fn a_lead_is_made_whoever_the_visitor_is() {
    let app = TestApp::start();
    let (visitor, token) = travelled(&app).await;
    let forged = format!("{}A", &token[..token.len() - 1]);
    let forged = if forged == token { format!("{}B", &token[..token.len() - 1]) } else { forged };
    let unknown = new_visitor().to_text();
    let rows = [
        ("the cookie", json!({ "visitor": visitor }), "known"),
        ("the token", json!({ "token": token }), "known"),
        ("the token before the cookie", json!({ "token": token, "visitor": unknown }), "known"),
        (
            "a forged token beside the cookie",
            json!({ "token": forged, "visitor": visitor }),
            "known",
        ),
        ("a forged token", json!({ "token": forged }), "bad_token"),
        ("nonsense for a token", json!({ "token": "é".repeat(500) }), "bad_token"),
        ("an unknown visitor", json!({ "visitor": unknown }), "unknown_visitor"),
        ("a visitor that is no UUID", json!({ "visitor": "me" }), "invalid_visitor"),
        ("nobody", json!({}), "no_visitor"),
        ("empty texts", json!({ "visitor": " ", "token": "" }), "no_visitor"),
    ];
    for (number, (name, mut body, state)) in rows.into_iter().enumerate() {
        body["contact"] = contact(&format!("lead-{number}@example.com"));
        let made = app.post_lead(&body).await;
        assert_eq!(
            (made.status, &made.json["journey"]["state"]),
            (201, &json!(state)),
            "{name}: {}",
            made.text
        );
        // Only the first of the leads of a shared browser has the touches.
        assert_eq!(
            made.json["lead"]["visitors"].as_array().unwrap().is_empty(),
            state != "known",
            "{name}"
        );
        let again = app
            .get(&format!("/v1/leads/{}/journey", made.json["lead"]["id"].as_str().unwrap()))
            .await;
        assert_eq!(again.json["journey"]["state"], state, "{name}");
    }
    assert_eq!(app.metric("clew_bad_tokens_total").await, 3);
    app.stop().await;
}

#[actix_web::test]
async fn bad_requests_are_told_what_is_wrong() {
    let app = TestApp::start();
    let good = json!({ "contact": contact("a@example.com") });
    for (body, status, part) in [
        ("{", 400, "EOF"),
        ("[]", 400, "not a lead"),
        ("{}", 400, "contact"),
        (r#"{"contact":{}}"#, 422, "email or a phone"),
        (r#"{"contact":{"email":"nobody"}}"#, 422, "contact.email"),
        (r#"{"contact":{"phone":"call me"}}"#, 422, "contact.phone"),
        (r#"{"contact":{"email":7}}"#, 400, "string"),
        (r#"{"contact":{"email":"a@example.com"},"site":"other"}"#, 422, "another site"),
        (r#"{"contact":{"email":"a@example.com"},"type":"gift"}"#, 400, "gift"),
    ] {
        let request = app.request(Method::POST, "/v1/leads").bearer_auth(KEY).body(body);
        let answered = answer(request).await;
        assert_eq!(answered.status, status, "{body}: {}", answered.text);
        assert!(
            answered.json["detail"].as_str().unwrap().contains(part),
            "{body}: {}",
            answered.text
        );
    }
    let large = app.request(Method::POST, "/v1/leads").bearer_auth(KEY).body(vec![b' '; 70_000]);
    assert_eq!(answer(large).await.status, 413);
    for key in ["", "clew_", "clew_test-kez", KEY.trim_start_matches("clew_")] {
        let request =
            app.request(Method::POST, "/v1/leads").bearer_auth(key).body(good.to_string());
        assert_eq!(answer(request).await.status, 401, "{key}");
    }
    for (answer, count) in [("malformed", 5), ("invalid", 4), ("too_large", 1), ("unauthorized", 4)]
    {
        let line = format!("clew_api_answers_total{{answer=\"{answer}\"}}");
        assert_eq!(app.metric(&line).await, count, "{answer}");
    }
    let made = app.post_lead(&good).await;
    let path = format!("/v1/leads/{}", made.json["lead"]["id"].as_str().unwrap());
    let other = answer(app.request(Method::GET, &path).bearer_auth("clew_other-key")).await;
    assert_eq!(other.status, 404, "another site's key sees nothing");
    for query in ["limit=0", "limit=x", "after=x", "limit=501"] {
        assert_eq!(app.get(&format!("/v1/leads?{query}")).await.status, 422, "{query}");
    }
    app.stop().await;
}

#[actix_web::test]
async fn the_same_key_makes_one_lead() {
    let app = TestApp::start();
    let post = async |key: &str, email: &str| {
        let request =
            app.request(Method::POST, "/v1/leads").bearer_auth(KEY).header("Idempotency-Key", key);
        answer(request.body(json!({ "contact": contact(email) }).to_string())).await
    };
    let first = post("k1", "a@example.com").await;
    let again = post("k1", "a@example.com").await;
    assert_eq!((first.status, again.status), (201, 200));
    for part in ["lead", "conversion_id", "fields", "journey"] {
        assert_eq!(first.json[part], again.json[part], "{part}");
    }
    let reused = post("k1", "b@example.com").await;
    assert_eq!(
        (reused.status, &reused.json["type"]),
        (422, &json!("/problems/idempotency_key_reused"))
    );
    assert_eq!(post(&"k".repeat(256), "a@example.com").await.status, 422);
    let twice = post("k2", "a@example.com").await;
    assert_eq!((twice.status, &twice.json["fields"]["conversion_count"]), (201, &json!(2)));
    assert_eq!(twice.json["lead"]["id"], first.json["lead"]["id"]);
    app.stop().await;
}

/// The same e-mail from another browser joins it; the history is that of both.
#[actix_web::test]
async fn a_person_with_two_browsers_is_one_lead() {
    let app = TestApp::start();
    let ((desk, _), (phone, token)) = (travelled(&app).await, travelled(&app).await);
    let first =
        app.post_lead(&json!({ "visitor": desk, "contact": contact("a@example.com") })).await;
    let second =
        app.post_lead(&json!({ "token": token, "contact": contact("A@example.com") })).await;
    assert_eq!(first.json["lead"]["id"], second.json["lead"]["id"]);
    let visitors: Vec<_> = second.json["lead"]["visitors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|join| join["visitor"].clone())
        .collect();
    assert_eq!(visitors, [json!(desk), json!(phone)]);
    assert_eq!(second.json["fields"]["visits_count"], 4);
    assert_eq!(second.json["fields"]["touchpoints_count"], 4);
    app.stop().await;
}

/// A second person on the same browser is a second lead, with what came after the first's conversion.
#[actix_web::test]
async fn a_shared_browser_is_two_leads() {
    let app = TestApp::start();
    let (visitor, _) = travelled(&app).await;
    let first =
        app.post_lead(&json!({ "visitor": visitor, "contact": contact("a@example.com") })).await;
    app.app.clock.advance_ms(DAY_MS);
    let now_ms = NOW_MS + DAY_MS;
    let url = "https://www.example.com/?utm_source=bing&utm_medium=cpc";
    app.send(batch(&visitor, now_ms, &[view(new_event(now_ms), now_ms, url, "")])).await;
    let second =
        app.post_lead(&json!({ "visitor": visitor, "contact": contact("b@example.com") })).await;
    assert_ne!(first.json["lead"]["id"], second.json["lead"]["id"]);
    assert_eq!(second.json["lead"]["visitors"][0]["shared_browser"], true);
    assert_eq!(
        (&second.json["fields"]["first_click_source"], &second.json["fields"]["visits_count"]),
        (&json!("bing"), &json!(1))
    );
    let path = format!("/v1/leads/{}/fields", first.json["lead"]["id"].as_str().unwrap());
    assert_eq!(
        app.get(&path).await.json["fields"],
        first.json["fields"],
        "the first lead's history stays"
    );
    app.stop().await;
}

/// The browser changes hands twice, and each lead keeps what is its own.
#[actix_web::test]
async fn a_shared_browser_never_tells_the_other_persons_visits() {
    let app = TestApp::start();
    let (shared, own) = (new_visitor().to_text(), new_visitor().to_text());
    let visit = async |visitor: &str, source: &str| {
        app.app.clock.advance_ms(DAY_MS);
        let now_ms = app.app.clock.now_ms();
        let url = format!("https://www.example.com/?utm_source={source}&utm_medium=cpc");
        app.send(batch(visitor, now_ms, &[view(new_event(now_ms), now_ms, &url, "")])).await;
        app.app.clock.advance_ms(MINUTE);
    };
    let convert = async |visitor: &str, email: &str| -> Value {
        let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
        made.json["fields"]["source_path"].clone()
    };
    visit(&shared, "google").await;
    assert_eq!(convert(&shared, "a@example.com").await, "google / cpc");
    visit(&shared, "bing").await;
    assert_eq!(convert(&shared, "b@example.com").await, "bing / cpc");
    visit(&own, "x").await;
    assert_eq!(convert(&own, "a@example.com").await, "google / cpc > x / cpc");
    visit(&shared, "linkedin").await;
    assert_eq!(convert(&shared, "a@example.com").await, "google / cpc > x / cpc > linkedin / cpc");
    let other = app.get("/v1/leads/email:b@example.com/fields").await.json;
    assert_eq!(other["fields"]["source_path"], "bing / cpc");
    app.stop().await;
}

/// A conversion's history ends with it, whatever the page and the person do later.
#[actix_web::test]
async fn what_came_after_a_conversion_does_not_change_it() {
    let app = TestApp::start();
    let visitor = new_visitor().to_text();
    let page = new_event(NOW_MS);
    app.send(batch(&visitor, NOW_MS, &[view(page, NOW_MS, "https://www.example.com/", "")])).await;
    app.app.clock.advance_ms(MINUTE);
    let post = async |key: &str, form: &str| {
        let body = json!({ "visitor": visitor, "contact": contact("a@example.com"), "form": { "id": form } });
        let request =
            app.request(Method::POST, "/v1/leads").bearer_auth(KEY).header("Idempotency-Key", key);
        answer(request.body(body.to_string())).await.json
    };
    let first = post("k1", "newsletter").await;
    app.app.clock.advance_ms(30 * MINUTE);
    let now_ms = app.app.clock.now_ms();
    app.send(batch(&visitor, now_ms, &[engagement(page, now_ms, 1_700_000, 100)])).await;
    let path = format!("/v1/leads/{}/journey", first["lead"]["id"].as_str().unwrap());
    let journey = app.get(&path).await.json["journey"].take();
    assert_eq!(journey["visits"][0]["ended_at"], "2026-11-21T10:01:00Z");
    assert_eq!(journey["pages"][0]["engaged_ms"], MINUTE);
    let second = post("k2", "contact").await;
    assert_eq!(
        (&second["conversion"]["form_id"], &second["fields"]["conversion_count"]),
        (&json!("contact"), &json!(2))
    );
    let again = post("k1", "newsletter").await;
    for (member, expected) in [
        ("form_id", "newsletter"),
        ("conversion_count", "1"),
        ("converted_at", "2026-11-21T10:01:00Z"),
    ] {
        let told = &again["fields"][member];
        assert_eq!(
            told.as_str().map_or_else(|| told.to_string(), str::to_owned),
            expected,
            "{member}"
        );
    }
    assert_eq!(again["conversion"], first["conversion"]);
    app.stop().await;
}

/// `clew('identify', …)` in the page: one lead however often the batch comes, none where the site
/// says so.
#[actix_web::test]
async fn a_page_may_name_the_person() {
    let settings = "[[sites]]\nname = \"quiet\"\nhosts = [\"quiet.example\"]\nidentify = false\n\
                    [[keys]]\nname = \"quiet\"\nsite = \"quiet\"\nhash = \"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n";
    let app = TestApp::start_with(settings, Clock::fixed(NOW_MS));
    let visitor = new_visitor().to_text();
    let page = new_event(NOW_MS);
    let named = format!(
        r#"{{"id":"{}","page":"{page}","at":{NOW_MS},"kind":"identify","contact":{{"email":"a@example.com"}}}}"#,
        new_event(NOW_MS)
    );
    let body = batch(
        &visitor,
        NOW_MS,
        &[view(page, NOW_MS, "https://www.example.com/", ""), named.clone()],
    );
    for _ in 0..2 {
        assert_eq!(app.send(body.clone()).await.status, 202);
    }
    // A phone without its country finds nobody, and still a repeat is a repeat.
    let phone = format!(
        r#"{{"id":"{}","page":"{page}","at":{NOW_MS},"kind":"identify","contact":{{"phone":"01 42 68 53 00"}}}}"#,
        new_event(NOW_MS)
    );
    let phone = batch(
        &new_visitor().to_text(),
        NOW_MS,
        &[view(page, NOW_MS, "https://www.example.com/", ""), phone],
    );
    for _ in 0..3 {
        assert_eq!(app.send(phone.clone()).await.status, 202);
    }
    assert_eq!(app.get("/v1/leads").await.json["leads"].as_array().unwrap().len(), 2);
    let lead = app.get("/v1/leads/email:a@example.com").await.json;
    assert_eq!(
        (&lead["fields"]["conversion_type"], &lead["fields"]["conversion_count"]),
        (&json!("api"), &json!(1))
    );
    assert_eq!(lead["lead"]["visitors"][0]["visitor"], visitor.as_str());

    let quiet = body
        .replace("\"demo\"", "\"quiet\"")
        .replace("www.example.com", "quiet.example")
        .replace("a@ex", "b@ex");
    assert_eq!(answer(app.request(Method::POST, "/c/e").body(quiet)).await.json["stored"], 2);
    let list = answer(app.request(Method::GET, "/v1/leads").bearer_auth("test")).await;
    assert_eq!(list.json["leads"], json!([]));
    app.stop().await;
}

#[actix_web::test]
async fn leads_are_listed_page_by_page() {
    let app = TestApp::start();
    for number in 0..5 {
        app.app.clock.advance_ms(1_000);
        app.post_lead(&json!({ "contact": contact(&format!("lead-{number}@example.com")) })).await;
    }
    let mut found = Vec::new();
    let mut path = "/v1/leads?limit=2".to_owned();
    loop {
        let page = app.get(&path).await.json;
        found.extend(
            page["leads"].as_array().unwrap().iter().map(|lead| lead["contact"]["email"].clone()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/leads?limit=2&after={next}");
    }
    assert_eq!(
        found,
        (0..5).rev().map(|number| json!(format!("lead-{number}@example.com"))).collect::<Vec<_>>()
    );
    assert_eq!(
        app.get("/v1/leads?email=LEAD-3@example.com").await.json["leads"].as_array().unwrap().len(),
        1
    );
    app.stop().await;
}
