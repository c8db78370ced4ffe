//! What a lead's history keeps from the time of a conversion, whatever comes later or from another
//! clock.

use serde_json::{Value, json};
use shared::limits::DAY_MS;
use shared::wire::encode::Header;
use tests::app::{NOW_MS, TestApp};
use tests::storage::Backend;
use tests::visitors::contact;
use tests::wire::{SITE, new_event, new_visitor, view};

tests::both_stores!(
    a_later_visit_changes_no_context,
    a_stale_meta_cookie_yields_to_a_newer_click,
    a_conversion_is_marked_in_its_own_browser,
    a_conversion_by_a_slower_clock_keeps_its_history,
);

const HOUR_MS: i64 = 3_600_000;
const HOME: &str = "https://www.example.com/";

async fn fields(app: &TestApp, email: &str) -> Value {
    app.get(&format!("/v1/leads/email:{email}/fields")).await.json["fields"].clone()
}

/// Sends a page view at the clock's time, with the given header.
async fn shows(app: &TestApp, visitor: &str, url: &str, header: Header<'_>) {
    let at_ms = app.app.core.clock.now_ms();
    let shown = view(new_event(at_ms), at_ms, url, "");
    let header = Header { site: SITE, visitor, sent_at_ms: at_ms, sender: "module", ..header };
    assert_eq!(app.send(header.batch([shown.as_str()].into_iter())).await.status, 202);
}

async fn converts(app: &TestApp, visitor: &str, email: &str) -> Value {
    app.post_lead(&json!({ "visitor": visitor, "contact": contact(email) })).await.json
}

async fn a_later_visit_changes_no_context(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    let first = Header {
        language: "fr-FR",
        consent: "granted",
        ga_session: "GS1.1.1111111111.1",
        fbp: "fb.1.1793600000000.1",
        ..Header::default()
    };
    shows(&app, &visitor, HOME, first).await;
    converts(&app, &visitor, "a@example.com").await;
    app.app.core.clock.advance_ms(2 * HOUR_MS);
    let second = Header {
        language: "de-DE",
        ga_session: "GS1.1.2222222222.2",
        fbp: "fb.1.1793600000000.2",
        ..Header::default()
    };
    shows(&app, &visitor, HOME, second).await;
    let check = async |email: &str, expected: [&str; 4]| {
        let fields = fields(&app, email).await;
        let names = ["language", "consent_analytics", "ga_session_id", "fbp"];
        let found = names.map(|name| fields[name].as_str().unwrap_or_default().to_owned());
        assert_eq!(found, expected, "{email}");
    };
    let of_a = ["fr-FR", "granted", "1111111111", "fb.1.1793600000000.1"];
    check("a@example.com", of_a).await;
    // The browser passes to another person, whose lead gets its current context.
    converts(&app, &visitor, "b@example.com").await;
    check("a@example.com", of_a).await;
    check("b@example.com", ["de-DE", "unknown", "2222222222", "fb.1.1793600000000.2"]).await;
    app.stop().await;
}

async fn a_stale_meta_cookie_yields_to_a_newer_click(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    let cookie = format!("fb.1.{}.OLD", NOW_MS - 1000);
    let with_cookie = Header { fbc: &cookie, ..Header::default() };
    shows(&app, &visitor, &format!("{HOME}?fbclid=OLD"), with_cookie).await;
    converts(&app, &visitor, "a@example.com").await;
    // The same click: the cookie is its id at Meta.
    assert_eq!(fields(&app, "a@example.com").await["fbc"], json!(cookie));
    app.app.core.clock.advance_ms(60 * DAY_MS);
    let at_ms = app.app.core.clock.now_ms();
    shows(&app, &visitor, &format!("{HOME}?fbclid=NEW"), Header::default()).await;
    converts(&app, &visitor, "a@example.com").await;
    assert_eq!(fields(&app, "a@example.com").await["fbc"], json!(format!("fb.1.{at_ms}.NEW")));
    // No click in the last 90 days.
    app.app.core.clock.advance_ms(91 * DAY_MS);
    shows(&app, &visitor, HOME, Header::default()).await;
    converts(&app, &visitor, "a@example.com").await;
    assert_eq!(fields(&app, "a@example.com").await["fbc"], Value::Null);
    app.stop().await;
}

async fn a_conversion_is_marked_in_its_own_browser(backend: Backend) {
    let app = TestApp::start(backend);
    let [phone, desk] = [(); 2].map(|()| new_visitor().to_text());
    shows(&app, &phone, &format!("{HOME}?utm_source=phone"), Header::default()).await;
    app.app.core.clock.advance_ms(HOUR_MS);
    shows(&app, &desk, &format!("{HOME}?utm_source=desk"), Header::default()).await;
    converts(&app, &desk, "a@example.com").await;
    app.app.core.clock.advance_ms(60_000);
    let made = converts(&app, &phone, "a@example.com").await;
    let touches = made["journey"]["touches"].as_array().unwrap();
    let marked = touches.iter().map(|touch| (&touch["source"], &touch["conversion"]));
    let yes = json!(true);
    assert_eq!(
        marked.collect::<Vec<_>>(),
        [(&json!("phone"), &yes), (&json!("desk"), &yes)],
        "each browser converted"
    );
    // A conversion in an unknown browser marks no touch.
    let stranger = new_visitor().to_text();
    app.app.core.clock.advance_ms(60_000);
    shows(&app, &desk, &format!("{HOME}?utm_source=again"), Header::default()).await;
    let made = converts(&app, &stranger, "a@example.com").await;
    let last = made["journey"]["touches"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["source"], &last["conversion"]), (&json!("again"), &Value::Null));
    app.stop().await;
}

async fn a_conversion_by_a_slower_clock_keeps_its_history(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    shows(&app, &visitor, &format!("{HOME}?utm_source=google"), Header::default()).await;
    app.app.core.clock.advance_ms(60_000);
    converts(&app, &visitor, "a@example.com").await;
    // Another collector, whose clock is fifty milliseconds behind, takes the next conversion.
    app.app.core.clock.advance_ms(-50);
    let made = converts(&app, &visitor, "a@example.com").await;
    assert_eq!(made["journey"]["touches"].as_array().map(Vec::len), Some(1));
    assert_eq!(fields(&app, "a@example.com").await["first_click_source"], json!("google"));
    app.stop().await;
}
