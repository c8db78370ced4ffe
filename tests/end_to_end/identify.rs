//! What can name a person: a page without a key, a page signed by the site, and a confirmation with
//! a key.

use clew_core::Clock;
use collector::config::Identify;
use hmac::{Hmac, KeyInit, Mac};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use shared::ids::VisitorId;
use shared::limits::DAY_MS;
use std::net::TcpListener;
use tests::app::{NOW_MS, TestApp, answer};
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::{contact, travelled};
use tests::wire::{batch, new_event, new_visitor, view};

tests::both_stores!(
    a_proposal_is_a_lead_of_its_own,
    a_proposal_is_confirmed_with_a_key,
    a_signature_is_the_sites_word,
    nobody_without_a_key_changes_what_is_known,
    a_trusting_site_keeps_its_first_click,
);

const MINUTE: i64 = 60_000;
const SECRET: &str = "a secret of the site's own";

fn start(backend: Backend, identify: Identify) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(backend, listener, "", Clock::fixed(NOW_MS), |config| {
        config.sites[0].identify = identify;
        config.sites[0].identify_secret = Some(clew_core::Secret::new(SECRET));
    })
}

/// Sends a page view of some days ago from an ad, and an event that names the visitor.
async fn says(app: &TestApp, visitor: VisitorId, days_ago: i64, contact: &Value) -> u16 {
    let now_ms = app.app.core.now_ms();
    let at_ms = now_ms - days_ago * DAY_MS;
    let page = new_event(at_ms);
    let url = "https://www.example.com/?utm_source=stranger&utm_medium=cpc";
    let named = format!(
        r#"{{"id":"{}","page":"{page}","at":{now_ms},"kind":"identify","contact":{contact}}}"#,
        new_event(now_ms)
    );
    let body = batch(&visitor.to_text(), now_ms, &[view(page, at_ms, url, ""), named]);
    app.send(body).await.status
}

/// Everything that a key can read about some leads.
async fn seen(app: &TestApp, leads: &[String]) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/v1/leads?limit=200", "/v1/deliveries?limit=200", "/v1/unmatched"] {
        seen.push(app.get(path).await.json);
    }
    for lead in leads {
        for part in ["", "/fields", "/journey"] {
            seen.push(app.get(&format!("/v1/leads/{lead}{part}")).await.json);
        }
    }
    seen
}

fn signature(email: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    base16ct::lower::encode_string(&mac.chain_update(email).finalize().into_bytes())
}

async fn a_proposal_is_a_lead_of_its_own(backend: Backend) {
    let app = TestApp::start(backend);
    let (visitor, _) = travelled(&app).await;
    let known = json!({ "visitor": visitor, "contact": contact("known@example.com") });
    let known = app.post_lead(&known).await.json["lead"]["id"].as_str().unwrap().to_owned();
    let before = seen(&app, std::slice::from_ref(&known)).await;

    let stranger = new_visitor();
    assert_eq!(says(&app, stranger, 29, &contact("Known@example.com")).await, 202);
    assert_eq!(seen(&app, std::slice::from_ref(&known)).await, before);
    let proposed = app.get("/v1/leads?proposed=1").await.json;
    let lead = &proposed["leads"][0];
    assert_eq!((lead["verified"].as_bool(), lead["conversions"].as_u64()), (Some(false), Some(1)));
    assert_eq!(lead["visitors"][0]["visitor"], stranger.to_text());
    // It is read by its id, with its own journey. No visitor is known from 29 days ago.
    let id = lead["id"].as_str().unwrap();
    let fields = app.get(&format!("/v1/leads/{id}/fields")).await.json["fields"].clone();
    assert_eq!(fields["first_click_source"], "stranger");
    assert_eq!(fields["days_to_convert"], 1);
    assert_eq!(app.deliver().await, 0, "nothing is delivered");
    // An event that names nobody is refused.
    for nobody in [json!({ "email": "x" }), json!({}), json!({ "phone": "none" })] {
        says(&app, new_visitor(), 0, &nobody).await;
    }
    assert_eq!(app.metric("clew_events_total{outcome=\"invalid_event\"}").await, 3);
    assert_eq!(app.get("/v1/leads?proposed=1").await.json["leads"].as_array().unwrap().len(), 1);
    tests::load::hold_together(&*app.app.core.store).await;
    app.stop().await;
}

async fn a_proposal_is_confirmed_with_a_key(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor();
    says(&app, visitor, 0, &contact("new@example.com")).await;
    let proposed = app.get("/v1/leads?proposed=1").await.json["leads"][0].clone();
    let path = format!("/v1/leads/{}/confirm", proposed["id"].as_str().unwrap());
    let without = answer(app.request(Method::POST, &path)).await;
    assert_eq!(without.status, 401);
    let confirmed = app.post(&path, &json!({})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let lead = &confirmed.json["lead"];
    assert_eq!((&lead["verified"], &lead["contact"]), (&json!(true), &proposed["contact"]));
    assert_eq!(confirmed.json["fields"]["first_click_source"], "stranger");
    assert_eq!(app.get("/v1/leads?proposed=1").await.json["leads"], json!([]));
    // Confirming it again changes nothing, and its old id leads to the confirmed lead.
    assert_eq!(app.post(&path, &json!({})).await.json["lead"], *lead);
    let path = format!("/v1/leads/{}", proposed["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.json["lead"]["id"], lead["id"]);
    assert_eq!(app.get("/v1/leads/email:new@example.com").await.json["lead"]["id"], lead["id"]);
    // A proposal with a phone that identifies nobody is also confirmed only once, even after its
    // key is forgotten.
    says(&app, new_visitor(), 0, &json!({ "phone": "01 42 68 53 00" })).await;
    let proposed = app.get("/v1/leads?proposed=1").await.json["leads"][0]["id"].clone();
    let path = format!("/v1/leads/{}/confirm", proposed.as_str().unwrap());
    let confirmed = app.post(&path, &json!({})).await.json["lead"].clone();
    app.app.core.clock.advance_ms(2 * DAY_MS);
    app.app.core.store.expire(app.app.core.now_ms()).await.unwrap();
    assert_eq!(app.post(&path, &json!({})).await.json["lead"], confirmed);
    assert_eq!(app.get("/v1/leads?proposed=1").await.json["leads"], json!([]));
    tests::load::hold_together(&*app.app.core.store).await;
    app.stop().await;
}

/// A signature of the e-mail makes a lead and joins the browser. Everything else in the event is
/// only the page's word.
async fn a_signature_is_the_sites_word(backend: Backend) {
    let app = start(backend, Identify::Propose);
    let phone = json!({ "contact": { "phone": "+33142685300", "first_name": "Known" } });
    let other = app.post_lead(&phone).await.json["lead"]["id"].clone();
    let email = "signed@example.com";
    let signed = |signature: &str| {
        json!({
            "email": "Signed@Example.com", "phone": "+33142685300", "signature": signature,
        })
    };
    for wrong in ["", "0", &signature("other@example.com")] {
        says(&app, new_visitor(), 0, &signed(wrong)).await;
    }
    assert_eq!(app.get(&format!("/v1/leads/email:{email}")).await.status, 404);
    assert_eq!(app.metric("clew_bad_signatures_total").await, 2);
    let (first, second) = (new_visitor(), new_visitor());
    says(&app, first, 0, &signed(&signature(email))).await;
    says(&app, second, 0, &signed(&signature(email).to_uppercase())).await;
    let lead = app.get(&format!("/v1/leads/email:{email}")).await.json["lead"].clone();
    assert_eq!((&lead["verified"], lead["visitors"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!(lead["visitors"][0]["by"], json!({ "person": "new", "visitor": "signed" }));
    // A page behind a login names the visitor on every view. That is no further conversion, unless
    // it says more.
    for _ in 0..3 {
        says(&app, first, 0, &signed(&signature(email))).await;
    }
    let conversions = async || {
        app.get(&format!("/v1/leads/email:{email}")).await.json["lead"]["conversions"].clone()
    };
    assert_eq!(conversions().await, 2);
    let mut more = signed(&signature(email));
    more["company"] = json!("Example");
    says(&app, first, 0, &more).await;
    assert_eq!(conversions().await, 3);
    let owner = app.get("/v1/leads/phone:+33142685300").await.json;
    assert_eq!((&owner["lead"]["id"], &owner["lead"]["visitors"]), (&other, &json!([])));
    app.stop().await;
}

/// Whatever page views and names are sent without a key, in any order, known leads stay as they
/// are.
async fn nobody_without_a_key_changes_what_is_known(backend: Backend) {
    let app = TestApp::start(backend);
    let mut own = Vec::new();
    let mut leads = Vec::new();
    for number in 0..3 {
        let (visitor, _) = travelled(&app).await;
        let mut contact = json!({ "email": format!("known-{number}@example.com") });
        if number == 0 {
            contact["phone"] = json!("+33142685300");
        }
        let made = app.post_lead(&json!({ "visitor": visitor, "contact": contact })).await;
        leads.push(made.json["lead"]["id"].as_str().unwrap().to_owned());
        own.push(VisitorId::parse(&visitor).unwrap());
    }
    app.app.core.clock.advance_ms(MINUTE);
    let before = seen(&app, &leads).await;
    let strangers: Vec<VisitorId> = (0..4).map(|_| new_visitor()).collect();
    for seed in 0..60 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut persons = vec![
            json!({ "email": format!("known-{}@example.com", random.random_range(0..3)) }),
            json!({ "phone": "+33142685300" }),
            json!({ "email": format!("new-{}@example.com", random.random_range(0..9)) }),
        ];
        for person in &mut persons {
            person["first_name"] = json!("Stranger");
            person["company"] = json!("Stranger");
        }
        let person = persons.choose(&mut random).unwrap();
        let status = match random.random_range(0..3) {
            // The persons' own browsers may go on, and send anything.
            0 => says(&app, *own.choose(&mut random).unwrap(), 0, person).await,
            _ => {
                let days_ago = random.random_range(0..30);
                says(&app, *strangers.choose(&mut random).unwrap(), days_ago, person).await
            }
        };
        assert_eq!(status, 202, "{seed}");
        if random.random_bool(0.2) {
            assert_eq!(seen(&app, &leads).await, before, "{seed}");
        }
    }
    assert_eq!(seen(&app, &leads).await, before);
    for visitor in own {
        let journey = app.get(&format!("/v1/visitors/{}/journey", visitor.to_text())).await.json;
        assert!(leads.iter().any(|lead| journey["lead_id"] == lead.as_str()), "{journey}");
    }
    tests::load::hold_together(&*app.app.core.store).await;
    app.stop().await;
}

/// If the site trusts its pages, they can join browsers; yet the first click of a person who has
/// been known for days stays, however old a page view claims to be.
async fn a_trusting_site_keeps_its_first_click(backend: Backend) {
    let app = start(backend, Identify::Trust);
    let (visitor, _) = travelled(&app).await;
    app.post_lead(&json!({ "visitor": visitor, "contact": contact("known@example.com") })).await;
    says(&app, new_visitor(), 29, &contact("known@example.com")).await;
    let lead = app.get("/v1/leads/email:known@example.com").await.json;
    assert_eq!(lead["lead"]["visitors"].as_array().unwrap().len(), 2);
    assert_eq!(lead["fields"]["first_click_source"], "google");
    let refused = answer(app.request(Method::GET, "/v1/leads?proposed=1").bearer_auth(KEY)).await;
    assert_eq!(refused.json["leads"], json!([]));
    app.stop().await;
}
