//! Flagged page views: stored but not a person's. Each has its reason, and is counted.

use clew_core::Clock;
use collector::config::Network;
use reqwest::{Method, RequestBuilder};
use tests::app::{Answer, NOW_MS, TestApp, USER_AGENT, answer};
use tests::storage::Backend;
use tests::wire::{HOME, batch, new_event, new_visitor, view};

tests::both_stores!(
    flagged_page_views_are_kept_with_their_reason,
    clients_are_found_behind_trusted_proxies_only,
    the_pixel_flags_prefetched_pages,
    a_visitor_who_opted_out_is_not_kept,
);

/// A collector behind a proxy on this machine, for a company with two networks.
fn start(backend: Backend, proxies: &[&str]) -> TestApp {
    let networks = |texts: &[&str]| -> Vec<Network> {
        texts.iter().map(|text| Network::try_from((*text).to_owned()).unwrap()).collect()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(backend, listener, "", Clock::fixed(NOW_MS), |config| {
        config.trusted_proxies = networks(proxies);
        config.sites[0].own_traffic = networks(&["203.0.113.0/24", "2001:db8::/32"]);
    })
}

/// Sends one page view and reads its reason back.
async fn flag(app: &TestApp, signal: &str, headers: &[(&str, &str)]) -> Option<String> {
    let visitor = new_visitor().to_text();
    let event = view(new_event(NOW_MS), NOW_MS, HOME, "");
    let body = batch(&visitor, NOW_MS, &[event]).replacen('{', &format!("{{{signal}"), 1);
    let answered = answer(with(app.request(Method::POST, "/c/e"), headers).body(body)).await;
    assert_eq!(answered.json["stored"], 1, "{headers:?}: {}", answered.text);
    reason(app, &visitor).await
}

fn with(request: RequestBuilder, headers: &[(&str, &str)]) -> RequestBuilder {
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

async fn reason(app: &TestApp, visitor: &str) -> Option<String> {
    let journey = app.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
    let page = &journey["journey"]["pages"][0];
    assert_eq!(page["url"], HOME, "{journey}");
    page["bot"].as_str().map(str::to_owned)
}

async fn flagged_page_views_are_kept_with_their_reason(backend: Backend) {
    let app = start(backend, &["127.0.0.1"]);
    let person = ("user-agent", USER_AGENT);
    let googlebot =
        ("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)");
    let office = ("x-forwarded-for", "203.0.113.7");
    let driven = "\"webdriver\":true,";
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let rows: [(&str, Headers<'_>, Option<&str>); 9] = [
        ("", &[person], None),
        ("\"webdriver\":false,", &[person, ("x-forwarded-for", "198.51.100.7")], None),
        ("", &[googlebot], Some("search engine: googlebot")),
        ("", &[], Some("no user agent")),
        (driven, &[person], Some("webdriver")),
        ("", &[person, ("sec-purpose", "prefetch;prerender")], Some("prefetch")),
        ("", &[person, office], Some("own traffic: 203.0.113.0/24")),
        ("", &[person, ("x-forwarded-for", "2001:db8::7")], Some("own traffic: 2001:db8::/32")),
        // The first step that flags gives the reason.
        (driven, &[googlebot, office], Some("own traffic: 203.0.113.0/24")),
    ];
    for (signal, headers, expected) in rows {
        let found = flag(&app, signal, headers).await;
        assert_eq!(found.as_deref(), expected, "{signal} {headers:?}");
    }
    for (kind, count) in
        [("own traffic", 3), ("webdriver", 1), ("prefetch", 1), ("search engine", 1)]
    {
        let line = format!("clew_flagged_page_views_total{{reason=\"{kind}\"}}");
        assert_eq!(app.metric(&line).await, count, "{kind}");
    }
    assert_eq!(app.metric("clew_events_total{outcome=\"stored\"}").await, 9);
    app.stop().await;
}

async fn clients_are_found_behind_trusted_proxies_only(backend: Backend) {
    let person = ("user-agent", USER_AGENT);
    let office = ("x-forwarded-for", "203.0.113.7");
    let app = start(backend, &[]);
    assert_eq!(flag(&app, "", &[person, office]).await, None, "anybody can send that header");
    app.stop().await;

    let app = start(backend, &["127.0.0.0/8", "10.0.0.0/8"]);
    for (list, own) in [
        ("203.0.113.7, 10.0.0.3", true),
        ("203.0.113.7:1234", true),
        ("198.51.100.7, 203.0.113.7", true),
        ("203.0.113.7, 198.51.100.7", false),
        ("203.0.113.7, unknown", false),
    ] {
        let found = flag(&app, "", &[person, ("x-forwarded-for", list)]).await;
        assert_eq!(found.is_some(), own, "{list}: {found:?}");
    }
    let forwarded = ("forwarded", "for=\"[2001:db8::7]:1\";proto=https");
    let found = flag(&app, "", &[person, forwarded]).await;
    assert_eq!(found.as_deref(), Some("own traffic: 2001:db8::/32"));
    app.stop().await;
}

/// A prefetched page without scripts requests the pixel just like one that is seen.
async fn the_pixel_flags_prefetched_pages(backend: Backend) {
    let app = start(backend, &[]);
    for (name, value, expected) in [
        ("sec-purpose", "prefetch", Some("prefetch")),
        ("sec-purpose", "prefetch;prerender", Some("prefetch")),
        ("purpose", "prefetch", Some("prefetch")),
        ("x-moz", "Prefetch", Some("prefetch")),
        ("x-purpose", "preview", Some("prefetch")),
        ("purpose", "navigate", None),
        ("accept", "*/*", None),
    ] {
        let headers = [("user-agent", USER_AGENT), ("referer", HOME), (name, value)];
        let pixel = answer(with(app.request(Method::GET, "/c/p.gif?site=demo"), &headers)).await;
        let visitor = &cookie(&pixel)["clew_id=".len()..][..36];
        assert_eq!(reason(&app, visitor).await.as_deref(), expected, "{name}: {value}");
    }
    app.stop().await;
}

fn cookie(answer: &Answer) -> &str {
    answer.headers["set-cookie"].to_str().unwrap()
}

async fn a_visitor_who_opted_out_is_not_kept(backend: Backend) {
    let app = start(backend, &[]);
    let body =
        || batch(&new_visitor().to_text(), NOW_MS, &[view(new_event(NOW_MS), NOW_MS, HOME, "")]);
    for (cookie, kept) in
        [("clew_optout=1", false), ("a=b; clew_optout=1", false), ("clew_optout=0", true)]
    {
        let request = app.request(Method::POST, "/c/e").header("cookie", cookie).body(body());
        let answered = answer(request).await;
        assert_eq!(answered.json["stored"], u8::from(kept), "{cookie}: {}", answered.text);
        assert_eq!(answered.headers.contains_key("set-cookie"), kept, "{cookie}");
    }
    assert_eq!(app.metric("clew_events_total{outcome=\"no_consent\"}").await, 2);
    app.stop().await;
}
