//! Leads: created by form handlers, and read with a key.

use collector::leads::{LoadError, Moment, load};
use futures_util::StreamExt;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;
use shared::ids::LeadId;
use tests::app::{NOW_MS, TestApp, answer};
use tests::settings::KEY;
use tests::storage::{Backend, Storage};
use tests::story;
use tests::visitors::{contact, travelled};
use tests::wire::{batch, engagement, new_event, new_visitor, view};

tests::both_stores!(
    a_form_becomes_a_lead_with_fields_and_journey,
    a_lead_is_created_whoever_the_visitor_is,
    bad_requests_are_explained,
    the_same_key_makes_one_lead,
    later_events_do_not_change_a_conversion,
    leads_are_listed_page_by_page,
    leads_are_listed_by_their_last_conversion,
    a_conversion_of_another_lead_is_an_error,
);

const MINUTE: i64 = 60_000;

async fn a_form_becomes_a_lead_with_fields_and_journey(backend: Backend) {
    let app = TestApp::start(backend);
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

/// What names the visitor, and what happens to the lead if it names nobody.
async fn a_lead_is_created_whoever_the_visitor_is(backend: Backend) {
    let app = TestApp::start(backend);
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
        // Only the first lead of a shared browser has the touches.
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

async fn bad_requests_are_explained(backend: Backend) {
    let app = TestApp::start(backend);
    let good = json!({ "contact": contact("a@example.com") });
    for (body, status, part) in [
        ("{", 400, "EOF"),
        ("[]", 400, "not a lead"),
        ("{}", 400, "contact"),
        (r#"{"contact":{}}"#, 422, "email or a phone"),
        (r#"{"contact":{"email":"nobody"}}"#, 422, "contact.email"),
        (r#"{"contact":{"phone":"call me"}}"#, 422, "contact.phone"),
        (r#"{"contact":{"email":7}}"#, 422, "contact.email"),
        (r#"{"contact":null}"#, 422, "email or a phone"),
        (r#"{"contact":7}"#, 400, "an object"),
        (
            r#"{"contact":{"email":"a@example.com"},"site":"other"}"#,
            403,
            "has no access to that site",
        ),
        (
            r#"{"contact":{"email":"a@example.com"},"type":"gift"}"#,
            400,
            "expected one of `form`, `call`",
        ),
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
    for (answer, count) in
        [("malformed", 5), ("invalid", 5), ("forbidden", 1), ("too_large", 1), ("unauthorized", 4)]
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

async fn the_same_key_makes_one_lead(backend: Backend) {
    let app = TestApp::start(backend);
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

/// A conversion's history ends with it, whatever the page and the person do later.
async fn later_events_do_not_change_a_conversion(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    let page = new_event(NOW_MS);
    app.send(batch(&visitor, NOW_MS, &[view(page, NOW_MS, "https://www.example.com/", "")])).await;
    app.app.core.clock.advance_ms(MINUTE);
    let post = async |key: &str, form: &str| {
        let body = json!({ "visitor": visitor, "contact": contact("a@example.com"), "form": { "id": form } });
        let request =
            app.request(Method::POST, "/v1/leads").bearer_auth(KEY).header("Idempotency-Key", key);
        answer(request.body(body.to_string())).await.json
    };
    let first = post("k1", "newsletter").await;
    app.app.core.clock.advance_ms(30 * MINUTE);
    let now_ms = app.app.core.clock.now_ms();
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
        let value = &again["fields"][member];
        assert_eq!(
            value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            expected,
            "{member}"
        );
    }
    assert_eq!(again["conversion"], first["conversion"]);
    app.stop().await;
}

async fn leads_are_listed_page_by_page(backend: Backend) {
    let app = TestApp::start(backend);
    for number in 0..5 {
        app.app.core.clock.advance_ms(1_000);
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

/// However old a lead is, a conversion brings it to the front; read page by page, no lead is
/// missed.
async fn leads_are_listed_by_their_last_conversion(backend: Backend) {
    const LEADS: usize = 1_200;
    let app = TestApp::start(backend);
    let store = &*app.app.core.store;
    let make = async |number: usize| {
        let at_ms = NOW_MS - 3_600_000 + number as i64;
        let email = format!("lead-{number}@example.com");
        story::convert(store, story::conversion(at_ms, None, &email, None)).await.0.to_text()
    };
    let mut made: Vec<String> = stream::iter(0..LEADS).map(make).buffered(32).collect().await;
    made.reverse();
    let list = async |limit: usize| {
        let (mut listed, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/leads?sort=-converted_at&limit={limit}{after}");
            let page = app.get(&path).await.json;
            let leads = page["leads"].as_array().unwrap_or_else(|| panic!("{page}"));
            listed.extend(leads.iter().map(|lead| lead["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return listed,
            }
        }
    };
    assert_eq!(list(200).await, made);

    let oldest = made.pop().unwrap();
    let again = app.post_lead(&json!({ "contact": contact("lead-0@example.com") })).await;
    assert_eq!((again.status, again.json["lead"]["id"].as_str()), (201, Some(oldest.as_str())));
    made.insert(0, oldest);
    let first = app.get("/v1/leads?sort=-converted_at&limit=1").await.json;
    assert_eq!(first["leads"][0]["id"], made[0]);
    for limit in [199, 200] {
        assert_eq!(list(limit).await, made);
    }
    for after in ["x", "1", "1_x", "x_0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11"] {
        let refused = app.get(&format!("/v1/leads?sort=-converted_at&after={after}")).await;
        assert_eq!(refused.status, 422, "{after}: {}", refused.text);
    }
    app.stop().await;
}

/// A conversion of another lead is an error: nothing is shown, rather than everything.
async fn a_conversion_of_another_lead_is_an_error(backend: Backend) {
    let storage = Storage::new(backend);
    let store = &*storage.open();
    let convert = async |email: &str, at_ms| {
        let made = story::convert(store, story::conversion(at_ms, None, email, None)).await;
        (made.0, made.1)
    };
    let (lead, first) = convert("moment@example.com", NOW_MS).await;
    let (_, second) = convert("moment@example.com", NOW_MS + 1).await;
    let (_, strange) = convert("moment-2@example.com", NOW_MS).await;
    let numbers = async |moment| match load(store, lead, moment).await {
        Ok(view) => Ok(view.history.conversions.len()),
        Err(LoadError::NoConversion(unknown)) => Err(unknown.0),
        Err(other) => panic!("{other}"),
    };
    for (moment, expected) in [
        (Moment::Now, Ok(2)),
        (Moment::Conversion(first), Ok(1)),
        (Moment::Conversion(second), Ok(2)),
        (Moment::Conversion(strange), Err(strange)),
    ] {
        assert_eq!(numbers(moment).await, expected, "{moment:?}");
    }
    let nobody = LeadId::new(NOW_MS, rand::random());
    assert!(matches!(load(store, nobody, Moment::Now).await, Err(LoadError::NoLead)));
}
