//! Identity: one person with two browsers, two persons with one browser, and persons named by a
//! page.

use clew_core::Clock;
use collector::config::Identify;
use reqwest::Method;
use serde_json::{Value, json};
use shared::limits::DAY_MS;
use std::net::TcpListener;
use tests::app::{NOW_MS, TestApp, answer};
use tests::settings::{KEY, key};
use tests::storage::Backend;
use tests::visitors::{contact, travelled};
use tests::wire::{batch, new_event, new_visitor, view};

tests::both_stores!(
    a_person_with_two_browsers_is_one_lead,
    a_shared_browser_is_two_leads,
    a_second_lead_shows_the_visit_it_came_with,
    a_shared_browser_never_shows_the_other_persons_visits,
    a_page_may_name_the_person,
    a_join_is_undone,
    a_number_gets_the_sites_country,
);

const MINUTE: i64 = 60_000;

/// The same e-mail from another browser joins that browser, and the history includes both.
async fn a_person_with_two_browsers_is_one_lead(backend: Backend) {
    let app = TestApp::start(backend);
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
    let by = |number: usize| &second.json["lead"]["visitors"][number]["by"];
    assert_eq!(*by(0), json!({ "person": "new", "visitor": "cookie" }));
    assert_eq!(*by(1), json!({ "person": "email", "visitor": "token" }));
    assert_eq!(second.json["fields"]["visits_count"], 4);
    assert_eq!(second.json["fields"]["touchpoints_count"], 4);
    app.stop().await;
}

/// A second person in the same browser is a second lead, with what came after the first's
/// conversion.
async fn a_shared_browser_is_two_leads(backend: Backend) {
    let app = TestApp::start(backend);
    let (visitor, _) = travelled(&app).await;
    let first =
        app.post_lead(&json!({ "visitor": visitor, "contact": contact("a@example.com") })).await;
    app.app.core.clock.advance_ms(DAY_MS);
    app.visit(&visitor, "https://www.example.com/?utm_source=bing&utm_medium=cpc").await;
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
        "the first lead keeps its history"
    );
    app.stop().await;
}

/// Whoever mistypes an address and sends the form again is a second lead, with the visit that led
/// to both; a site may choose otherwise.
async fn a_second_lead_shows_the_visit_it_came_with(backend: Backend) {
    use shared::lead::SharedBrowser::{None, Visit, Whole};
    for (shared_browser, expected, state) in [
        (Visit, json!("bing"), "known"),
        (Whole, json!("google"), "known"),
        (None, Value::Null, "unknown_visitor"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let app = TestApp::start_adjusted(backend, listener, "", Clock::fixed(NOW_MS), |config| {
            config.sites[0].shared_browser = shared_browser;
        });
        let visitor = new_visitor().to_text();
        let visit = async |source: &str| {
            app.app.core.clock.advance_ms(DAY_MS);
            let url = format!("https://www.example.com/?utm_source={source}&utm_medium=cpc");
            app.visit(&visitor, &url).await;
            app.app.core.clock.advance_ms(MINUTE);
        };
        visit("google").await;
        visit("bing").await;
        for (email, expected) in
            [("jane@gmial.test", json!("google")), ("jane@gmail.test", expected)]
        {
            let made =
                app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
            assert_eq!(
                made.json["fields"]["first_click_source"], expected,
                "{email} {}",
                made.text
            );
            app.app.core.clock.advance_ms(MINUTE);
        }
        let second = app.get("/v1/leads/email:jane@gmail.test").await.json;
        assert_eq!(second["journey"]["state"], state, "{second}");
        let join = &second["lead"]["visitors"][0];
        assert_eq!(join["shared_browser"], true);
        assert!(join["confidence"].as_str().unwrap().contains(' '), "{join}");
        app.stop().await;
    }
}

/// The browser changes hands twice, and each lead keeps its own history.
async fn a_shared_browser_never_shows_the_other_persons_visits(backend: Backend) {
    let app = TestApp::start(backend);
    let (shared, own) = (new_visitor().to_text(), new_visitor().to_text());
    let visit = async |visitor: &str, source: &str| {
        app.app.core.clock.advance_ms(DAY_MS);
        let url = format!("https://www.example.com/?utm_source={source}&utm_medium=cpc");
        app.visit(visitor, &url).await;
        app.app.core.clock.advance_ms(MINUTE);
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

/// Starts a collector with more settings, whose site trusts its pages.
fn trusting(backend: Backend, settings: &str) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(backend, listener, settings, Clock::fixed(NOW_MS), |config| {
        config.sites[0].identify = Identify::Trust;
    })
}

/// `clew('identify', …)` in the page of a site that trusts it: one lead, however often the batch
/// comes, and none if the site has turned it off.
async fn a_page_may_name_the_person(backend: Backend) {
    let settings = "[[sites]]\nname = \"quiet\"\nhosts = [\"quiet.example\"]\nidentify = \"off\"\n";
    let opens = "site = \"quiet\"\nscopes = [\"leads:write\", \"leads:read\"]";
    let settings = settings.to_owned() + &key("quiet", "clew_quiet-key", opens);
    let app = trusting(backend, &settings);
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
    // A phone number without its country finds nobody, but a repeat is still a repeat.
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
    assert_eq!(lead["lead"]["visitors"][0]["by"], json!({ "person": "new", "visitor": "page" }));

    let quiet = body
        .replace("\"demo\"", "\"quiet\"")
        .replace("www.example.com", "quiet.example")
        .replace("a@ex", "b@ex");
    assert_eq!(answer(app.request(Method::POST, "/c/e").body(quiet)).await.json["stored"], 2);
    let list = answer(app.request(Method::GET, "/v1/leads").bearer_auth("clew_quiet-key")).await;
    assert_eq!(list.json["leads"], json!([]));
    app.stop().await;
}

/// A browser that was joined to the wrong lead leaves it, with its page views, and goes back to its
/// first person.
async fn a_join_is_undone(backend: Backend) {
    let app = TestApp::start(backend);
    let (visitor, _) = travelled(&app).await;
    let convert = async |email: &str| {
        let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await;
        made.json["lead"]["id"].as_str().unwrap().to_owned()
    };
    let first = convert("a@example.com").await;
    app.app.core.clock.advance_ms(DAY_MS);
    app.visit(&visitor, "https://www.example.com/?utm_source=bing&utm_medium=cpc").await;
    let second = convert("b@example.com").await;

    let delete = async |path: &str, key: &str| {
        answer(app.request(Method::DELETE, path).bearer_auth(key)).await
    };
    let path = format!("/v1/leads/{second}/visitors/{visitor}");
    let stranger = new_visitor();
    for (path, key, status, detail) in [
        (&path, "wrong", 401, "Send `Authorization"),
        (&path, "clew_other-key", 404, "There is no such lead."),
        (
            &format!("/v1/leads/{second}/visitors/{stranger}"),
            KEY,
            404,
            "no such visitor of this lead",
        ),
        (&format!("/v1/leads/{second}/visitors/me"), KEY, 404, "no such visitor of this lead"),
        (&format!("/v1/leads/{stranger}/visitors/{visitor}"), KEY, 404, "There is no such lead."),
    ] {
        let refused = delete(path, key).await;
        assert_eq!(refused.status, status, "{path} {refused:?}");
        assert!(refused.json["detail"].as_str().unwrap().contains(detail), "{path} {refused:?}");
    }
    assert_eq!(app.get(&path).await.status, 405);

    app.app.core.clock.advance_ms(MINUTE);
    let undone = delete(&format!("/v1/leads/email:B@example.com/visitors/{visitor}"), KEY).await;
    assert_eq!((undone.status, &undone.json["id"]), (200, &json!(second)));
    assert_eq!(undone.json["visitors"][0]["undone_at"], "2026-11-22T10:01:00Z");
    app.app.core.clock.advance_ms(MINUTE);
    assert_eq!(delete(&path, KEY).await.json, undone.json, "undoing it again changes nothing");

    let lead = app.get(&format!("/v1/leads/{second}")).await.json;
    assert_eq!(
        (&lead["journey"]["state"], &lead["journey"]["touches"]),
        (&json!("undone"), &json!([]))
    );
    assert_eq!(
        (&lead["fields"]["visitor_id"], &lead["fields"]["touchpoints_count"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(lead["conversion"]["journey"], "known");
    // What the browser did since then is in the first person's history after the next conversion.
    assert_eq!(convert("a@example.com").await, first);
    let lead = app.get(&format!("/v1/leads/{first}")).await.json;
    assert_eq!(lead["lead"]["visitors"].as_array().unwrap().len(), 1);
    assert_eq!(lead["fields"]["source_path"], "google / cpc > (direct) / (none) > bing / cpc");
    let journey = app.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
    assert_eq!(journey["lead_id"], first.as_str());
    tests::load::hold_together(&*app.app.core.store).await;
    app.stop().await;
}

/// With the site's country a national number becomes E.164, from a form as from a page, and finds
/// the lead.
async fn a_number_gets_the_sites_country(backend: Backend) {
    let settings = "[[sites]]\nname = \"french\"\nhosts = [\"french.example\"]\ncountry = \"FR\"\nidentify = \"trust\"\n";
    let opens = "site = \"french\"\nscopes = [\"leads:write\", \"leads:read\"]";
    let settings = settings.to_owned() + &key("french", "clew_french-key", opens);
    let app = TestApp::start_with(backend, &settings, Clock::fixed(NOW_MS));
    let french = |method, path: &str| app.request(method, path).bearer_auth("clew_french-key");
    let body = json!({ "contact": { "phone": "01 42 68 53 00", "email": "a@example.com" } });
    let made = answer(french(Method::POST, "/v1/leads").body(body.to_string())).await;
    assert_eq!(made.json["lead"]["contact"]["phone"], "+33142685300");

    let (visitor, page) = (new_visitor().to_text(), new_event(NOW_MS));
    let named = format!(
        r#"{{"id":"{}","page":"{page}","at":{NOW_MS},"kind":"identify","contact":{{"phone":"01.42.68.53.00"}}}}"#,
        new_event(NOW_MS)
    );
    let seen = view(page, NOW_MS, "https://french.example/", "");
    let body = batch(&visitor, NOW_MS, &[seen, named]).replace("\"demo\"", "\"french\"");
    assert_eq!(answer(app.request(Method::POST, "/c/e").body(body)).await.status, 202);
    let lead = answer(french(Method::GET, "/v1/leads/phone:0142685300")).await.json;
    assert_eq!(lead["lead"]["id"], made.json["lead"]["id"]);
    assert_eq!(lead["lead"]["visitors"][0]["by"], json!({ "person": "phone", "visitor": "page" }));
    // Without the site's country it stays as typed.
    let body = json!({ "contact": { "phone": "01 42 68 53 00" } });
    let made = app.post_lead(&body).await;
    assert_eq!(made.json["lead"]["contact"]["phone"], "01 42 68 53 00");
    assert_eq!(app.get("/v1/leads/phone:0142685300").await.status, 404);
    app.stop().await;
}
