//! The main path in a real browser: from the first click on another site to the lead in the CRM.

use serde_json::{Value, json};
use shared::limits::DAY_MS;
use tests::browser::Browser;
use tests::storage::Backend;
use tests::town::Town;

tests::both_stores!(
    from_the_first_click_to_the_lead_in_the_crm,
    a_policy_without_wasm_still_counts,
    a_page_that_leaves_before_the_module_is_up_is_counted,
    what_a_dead_collector_missed_comes_later,
    single_page_navigation_and_events,
);

/// A person reads a page for a while: moves, scrolls, sees this part of it.
async fn read(town: &Town, browser: &Browser, seconds: i64, part: f64) {
    browser.run(&format!("window.scrollTo(0, (document.documentElement.scrollHeight - window.innerHeight) * {part})")).await;
    browser.wait_for("requestAnimationFrame(() => requestAnimationFrame(() => done(1)))").await;
    for _ in 0..seconds / 5 {
        wait(town, browser, 5_000).await;
        browser
            .run("window.dispatchEvent(new PointerEvent('pointermove', { bubbles: true }))")
            .await;
    }
}

/// Moves the clocks of the browser and of everything else.
pub(crate) async fn wait(town: &Town, browser: &Browser, by_ms: i64) {
    town.clock.advance_ms(by_ms);
    browser.advance_ms(by_ms).await;
}

/// The visitor's id, once the tracker is up: the token comes with its first acknowledgement.
pub(crate) async fn visitor(browser: &Browser) -> String {
    browser.wait_for("clew('token', done)").await;
    let cookie = browser.run("return document.cookie").await;
    let cookie = cookie.as_str().unwrap();
    cookie
        .split("; ")
        .find_map(|pair| pair.strip_prefix("clew_id="))
        .unwrap_or_else(|| panic!("no cookie: {cookie}"))
        .to_owned()
}

fn pages(journey: &Value) -> Vec<(String, bool)> {
    let path =
        |page: &Value| url::Url::parse(page["url"].as_str().unwrap()).unwrap().path().to_owned();
    let pages = journey["pages"].as_array().unwrap();
    pages.iter().map(|page| (path(page), page["engaged"] == true)).collect()
}

async fn from_the_first_click_to_the_lead_in_the_crm(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);

    // the first visit: from an ad on another host, three pages, read and scrolled
    browser.open(&town.news).await;
    browser.picture("referring-site").await;
    browser.follow("#ad-link", "/pricing").await;
    assert!(browser.address().await.contains("gclid=TEST-gclid-1"));
    let visitor = visitor(&browser).await;
    browser.picture("demo-pricing").await;
    read(&town, &browser, 15, 0.4).await;
    browser.follow("a[href='/blog']", "/blog").await;
    read(&town, &browser, 5, 1.0).await;
    let article = "/blog/where-the-hours-go";
    browser.follow(&format!("a[href='{article}']"), article).await;
    assert_eq!(browser.page_errors().await, [""; 0]);
    town.journey_when(&visitor, |journey| {
        pages(journey).len() == 3
            && pages(journey).iter().filter(|(_, engaged)| *engaged).count() == 2
    })
    .await;

    browser.picture("demo-article").await;

    // three days later: the address is typed, then the form is sent
    wait(&town, &browser, 3 * DAY_MS).await;
    browser.open(&format!("{}/pricing", town.site)).await;
    read(&town, &browser, 10, 0.5).await;
    browser.follow("a[href='/contact']", "/contact").await;
    browser.wait_for("clew('token', done)").await;
    let hidden =
        browser.run("return document.querySelector('#contact input[name=clew_token]').value").await;
    let opened = |token: &serde_json::Value| {
        let (settings, now_ms) = (town.app.app.settings.get(), town.app.app.core.now_ms());
        settings.tokens.open(&tests::story::site(), token.as_str().unwrap(), now_ms)
    };
    let sealed = opened(&hidden);
    assert_eq!(sealed.map(|sealed| sealed.to_text()), Some(visitor.clone()));
    for (field, text) in [
        ("first_name", "First"),
        ("last_name", "Last"),
        ("email", "lead@example.com"),
        ("company", "Example"),
        ("message", "Hello"),
    ] {
        browser.type_into(&format!("#contact [name={field}]"), text).await;
    }
    browser.picture("contact-form").await;
    browser.follow("#contact button[type=submit]", "/thank-you").await;
    assert_eq!(browser.page_errors().await, [""; 0]);

    // the delivery: not before the settle time, then once, signed
    assert_eq!(town.app.deliver().await, 0);
    town.journey_when(&visitor, |journey| {
        pages(journey).iter().any(|(path, engaged)| path == "/contact" && *engaged)
    })
    .await;
    town.clock.advance_ms(10_000);
    assert_eq!(town.app.deliver().await, 1);
    town.clock.advance_ms(DAY_MS);
    assert_eq!(town.app.deliver().await, 0);
    let received = town.demo.deliveries();
    assert_eq!((received.len(), town.demo.attempts().len()), (1, 1));
    let data = &received[0].body["data"];

    // the fields name the first and the last click
    for (name, expected) in [
        ("email", json!("lead@example.com")),
        ("visitor_id", json!(visitor)),
        ("first_click_source", json!("google")),
        ("first_click_medium", json!("cpc")),
        ("first_click_campaign", json!("brand")),
        ("first_click_term", json!("attribution")),
        ("first_click_content", json!("ad-a")),
        ("first_click_channel", json!("paid_search")),
        ("first_click_landing_page_group", json!("/pricing")),
        ("first_click_referrer_domain", json!("news.test")),
        ("last_click_source", json!("(direct)")),
        ("last_click_channel", json!("direct")),
        ("last_click_landing_page_group", json!("/pricing")),
        ("last_non_direct_click_source", json!("google")),
        ("gclid", json!("TEST-gclid-1")),
        ("form_id", json!("contact")),
        ("visits_count", json!(2)),
        ("pageviews_count", json!(5)),
        ("touchpoints_count", json!(2)),
        ("days_to_convert", json!(3)),
        ("channel_path", json!("paid_search > direct")),
    ] {
        assert_eq!(data["fields"][name], expected, "{name}");
    }

    // the journey lists every touch and every engaged page, with times
    let journey = &data["journey"];
    let touches: Vec<_> = journey["touches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|touch| (touch["channel"].clone(), touch["pageviews"].clone()))
        .collect();
    assert_eq!(touches, [(json!("paid_search"), json!(3)), (json!("direct"), json!(2))]);
    let expected = [
        ("/pricing", true),
        ("/blog", true),
        (article, true),
        ("/pricing", true),
        ("/contact", true),
    ];
    assert!(pages_are(journey, &expected), "{journey:#}");
    for entry in
        journey["touches"].as_array().unwrap().iter().chain(journey["pages"].as_array().unwrap())
    {
        assert!(shared::time::parse_rfc3339(entry["at"].as_str().unwrap()).is_some(), "{entry}");
    }
    // the tab stayed open for three days, but was read for less than half a minute
    assert!(journey["touches"][0]["duration_s"].as_u64().unwrap() < 120, "{journey:#}");
    let first = &journey["pages"][0];
    assert!(
        first["engaged_ms"].as_u64().unwrap() >= 15_000
            && first["scroll_pct"].as_u64().unwrap() > 30,
        "{first}"
    );
    assert_eq!(journey["pages"][1]["scroll_pct"], 100, "{journey:#}");

    // the API agrees
    let lead = data["lead_id"].as_str().unwrap();
    let mut fields = town.app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"].clone();
    assert_eq!(fields["crm_sync_status"], "sent");
    let fields = fields.as_object_mut().unwrap();
    let is_of_hand_off = |name: &str| matches!(name, "crm_sync_status" | "crm_synced_at");
    fields.retain(|name, value| !value.is_null() && !is_of_hand_off(name));
    assert_eq!(Value::from(fields.clone()), data["fields"]);

    browser.open(&town.site).await;
    browser.picture("demo-site").await;
    browser.open(town.demo.crm_url()).await;
    browser.picture("crm-leads").await;
    browser.open(&format!("{}/leads/{lead}", town.demo.crm_url())).await;
    browser.picture("crm-lead").await;
    let shown = browser
        .run("return document.querySelector('[data-field=first_click_source]').textContent")
        .await;
    assert!(shown.as_str().unwrap().contains("google"), "{shown}");
    browser.stop().await;
    town.stop().await;
}

fn pages_are(journey: &Value, expected: &[(&str, bool)]) -> bool {
    journey["pages"].is_array()
        && pages(journey)
            .iter()
            .map(|(path, engaged)| (path.as_str(), *engaged))
            .eq(expected.iter().copied())
}

/// Without `'wasm-unsafe-eval'` the loader reports by itself, and the collector creates the
/// visitor.
async fn a_policy_without_wasm_still_counts(backend: Backend) {
    let policy =
        "default-src 'self'; script-src 'self' {tracker}; connect-src {tracker}; img-src {tracker}";
    let (town, browser) = (Town::start(backend, Some(policy)), Browser::start().await);
    browser.open(&format!("{}/?utm_source=google&utm_medium=cpc", town.site)).await;
    let token = browser.wait_for("clew('token', done)").await;
    let (settings, now_ms) = (town.app.app.settings.get(), town.app.app.core.now_ms());
    let visitor =
        settings.tokens.open(&tests::story::site(), token.as_str().unwrap(), now_ms).unwrap();
    let journey =
        town.journey_when(&visitor.to_text(), |journey| journey["pages"].is_array()).await;
    assert_eq!(journey["touches"][0]["channel"], "paid_search");
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 1);
    assert_eq!(town.app.metric("clew_batches_total{sender=\"module\"}").await, 0);
    assert_eq!(town.app.metric("clew_visitors_minted_total").await, 1);
    assert_eq!(browser.page_errors().await, [""; 0]);
    // The cookie set by the response names the same visitor on the next page.
    browser.open(&format!("{}/pricing", town.site)).await;
    let visitor = visitor.to_text();
    town.journey_when(&visitor, |journey| pages_are(journey, &[("/", false), ("/pricing", false)]))
        .await;
    assert_eq!(town.app.metric("clew_visitors_minted_total").await, 1);
    browser.stop().await;
    town.stop().await;
}

/// If the page goes away while the module is loading, the loader's beacon reports it.
async fn a_page_that_leaves_before_the_module_is_up_is_counted(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    browser.open(&town.news).await;
    browser.devtools("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*.wasm" }] })).await;
    browser.run("document.querySelector('#ad-link').click()").await;
    browser
        .wait_for("const look = () => window.clew ? done(1) : setTimeout(look, 5); look()")
        .await;
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 0);
    browser.open(&town.news).await;
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(20));
    for _ in 0..500 {
        looks.tick().await;
        // Counted last, once the page view is durable.
        if town.app.metric("clew_visitors_minted_total").await == 1 {
            break;
        }
    }
    assert_eq!(town.app.metric("clew_visitors_minted_total").await, 1);
    assert_eq!(town.app.metric("clew_events_total{outcome=\"stored\"}").await, 1);
    assert_eq!(town.app.metric("clew_batches_total{sender=\"loader\"}").await, 1);
    browser.stop().await;
    town.stop().await;
}

/// Events that were not acknowledged wait in the browser, and are sent from the next page.
async fn what_a_dead_collector_missed_comes_later(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    browser.open(&town.site).await;
    let visitor = visitor(&browser).await;
    browser.devtools("Network.enable", json!({})).await;
    browser.devtools("Network.setBlockedURLs", json!({ "urls": ["*/c/e"] })).await;
    browser.open(&format!("{}/pricing", town.site)).await;
    browser.wait_for("const look = () => (localStorage.clew_q || '').includes('/pricing') ? done(1) : setTimeout(look, 5); look()").await;
    browser.devtools("Network.setBlockedURLs", json!({ "urls": [] })).await;
    browser.open(&format!("{}/blog", town.site)).await;
    town.journey_when(&visitor, |journey| {
        pages_are(journey, &[("/", false), ("/pricing", false), ("/blog", false)])
    })
    .await;
    assert_eq!(browser.page_errors().await, [""; 0]);
    browser.stop().await;
    town.stop().await;
}

/// One page view per path: replacing the address counts nothing, going back counts.
async fn single_page_navigation_and_events(backend: Backend) {
    let (town, browser) = (Town::start(backend, None), Browser::start().await);
    browser.open(&format!("{}/?utm_source=google", town.site)).await;
    let visitor = visitor(&browser).await;
    browser.run("history.pushState({}, '', '/blog/a'); history.replaceState({}, '', '/blog/b'); history.pushState({}, '', '/blog/a#part')").await;
    browser.run("clew('event', 'video_played', { seconds: 3 }); clew('identify', { email: 'lead@example.com' })").await;
    let journey = town
        .journey_when(&visitor, |journey| pages_are(journey, &[("/", false), ("/blog/a", false)]))
        .await;
    assert_eq!(journey["touches"].as_array().unwrap().len(), 1);
    let path = "/v1/leads?proposed=1";
    let proposed = town.answer_when(path, |answer| answer["leads"][0].is_object()).await;
    let lead = &proposed["leads"][0];
    assert_eq!(lead["contact"]["email"], "lead@example.com");
    assert_eq!(
        (&lead["visitors"][0]["visitor"], &lead["verified"]),
        (&json!(visitor), &json!(false))
    );
    assert_eq!(browser.page_errors().await, [""; 0]);
    browser.stop().await;
    town.stop().await;
}
