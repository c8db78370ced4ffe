//! Leads that are one person: listed as likely, merged, and taken apart again.

use reqwest::Method;
use serde_json::{Value, json};
use tests::app::{Answer, TestApp, answer};
use tests::crm::{Scene, Vendor};
use tests::settings::{KEY, OTHER_KEY};
use tests::storage::Backend;
use tests::wire::new_visitor;

tests::both_stores!(
    two_leads_are_one_person,
    a_mistyped_address_leaves_one_visit,
    a_shared_number_identifies_nobody,
    likely_duplicates_are_listed,
    what_cannot_be_merged,
    a_merge_reaches_the_crm,
    a_deal_goes_on_after_a_merge,
);

/// A visitor comes from an ad and sends the form. Returns the lead and the visitor.
async fn made(app: &TestApp, source: &str, contact: Value) -> (String, String) {
    let visitor = new_visitor().to_text();
    app.visit(&visitor, &ad(source)).await;
    app.app.core.clock.advance_ms(60_000);
    (lead_of(app, &visitor, contact).await, visitor)
}

async fn lead_of(app: &TestApp, visitor: &str, contact: Value) -> String {
    let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact })).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["lead"]["id"].as_str().unwrap().to_owned()
}

fn ad(source: &str) -> String {
    format!("https://www.example.com/?utm_source={source}&utm_medium=cpc")
}

fn person(email: &str) -> Value {
    json!({ "email": email, "last_name": "A" })
}

async fn merge(app: &TestApp, lead: &str, other: &str) -> Answer {
    app.post(&format!("/v1/leads/{lead}/merge"), &json!({ "lead": other })).await
}

async fn undo(app: &TestApp, lead: &str, merged: &str, key: &str) -> Answer {
    let path = format!("/v1/leads/{lead}/merges/{merged}");
    answer(app.request(Method::DELETE, &path).bearer_auth(key)).await
}

/// Both ids and both addresses find the survivor, with the history of both, until it is undone.
async fn two_leads_are_one_person(backend: Backend) {
    let app = TestApp::start(backend);
    let (first, desk) = made(&app, "google", json!({ "email": "mia@work.example" })).await;
    let of_home =
        json!({ "email": "mia@home.example", "phone": "+33142685300", "first_name": "Mia" });
    let (second, phone) = made(&app, "bing", of_home).await;
    let before = app.get(&format!("/v1/leads/{second}")).await.json;
    let merged = merge(&app, &first, "email:mia@home.example").await;
    assert_eq!(merged.status, 200, "{}", merged.text);
    let lead = &merged.json["lead"];
    for (name, expected) in [
        ("id", json!(first)),
        ("emails", json!(["mia@work.example", "mia@home.example"])),
        ("conversions", json!(2)),
    ] {
        assert_eq!(lead[name], expected, "{name}");
    }
    assert_eq!(lead["merges"][0]["by"], "test");
    let fields = &merged.json["fields"];
    for (name, expected) in [
        ("email", json!("mia@work.example")),
        ("phone", json!("+33142685300")),
        ("first_name", json!("Mia")),
        ("first_click_source", json!("google")),
        ("last_click_source", json!("bing")),
        ("touchpoints_count", json!(2)),
        ("conversion_count", json!(2)),
    ] {
        assert_eq!(fields[name], expected, "{name}");
    }
    for name in [&second, "email:mia@home.example", "phone:%2B33142685300"] {
        let found = app.get(&format!("/v1/leads/{name}")).await;
        assert_eq!(found.json, merged.json, "{name}");
    }
    assert_eq!(merge(&app, &first, &second).await.json, merged.json, "a repeat changes nothing");
    let listed = app.get("/v1/leads").await.json;
    assert_eq!(listed["leads"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["leads"][0]["conversions"], 2);

    app.app.core.clock.advance_ms(60_000);
    // Either address, and either browser, is the same person from now on.
    let body = json!({ "visitor": desk, "contact": { "email": "mia@home.example" } });
    let third = app.post_lead(&body).await.json;
    assert_eq!(third["lead"]["id"], json!(first));
    assert_eq!(third["fields"]["conversion_count"], 3);
    assert_eq!(third["fields"]["email"], "mia@work.example");
    assert_eq!(third["lead"]["visitors"].as_array().unwrap().len(), 2);
    assert_eq!(third["fields"]["touchpoints_count"], 2);

    assert_eq!(undo(&app, &first, &second, OTHER_KEY).await.status, 404);
    let undone = undo(&app, &first, &second, KEY).await;
    assert_eq!((undone.status, &undone.json), (200, &before));
    assert_eq!(undo(&app, &first, &second, KEY).await.json, before, "a repeat changes nothing");
    assert_eq!(undo(&app, &second, &first, KEY).await.status, 404);
    let now = app.get(&format!("/v1/leads/{first}")).await.json;
    assert_eq!(now["lead"]["conversions"], 2);
    assert_eq!(now["lead"]["emails"], json!(["mia@work.example"]));
    assert!(now["lead"]["merges"][0]["undone_at"].is_string());
    assert_eq!(now["fields"]["touchpoints_count"], 1);
    assert_eq!(lead_of(&app, &phone, json!({ "email": "mia@home.example" })).await, second);
    app.stop().await;
}

/// Someone who mistypes an address and corrects it has made one visit, before and after the merge.
async fn a_mistyped_address_leaves_one_visit(backend: Backend) {
    let app = TestApp::start(backend);
    let (typo, visitor) = made(&app, "google", json!({ "email": "mia@exmaple.com" })).await;
    app.app.core.clock.advance_ms(5_000);
    app.visit(&visitor, "https://www.example.com/contact").await;
    app.app.core.clock.advance_ms(5_000);
    let right = lead_of(&app, &visitor, json!({ "email": "mia@example.com" })).await;
    assert_eq!(merge(&app, &right, &typo).await.status, 200);
    let lead = app.get(&format!("/v1/leads/{right}")).await.json;
    for (name, expected) in [
        ("first_click_source", json!("google")),
        ("last_click_source", json!("google")),
        ("touchpoints_count", json!(1)),
        ("visits_count", json!(1)),
        ("pageviews_count", json!(2)),
    ] {
        assert_eq!(lead["fields"][name], expected, "{name}");
    }
    assert_eq!(lead["journey"]["pages"].as_array().unwrap().len(), 2);
    app.stop().await;
}

/// After a merge, a phone number shared with a third lead still identifies nobody, and one that
/// only the two leads shared identifies the survivor.
async fn a_shared_number_identifies_nobody(backend: Backend) {
    let app = TestApp::start(backend);
    let lead = async |contact: Value| {
        app.app.core.clock.advance_ms(1_000);
        let made = app.post_lead(&json!({ "contact": contact })).await;
        made.json["lead"]["id"].as_str().unwrap().to_owned()
    };
    let with = |email: &str, phone: &str| json!({ "email": email, "phone": phone });
    let (switchboard, own) = ("+33142685300", "+33142685301");
    let first = lead(json!({ "email": "a@example.com" })).await;
    let second = lead(with("b@example.com", switchboard)).await;
    let third = lead(with("c@example.com", switchboard)).await;
    let merged = merge(&app, &first, &second).await.json;
    assert_eq!(merged["lead"]["phone_shared_with"], json!([third]));
    let nobody = lead(json!({ "phone": switchboard })).await;
    assert!(![&first, &second, &third].contains(&&nobody));

    let fourth = lead(with("d@example.com", own)).await;
    let fifth = lead(with("e@example.com", own)).await;
    let merged = merge(&app, &fourth, &fifth).await.json;
    assert_eq!(merged["lead"]["phone_shared_with"], json!([]));
    assert_eq!(lead(json!({ "phone": own })).await, fourth);
    app.stop().await;
}

/// What two leads have in common is listed with them until they are merged, or found to be two.
async fn likely_duplicates_are_listed(backend: Backend) {
    let app = TestApp::start(backend);
    let number = "+33142685300";
    let contact =
        json!({ "email": "anna.meyer@example.com", "full_name": "Anna Meyer", "phone": number });
    let (anna, visitor) = made(&app, "google", contact).await;
    let contact = json!({ "email": "annameyer@example.net", "full_name": "MEYER, Anna" });
    let (alike, _) = made(&app, "bing", contact).await;
    app.app.core.clock.advance_ms(60_000);
    let contact = json!({ "email": "typo@example.com", "phone": number });
    let same_visit = lead_of(&app, &visitor, contact).await;
    let contact = json!({ "email": "info@example.net", "full_name": "Bert Brown" });
    made(&app, "bing", contact).await;

    let listed = async || {
        let listed = app.get("/v1/duplicates").await.json;
        let pair = |pair: &Value| {
            (pair["lead"]["id"].clone(), pair["other"]["id"].clone(), pair["reasons"].clone())
        };
        listed["duplicates"].as_array().unwrap().iter().map(pair).collect::<Vec<_>>()
    };
    let of_visit = (json!(same_visit), json!(anna), json!(["visit", "phone"]));
    let of_name = (json!(alike), json!(anna), json!(["name", "email"]));
    assert_eq!(listed().await, [of_visit.clone(), of_name]);
    let page = app.get("/v1/duplicates?limit=1").await.json;
    assert_eq!(page["duplicates"], json!([]), "the newest lead is like no other");
    let next = format!("/v1/duplicates?limit=1&after={}", page["next"].as_str().unwrap());
    assert_eq!(app.get(&next).await.json["duplicates"].as_array().unwrap().len(), 1);

    assert_eq!(merge(&app, &anna, &alike).await.status, 200);
    assert_eq!(listed().await, std::slice::from_ref(&of_visit));
    assert_eq!(undo(&app, &anna, &alike, KEY).await.status, 200);
    assert_eq!(listed().await, [of_visit]);
    app.stop().await;
}

async fn what_cannot_be_merged(backend: Backend) {
    let app = TestApp::start(backend);
    let (first, _) = made(&app, "google", json!({ "email": "a@example.com" })).await;
    let (second, _) = made(&app, "google", json!({ "email": "b@example.com" })).await;
    let check = async |lead: &str, body: Value, key: &str, status: u16, detail: &str| {
        let path = format!("/v1/leads/{lead}/merge");
        let request = app.request(Method::POST, &path).bearer_auth(key).body(body.to_string());
        let refused = answer(request).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        assert!(refused.text.contains(detail), "{}", refused.text);
    };
    let nobody = "email:nobody@example.com";
    check(&first, json!({ "lead": first }), KEY, 409, "Both are the same lead").await;
    check(&first, json!({ "lead": nobody }), KEY, 404, "lead").await;
    check(nobody, json!({ "lead": first }), KEY, 404, "lead").await;
    check(&first, json!({}), KEY, 422, "`lead` should name").await;
    check(&first, json!(7), KEY, 400, "The body is not a merge").await;
    check(&first, json!({ "lead": second }), OTHER_KEY, 404, "lead").await;
    app.stop().await;
}

/// The survivor's record gets the fields of both, without another note; and its own again.
async fn a_merge_reaches_the_crm(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let first = scene.lead_from(&ad("google"), person("a@example.com")).await;
        scene.advance_ms(86_400_000);
        let second = scene.lead_from(&ad("bing"), person("b@example.com")).await;
        assert_eq!(scene.hand_off().await, 2);
        let field = |name: &str| {
            let (persons, notes) = vendor.persons_and_notes(&scene.crm);
            assert_eq!((persons.len(), notes.len()), (2, 2), "{vendor:?}");
            let own = persons.iter().find(|person| vendor.field(person, "lead_id") == json!(first));
            vendor.field(own.unwrap(), name)
        };
        assert_eq!(field("last_click_source"), "google", "{vendor:?}");
        assert_eq!(merge(&scene.app, &first, &second).await.status, 200);
        assert_eq!(scene.app.deliver().await, 1, "{vendor:?}");
        assert_eq!(field("first_click_source"), "google", "{vendor:?}");
        assert_eq!(field("last_click_source"), "bing", "{vendor:?}");
        assert_eq!(undo(&scene.app, &first, &second, KEY).await.status, 200);
        assert_eq!(scene.app.deliver().await, 2, "{vendor:?}");
        assert_eq!(field("last_click_source"), "google", "{vendor:?}");
        scene.stop().await;
    }
}

/// A deal of the merged lead stays one deal, and goes back with it.
async fn a_deal_goes_on_after_a_merge(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let first = scene.lead(person("a@example.com")).await;
        let second = scene.lead(person("b@example.com")).await;
        assert_eq!(scene.hand_off().await, 2);
        let record = scene.field(&second, "crm_record_id").await;
        let deal = scene.deal(record.as_str().unwrap(), "1000").await;
        let becomes = async |status: &str, amount: Option<&str>| {
            scene.advance_ms(3_600_000);
            scene.change_deal(&deal, scene.change(status, amount), |_| {}).await;
            assert!(scene.app.follow().await > 0, "{vendor:?} {status}");
        };
        let deals = async |lead: &str| {
            let journey = scene.app.get(&format!("/v1/leads/{lead}/journey")).await;
            journey.json["deals"].as_array().unwrap().clone()
        };
        becomes("open", None).await;
        assert_eq!(merge(&scene.app, &first, &second).await.status, 200);
        becomes("won", Some("1200")).await;
        assert_eq!(scene.field(&first, "revenue").await, "1200.00", "{vendor:?}");
        let won = deals(&first).await;
        assert_eq!((won.len(), &won[0]["status"]), (1, &json!("won")), "{vendor:?}");
        assert_eq!(undo(&scene.app, &first, &second, KEY).await.status, 200);
        assert_eq!((deals(&first).await.len(), deals(&second).await.len()), (0, 1), "{vendor:?}");
        assert_eq!(deals(&second).await[0]["status"], "won", "{vendor:?}");
        scene.stop().await;
    }
}
