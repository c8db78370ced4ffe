//! `POST /c/e` and the pixel: one documented status and outcome for every input.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shared::ad_cookies::{AdCookies, GaSession};
use shared::ids::SiteId;
use shared::limits;
use tests::app::{NOW_MS, TestApp, answer};
use tests::storage::Backend;
use tests::wire::{HOME, SITE, batch, departure, engagement, new_event, new_visitor, view};

tests::both_stores!(
    good_batches_are_stored_once,
    bad_batches_end_in_one_documented_outcome,
    ten_megabytes_are_refused_and_the_worker_lives,
    an_overloaded_store_says_when_to_come_again,
    foreign_origins_are_refused,
    bad_events_do_not_take_their_neighbours_along,
    clocks_are_corrected_by_their_skew,
    the_visitor_is_found_or_created,
    consent_and_signals_are_honoured,
    departures_are_kept_with_their_page_view,
    a_repeated_departure_is_a_duplicate_whatever_the_clock,
    ids_of_other_tools_are_kept,
    every_refusal_is_a_problem,
);

fn page(at_ms: i64) -> String {
    view(new_event(at_ms), at_ms, HOME, "")
}

async fn good_batches_are_stored_once(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    let id = new_event(NOW_MS);
    let events = [
        view(id, NOW_MS, "https://www.example.com/?utm_source=google&utm_medium=cpc", ""),
        engagement(id, NOW_MS, 12_000, 80),
    ];
    let body = batch(&visitor, NOW_MS, &events);
    let first = app.send(body.clone()).await;
    assert_eq!(
        (first.status, &first.json["stored"], &first.json["duplicate"]),
        (202, &json!(2), &json!(0))
    );
    assert!(first.json["token"].as_str().is_some_and(|token| token.len() <= 64));
    let cookie = first.headers["set-cookie"].to_str().unwrap();
    for part in [visitor.as_str(), "Max-Age=34560000", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("HttpOnly"), "{cookie}");
    assert_eq!(first.headers["access-control-allow-origin"], "https://www.example.com");

    let again = app.send(body).await;
    assert_eq!(
        (again.status, &again.json["stored"], &again.json["duplicate"]),
        (202, &json!(0), &json!(2))
    );
    let journey = app.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
    assert_eq!(journey["journey"]["touches"][0]["channel"], "paid_search");
    assert_eq!(journey["journey"]["pages"][0]["engaged_ms"], 12_000);
    assert_eq!(journey["journey"]["pages"][0]["url"], HOME);
    assert_eq!(app.metric("clew_events_total{outcome=\"stored\"}").await, 2);
    assert_eq!(app.metric("clew_events_total{outcome=\"duplicate\"}").await, 2);
    app.stop().await;
}

/// A refused batch has its documented status and `type`, is counted, and the server goes on.
async fn bad_batches_end_in_one_documented_outcome(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor().to_text();
    let good = batch(&visitor, NOW_MS, &[page(NOW_MS)]);
    let ten_thousand: Vec<String> = (0..10_000).map(|_| "0".to_owned()).collect();
    let rows: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("nothing", Vec::new(), 400, "malformed"),
        ("no JSON", b"{\"v\":1,".into(), 400, "malformed"),
        ("not a batch", b"[1,2]".into(), 400, "malformed"),
        ("no events", batch(&visitor, NOW_MS, &[]).into(), 400, "malformed"),
        ("NaN", good.replace(&NOW_MS.to_string(), "NaN").into(), 400, "malformed"),
        (
            "invalid UTF-8",
            [b"{\"v\":1,\"site\":\"", &b"\xff\xfe"[..], b"\"}"].concat(),
            400,
            "malformed",
        ),
        ("wrong types", good.replace("\"v\":1", "\"v\":\"1\"").into(), 400, "malformed"),
        ("deeply nested", "[".repeat(60_000).into(), 400, "malformed"),
        ("another version", good.replace("\"v\":1", "\"v\":2").into(), 400, "unsupported_version"),
        ("unknown site", good.replace("\"demo\"", "\"nobody\"").into(), 404, "unknown_site"),
        ("a visitor that is no UUID", good.replace(&visitor, "me").into(), 422, "invalid_visitor"),
        ("10,000 events", batch(&visitor, NOW_MS, &ten_thousand).into(), 422, "too_many_events"),
        ("just over the limit", vec![b' '; limits::BODY_BYTES + 1], 413, "too_large"),
    ];
    for (name, body, status, word) in rows {
        let line = format!("clew_events_total{{outcome=\"{word}\"}}");
        let before = app.metric(&line).await;
        let answer = app.send(body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert_eq!(answer.json["type"], format!("/problems/{word}"), "{name}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{name}");
        assert!(app.metric(&line).await > before, "{name} was not counted");
    }
    assert_eq!(app.send(good).await.status, 202);
    app.stop().await;
}

async fn ten_megabytes_are_refused_and_the_worker_lives(backend: Backend) {
    let app = TestApp::start(backend);
    let request = app.request(Method::POST, "/c/e").body(vec![b'x'; 10 << 20]);
    // The server may respond and close the connection before it has the whole body; either way it
    // must go on.
    if let Ok(response) = request.send().await {
        assert_eq!(response.status(), 413);
    }
    assert_eq!(app.metric("clew_events_total{outcome=\"too_large\"}").await, 1);
    assert_eq!(app.send(batch("", NOW_MS, &[page(NOW_MS)])).await.status, 202);
    app.stop().await;
}

/// More than the queue holds: 503 with Retry-After, counted, and the refused events can be sent
/// again.
async fn an_overloaded_store_says_when_to_come_again(backend: Backend) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let clock = clew_core::Clock::fixed(NOW_MS);
    let app =
        TestApp::start_adjusted(backend, listener, "", clock, |config| config.store.queue = 1);
    let bodies: Vec<_> =
        (0..100).map(|_| batch(&new_visitor().to_text(), NOW_MS, &[page(NOW_MS)])).collect();
    let answers = join_all(bodies.iter().map(|body| app.send(body.clone()))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!refused.is_empty() && refused.len() < 100, "{} of 100 were refused", refused.len());
    assert!(refused.iter().all(|answer| answer.headers["retry-after"] == "1"));
    assert!(refused.iter().all(|answer| answer.json["type"] == "/problems/overloaded"));
    assert_eq!(app.metric("clew_events_total{outcome=\"overloaded\"}").await, refused.len() as u64);
    for body in bodies {
        assert_eq!(app.send(body).await.status, 202);
    }
    assert_eq!(app.metric("clew_events_total{outcome=\"stored\"}").await, 100);
    app.stop().await;
}

async fn foreign_origins_are_refused(backend: Backend) {
    let app = TestApp::start(backend);
    let body = batch(&new_visitor().to_text(), NOW_MS, &[page(NOW_MS)]);
    for (origin, status) in [
        ("https://example.com", 202),
        ("https://shop.example.com:8443", 202),
        ("https://notexample.com", 403),
        ("https://example.com.evil.example", 403),
        ("null", 403),
        ("chrome-extension://www.example.com", 403),
        ("moz-extension://example.com", 403),
        ("android-app://example.com", 403),
    ] {
        let request = app.request(Method::POST, "/c/e").header("origin", origin).body(body.clone());
        let answered = answer(request).await;
        assert_eq!(answered.status, status, "{origin}");
        assert_eq!(answered.json["token"].is_string(), status == 202, "{origin}");
    }
    app.stop().await;
}

/// Single events: each has its own outcome, and its neighbours are stored.
async fn bad_events_do_not_take_their_neighbours_along(backend: Backend) {
    const DAY: i64 = limits::DAY_MS;
    let app = TestApp::start(backend);
    let long = format!("{HOME}?q={}", "x".repeat(limits::URL_BYTES));
    let id = new_event(NOW_MS);
    let rows: [(&str, String, &str); 12] = [
        (
            "no id",
            r#"{"at":1,"kind":"page_view","url":"https://www.example.com/"}"#.into(),
            "invalid_event",
        ),
        (
            "a negative time",
            page(NOW_MS).replace(&format!("\"at\":{NOW_MS}"), "\"at\":-1"),
            "invalid_event",
        ),
        (
            "a fraction",
            page(NOW_MS).replace(&format!("\"at\":{NOW_MS}"), "\"at\":0.5"),
            "invalid_event",
        ),
        (
            "a huge time",
            page(NOW_MS).replace(&format!("\"at\":{NOW_MS}"), &format!("\"at\":{}", i64::MAX)),
            "in_future",
        ),
        ("an unknown kind", page(NOW_MS).replace("page_view", "telepathy"), "invalid_event"),
        ("years ago", page(NOW_MS - 900 * DAY), "too_old"),
        ("years ahead", page(NOW_MS + 900 * DAY), "in_future"),
        ("a long address", view(id, NOW_MS, &long, ""), "too_long"),
        ("a foreign page", view(id, NOW_MS, "https://evil.example/", ""), "foreign_origin"),
        ("no web page", view(id, NOW_MS, "javascript:alert(1)", ""), "invalid_event"),
        ("no address", view(id, NOW_MS, "home", ""), "invalid_event"),
        ("more than the whole page", engagement(id, NOW_MS, 1, 101), "invalid_event"),
    ];
    for (name, bad, word) in rows {
        let line = format!("clew_events_total{{outcome=\"{word}\"}}");
        let before = app.metric(&line).await;
        let body = batch(&new_visitor().to_text(), NOW_MS, &[page(NOW_MS), bad, page(NOW_MS)]);
        let answer = app.send(body).await;
        assert_eq!((answer.status, &answer.json["stored"]), (202, &json!(2)), "{name}");
        assert_eq!(answer.json["dropped"][0]["reason"], word, "{name}");
        assert_eq!(app.metric(&line).await, before + 1, "{name}");
    }
    app.stop().await;
}

/// Events of a browser whose clock is off by years get the right time.
async fn clocks_are_corrected_by_their_skew(backend: Backend) {
    let app = TestApp::start(backend);
    for (skew_ms, expected) in [
        (0, "2026-11-21T09:59:00Z"),
        (9_000, "2026-11-21T09:59:09Z"),
        (3_600_000, "2026-11-21T09:59:00Z"),
        (-900 * limits::DAY_MS, "2026-11-21T09:59:00Z"),
    ] {
        let visitor = new_visitor().to_text();
        let shown = NOW_MS - 60_000 + skew_ms;
        let answer = app.send(batch(&visitor, NOW_MS + skew_ms, &[page(shown)])).await;
        assert_eq!(answer.json["stored"], 1, "{skew_ms}: {}", answer.text);
        let journey = app.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
        assert_eq!(journey["journey"]["pages"][0]["at"], expected, "{skew_ms}");
    }
    app.stop().await;
}

/// The visitor is the body's, else the cookie's, else a new one that the response names.
async fn the_visitor_is_found_or_created(backend: Backend) {
    let app = TestApp::start(backend);
    let (body_id, cookie_id) = (new_visitor().to_text(), new_visitor().to_text());
    let named = async |visitor: &str, cookie: &str| -> String {
        let request =
            app.request(Method::POST, "/c/e").header("cookie", format!("x=1; clew_id={cookie}"));
        let answered = answer(request.body(batch(visitor, NOW_MS, &[page(NOW_MS)]))).await;
        let set = answered.headers["set-cookie"].to_str().unwrap();
        set.strip_prefix("clew_id=").unwrap()[..36].to_owned()
    };
    assert_eq!(named(&body_id, &cookie_id).await, body_id);
    assert_eq!(named("", &cookie_id).await, cookie_id);
    let minted = named("", "broken").await;
    assert!(minted != cookie_id && minted != body_id);
    assert_eq!(app.metric("clew_visitors_minted_total").await, 1);

    let pixel = app
        .request(Method::GET, "/c/p.gif?site=demo")
        .header("referer", "https://www.example.com/plain?utm_source=x");
    let pixel = answer(pixel).await;
    assert_eq!(
        (pixel.status, &pixel.headers["content-type"]),
        (200, &"image/gif".parse().unwrap())
    );
    let visitor = &pixel.headers["set-cookie"].to_str().unwrap()[8..44];
    let journey = app.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
    assert_eq!(journey["journey"]["touches"][0]["source"], "x");
    assert_eq!(answer(app.request(Method::GET, "/c/p.gif?site=nobody")).await.status, 404);
    app.stop().await;
}

async fn consent_and_signals_are_honoured(backend: Backend) {
    let settings = "[[sites]]\nname = \"strict\"\nhosts = [\"strict.example\"]\nhonour_gpc = true\nhonour_dnt = true\n";
    let app = TestApp::start_with(backend, settings, clew_core::Clock::fixed(NOW_MS));
    let send = async |site: &str, signal: &str| -> Value {
        let shown = view(new_event(NOW_MS), NOW_MS, &format!("https://{site}/"), "");
        let name = if site == "strict.example" { "strict" } else { "demo" };
        let body = batch(&new_visitor().to_text(), NOW_MS, &[shown])
            .replace("\"demo\"", &format!("\"{name}\""));
        let body = body.replacen('{', &format!("{{{signal}"), 1);
        let answered = answer(app.request(Method::POST, "/c/e").body(body)).await;
        // A visitor who forbids storage gets neither a cookie nor a token.
        let kept = answered.json["stored"] == 1;
        assert_eq!(answered.headers.contains_key("set-cookie"), kept, "{site} {signal}");
        assert_eq!(answered.json["token"].is_string(), kept, "{site} {signal}");
        answered.json
    };
    assert_eq!(send("example.com", "\"gpc\":true,").await["stored"], 1);
    assert_eq!(
        send("example.com", "\"consent\":\"denied\",").await["dropped"][0]["reason"],
        "no_consent"
    );
    assert_eq!(send("strict.example", "\"gpc\":true,").await["dropped"][0]["reason"], "no_consent");
    assert_eq!(send("strict.example", "\"dnt\":true,").await["dropped"][0]["reason"], "no_consent");
    assert_eq!(send("strict.example", "").await["stored"], 1);
    app.stop().await;
}

async fn every_refusal_is_a_problem(backend: Backend) {
    let app = TestApp::start(backend);
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::GET, "/c/e", 405),
        (Method::DELETE, "/v1/leads", 405),
        (Method::GET, "/c/t.0000.wasm", 404),
        (Method::GET, "/v1/leads", 401),
        (Method::GET, "/v1/visitors/x/journey", 401),
    ] {
        let answered = answer(app.request(method.clone(), path)).await;
        assert_eq!(answered.status, status, "{method} {path}");
        assert_eq!(answered.json["status"], status, "{method} {path}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(answer(app.request(Method::GET, path)).await.status, 200, "{path}");
        assert_eq!(answer(app.request(Method::HEAD, path)).await.status, 200, "HEAD {path}");
    }
    app.stop().await;
}

async fn departures_are_kept_with_their_page_view(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor();
    let (page, return_at_ms) = (new_event(NOW_MS), NOW_MS + 1_000);
    let from_payment = view(new_event(return_at_ms), return_at_ms, HOME, "https://www.pay.test/x");
    let left = departure(page, NOW_MS + 500, "WWW.Pay.test");
    let events = [
        left.clone(),
        view(page, NOW_MS, "https://www.example.com/?utm_source=google", ""),
        left,
        departure(page, NOW_MS + 500, "no host"),
        from_payment,
    ];
    let answer = app.send(batch(&visitor.to_text(), NOW_MS, &events)).await;
    assert_eq!((&answer.json["stored"], &answer.json["duplicate"]), (&json!(3), &json!(1)));
    assert_eq!(answer.json["dropped"], json!([{ "id": null, "reason": "invalid_event" }]));
    let site = SiteId::parse(SITE).unwrap();
    let views = app.app.core.store.trail(&site, visitor).await.unwrap().views;
    let left: Vec<_> =
        views[0].totals.departures.iter().map(|left| (left.at_ms, left.host.as_str())).collect();
    assert_eq!(left, [(NOW_MS + 500, "pay.test")]);
    let journey = app.get(&format!("/v1/visitors/{}/journey", visitor.to_text())).await.json;
    assert_eq!(journey["journey"]["touches"].as_array().map(Vec::len), Some(1), "{journey:#}");
    app.stop().await;
}

/// A wrong clock is corrected by another amount in each batch, as each takes another time to
/// arrive.
async fn a_repeated_departure_is_a_duplicate_whatever_the_clock(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor();
    let wrong_ms = NOW_MS - 3_600_000;
    let page = new_event(wrong_ms);
    let left = departure(page, wrong_ms, "pay.test");
    let site = SiteId::parse(SITE).unwrap();
    // before its page view, and after
    for (on_the_way_ms, first) in [(20, true), (50, false), (0, false)] {
        let body = batch(&visitor.to_text(), wrong_ms - on_the_way_ms, std::slice::from_ref(&left));
        let answer = app.send(body).await.json;
        let counts = (&answer["stored"], &answer["duplicate"]);
        let expected = (&json!(u8::from(first)), &json!(u8::from(!first)));
        assert_eq!(counts, expected, "{on_the_way_ms}");
    }
    let shown = view(page, wrong_ms, HOME, "");
    let events = [shown, left];
    let answer = app.send(batch(&visitor.to_text(), wrong_ms - 90, &events)).await.json;
    assert_eq!((&answer["stored"], &answer["duplicate"]), (&json!(1), &json!(1)));
    let views = app.app.core.store.trail(&site, visitor).await.unwrap().views;
    let left: Vec<_> = views[0].totals.departures.iter().map(|left| left.at_ms).collect();
    assert_eq!(left, [NOW_MS + 20], "the first one stored stays");
    app.stop().await;
}

async fn ids_of_other_tools_are_kept(backend: Backend) {
    let app = TestApp::start(backend);
    let visitor = new_visitor();
    let cookies = r#""ga":"GA1.1.1234567890.1700000000","ga_session":"GS2.1.s1700000123$o4","fbc":"x","fbp":"fb.1.1793600000000.7","site":"#;
    let body = batch(&visitor.to_text(), NOW_MS, &[page(NOW_MS)]);
    assert_eq!(app.send(body.replace("\"site\":", cookies)).await.status, 202);
    let site = SiteId::parse(SITE).unwrap();
    let record = app.app.core.store.visitor(&site, visitor).await.unwrap().unwrap();
    let expected = AdCookies {
        ga_client_id: Some("1234567890.1700000000".into()),
        ga_session: Some(GaSession { id: "1700000123".into(), number: Some(4) }),
        fbc: None,
        fbp: Some("fb.1.1793600000000.7".into()),
    };
    assert_eq!(record.context.ad_cookies, expected);
    app.stop().await;
}
