//! Limits on clients' connections, time and memory, and what clients cannot take from each other.

use clew_core::Clock;
use collector::config::{Config, Network};
use futures_util::future::join_all;
use serde_json::json;
use std::net::TcpListener;
use std::time::Duration;
use tests::app::{Answer, NOW_MS, TestApp, answer, client};
use tests::load::until;
use tests::process::Collector;
use tests::raw::{Raw, get, post};
use tests::settings::KEY;
use tests::storage::{Backend, Storage};
use tests::visitors::contact;
use tokio::time::timeout;

const HOOK: &str = "[[crm]]\nname = \"sales\"\nsite = \"demo\"\ncurrency = \"EUR\"\n[crm.hubspot]\ntoken = \"t\"\n\
    client_secret = \"s\"\n[[inbound]]\nname = \"zap\"\nsite = \"demo\"\n\
    secret = \"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"\n";

/// A well-formed signature that is not valid.
const FORGED: &str = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The settings of the limits, to follow those of every test.
fn limits(connections: usize, per_client: usize, seconds: u32) -> String {
    format!(
        "[limits]\nconnections = {connections}\nconnections_per_client = {per_client}\n\
         request_seconds = {seconds}\n"
    )
}

/// Starts the collector in this process with other limits.
fn app(settings: &str, adjust: impl FnOnce(&mut Config)) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(Backend::Sled, listener, settings, Clock::fixed(NOW_MS), adjust)
}

async fn lead(url: &str) -> Answer {
    let body = json!({ "contact": contact("lead@example.com") }).to_string();
    answer(client().post(format!("{url}/v1/leads")).bearer_auth(KEY).body(body)).await
}

async fn read(url: &str, path: &str) -> Answer {
    answer(client().get(format!("{url}{path}"))).await
}

/// The value of one line of the metrics.
async fn metric(url: &str, line: &str) -> u64 {
    let text = read(url, "/metrics").await.text;
    let value = text.lines().find_map(|found| found.strip_prefix(line));
    value.unwrap_or_else(|| panic!("no {line} in {text}")).trim().parse().unwrap()
}

fn refused(reason: &str) -> String {
    format!("clew_refused_total{{reason=\"{reason}\"}}")
}

#[actix_web::test]
async fn three_hundred_unfinished_bodies_keep_nobody_waiting() {
    let settings = limits(400, 300, 600);
    let collector = Collector::start_apart(&Storage::new(Backend::Sled), &settings);
    let (url, operators) = (&collector.url, &collector.operator_url);
    let text = post("/c/e", &[("origin", "https://www.example.com")], 60_000) + "{";
    let held = join_all((0..300).map(|_| Raw::sending(url, "127.0.0.2", &text))).await;
    until("they are counted", async || metric(operators, "clew_connections").await >= 300).await;
    assert_eq!(lead(url).await.status, 201);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(read(operators, path).await.status, 200, "{path}");
    }
    drop(held);
    assert!(collector.terminate());
}

#[actix_web::test]
async fn a_body_that_drips_is_given_up() {
    let app = app(&(limits(100, 100, 1) + HOOK), |_| {});
    let key = format!("Bearer {KEY}");
    let at = (NOW_MS / 1000).to_string();
    let signed =
        [("webhook-id", "m"), ("webhook-timestamp", at.as_str()), ("webhook-signature", FORGED)];
    let cases = [
        post("/c/e", &[("origin", "https://www.example.com")], 60_000),
        post("/v1/leads", &[("authorization", &key)], 60_000),
        post("/v1/leads/x/stage", &[("authorization", &key)], 60_000),
        post("/v1/hooks", &[("authorization", &key)], 60_000),
        post("/hooks/zap", &signed, 60_000),
    ];
    let drip = async |head: &String| Raw::sending(&app.url, "127.0.0.2", head).await.drip().await;
    for (head, came) in cases.iter().zip(join_all(cases.iter().map(drip)).await) {
        assert!(came.starts_with("HTTP/1.1 408 "), "{head}{came}");
        assert!(came.contains("/problems/too_slow"), "{head}{came}");
    }
    assert_eq!(app.metric(&refused("slow_body")).await, cases.len() as u64);
    app.stop().await;
}

#[actix_web::test]
async fn operators_are_answered_while_the_public_address_is_full() {
    let settings = limits(8, 8, 600);
    let collector = Collector::start_apart(&Storage::new(Backend::Sled), &settings);
    let (url, operators) = (&collector.url, &collector.operator_url);
    let head = post("/c/e", &[], 10);
    let held = join_all((0..8).map(|_| Raw::sending(url, "127.0.0.2", &head))).await;
    until("all connections are in use", async || metric(operators, "clew_connections").await == 8)
        .await;
    assert_eq!(metric(operators, &refused("all_connections")).await, 1);
    collector.line_with("all connections are in use");
    let waiting = actix_web::rt::spawn({
        let url = url.clone();
        async move { lead(&url).await.status }
    });
    for path in ["/healthz", "/readyz"] {
        assert_eq!(read(operators, path).await.status, 200, "{path}");
    }
    assert!(!waiting.is_finished());
    drop(held);
    assert_eq!(waiting.await.unwrap(), 201);
    assert!(collector.terminate());
}

/// The paths that each address answers, with a separate address for operators and without.
#[actix_web::test]
async fn two_addresses() {
    let storage = Storage::new(Backend::Sled);
    let collector = Collector::start_apart(&storage, "");
    assert_ne!(collector.url, collector.operator_url);
    for (path, public, operators) in [
        ("/healthz", 404, 200),
        ("/readyz", 404, 200),
        ("/metrics", 404, 200),
        ("/c/s.js", 200, 404),
        ("/v1/leads", 401, 404),
        ("/export", 404, 404),
    ] {
        let (public_url, operator_url) = (&collector.url, &collector.operator_url);
        for (url, expected) in [(public_url, public), (operator_url, operators)] {
            let got = read(url, path).await;
            assert_eq!(got.status, expected, "{url}{path}: {}", got.text);
            assert!(got.headers.contains_key("x-request-id"));
        }
    }
    assert!(collector.terminate());
    let collector = Collector::start(&storage, "");
    assert_eq!(collector.url, collector.operator_url);
    assert_eq!(read(&collector.url, "/readyz").await.status, 200);
    assert!(collector.terminate());
}

#[actix_web::test]
async fn connections_are_limited_per_client() {
    let app = app(&limits(100, 5, 600), |_| {});
    let metric = async |name: &str| app.metric(name).await as usize;
    let mut held = join_all((0..5).map(|_| Raw::sending(&app.url, "127.0.0.2", "GET /"))).await;
    until("they are counted", async || metric("clew_connections").await >= 5).await;
    for _ in 0..10 {
        let more = Raw::sending(&app.url, "127.0.0.2", &get("/c/s.js")).await;
        let came = more.read_to_end().await;
        assert!(came.is_empty() || came.starts_with("HTTP/1.1 503 "), "{came}");
    }
    assert_eq!(metric(&refused("client_connections")).await, 10);
    // Another client is served, and so is this one after it closes a connection.
    for from in ["127.0.0.3", "127.0.0.2"] {
        let served = async || {
            let raw = Raw::sending(&app.url, from, &get("/healthz")).await;
            raw.read_until("ok\n").await.starts_with("HTTP/1.1 200 ")
        };
        until("it is served", served).await;
        held.pop();
    }
    app.stop().await;
}

#[actix_web::test]
async fn a_client_that_fails_too_often_cannot_connect() {
    let app = app(&(limits(100, 100, 600) + HOOK), |_| {});
    // Nearly the largest body, of which nothing comes after the head.
    let unsigned = post("/hooks/sales", &[], 1 << 20);
    let mut statuses = Vec::new();
    for _ in 0..103 {
        let raw = Raw::sending(&app.url, "127.0.0.2", &unsigned).await;
        let came = raw.read_until("\r\n\r\n").await;
        statuses.push(came.get(9..12).unwrap_or_default().to_owned());
    }
    let (refused_401, rest) = statuses.split_at(101);
    assert!(refused_401.iter().all(|status| status == "401"), "{statuses:?}");
    assert!(rest.iter().all(|status| matches!(status.as_str(), "503" | "")), "{statuses:?}");
    assert_eq!(app.metric(&refused("client_failures")).await, 2);
    let other = Raw::sending(&app.url, "127.0.0.3", &get("/healthz")).await;
    assert!(other.read_until("ok\n").await.starts_with("HTTP/1.1 200 "));
    app.stop().await;
}

#[actix_web::test]
async fn a_proxys_connections_are_not_limited() {
    let app = app(&limits(100, 2, 600), |config| {
        config.trusted_proxies = vec![Network::try_from("127.0.0.2/32".to_owned()).unwrap()];
    });
    let sent = get("/healthz");
    let open = join_all((0..20).map(|_| Raw::sending(&app.url, "127.0.0.2", &sent))).await;
    for raw in &open {
        let came = raw.read_until("ok\n").await;
        assert!(came.starts_with("HTTP/1.1 200 "), "{came}");
    }
    app.stop().await;
}

/// Connections that make no progress, most of them after a first request that was answered.
#[actix_web::test]
async fn stalled_connections_are_closed() {
    let app = app(&limits(100, 100, 1), |_| {});
    // The client drips the next head.
    let raw = Raw::sending(&app.url, "127.0.0.2", &get("/healthz")).await;
    assert!(raw.read_until("ok\n").await.starts_with("HTTP/1.1 200 "));
    raw.send(b"GET /healthz HTTP/1.1\r\nx: ").await;
    assert_eq!(raw.drip().await, "");
    assert_eq!(app.metric(&refused("slow_connection")).await, 1);
    // The client sends requests on and on, and reads nothing.
    let raw = Raw::connect(&app.url, "127.0.0.2").await;
    let many = get("/c/s.js").repeat(1_000);
    let sent = async { while raw.send(many.as_bytes()).await {} };
    timeout(Duration::from_secs(20), sent).await.expect("the connection was not closed");
    // On a busy machine, this test's own idle connection may count, too.
    assert!(app.metric(&refused("slow_connection")).await >= 2);
    // The client drips its first head.
    let raw = Raw::sending(&app.url, "127.0.0.2", "GET /c/s.js HTTP/1.1\r\nx: ").await;
    let came = raw.drip().await;
    assert!(came.starts_with("HTTP/1.1 408 "), "{came}");
    app.stop().await;
}

/// Paths, with the headers sent before 1 MiB, and the responses that come before all of it has
/// arrived.
#[actix_web::test]
async fn bodies_of_strangers_do_not_fill_the_memory() {
    let settings = limits(1_200, 1_000, 600) + HOOK;
    let collector = Collector::start_apart(&Storage::new(Backend::Sled), &settings);
    let at_first = collector.peak_memory();
    #[expect(clippy::disallowed_methods, reason = "the collector uses the machine's clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let (at_ms, at_s) = (now.as_millis().to_string(), now.as_secs().to_string());
    let forged = &FORGED["v1,".len()..];
    let body = "x".repeat((1 << 20) - 1);
    // After 100 refusals, more connections of the same client are refused at once.
    let unsigned = &["401", "503"][..];
    let cases = [
        ("/hooks/sales", &[][..], unsigned),
        ("/hooks/sales/guessed", &[], unsigned),
        ("/hooks/nobody", &[], &["404"]),
        ("/hooks/zap", &[], unsigned),
        (
            "/hooks/zap",
            &[("webhook-id", "m"), ("webhook-timestamp", "1"), ("webhook-signature", FORGED)],
            unsigned,
        ),
        // A body that may be signed is read, as far as there is room. The others wait for their
        // last byte without a response.
        (
            "/hooks/sales",
            &[("x-hubspot-signature-v3", forged), ("x-hubspot-request-timestamp", &at_ms)],
            &["503", ""][..],
        ),
        (
            "/hooks/zap",
            &[("webhook-id", "m"), ("webhook-timestamp", &at_s), ("webhook-signature", FORGED)],
            &["413"][..],
        ),
        ("/c/e", &[("origin", "https://www.example.com")], &["413"][..]),
        ("/v1/leads", &[], unsigned),
    ];
    for (place, (path, headers, answers)) in cases.into_iter().enumerate() {
        let (url, from) = (&collector.url, format!("127.0.1.{place}"));
        let head = post(path, headers, 1 << 20);
        let send = async |_: usize| {
            let raw = Raw::sending(url, &from, &head).await;
            let sent = timeout(Duration::from_secs(5), raw.send(body.as_bytes())).await;
            (raw, sent)
        };
        let sent = join_all((0..500).map(send)).await;
        let mut seen = 0;
        for (raw, _) in &sent {
            let came = timeout(Duration::from_millis(1), raw.read_until("\r\n")).await;
            let came = came.unwrap_or_default();
            let status = came.split(' ').nth(1).unwrap_or_default();
            // The end of the connection may have overtaken the response.
            assert!(status.is_empty() || answers.contains(&status), "{path} {headers:?}: {came}");
            seen += usize::from(status == answers[0]);
        }
        assert!(seen > 0, "{path} {headers:?}");
        drop(sent);
        // Of 500 MiB that are sent each time.
        let grown = (collector.peak_memory() - at_first) >> 20;
        assert!(grown < 250, "{path} {headers:?}: {grown} MiB");
    }
    assert_eq!(lead(&collector.url).await.status, 201);
    assert!(collector.terminate());
}

#[actix_web::test]
async fn one_kind_of_bodies_leaves_room_for_others() {
    let app = app(&limits(1_000, 1_000, 600), |_| {});
    // More than 32 MiB of batches, each without its last byte.
    let head = post("/c/e", &[("origin", "https://www.example.com")], 65_536);
    let text = head + &"x".repeat(65_535);
    let held = join_all((0..600).map(|_| Raw::sending(&app.url, "127.0.0.2", &text))).await;
    until("there is no room for more", async || app.metric(&refused("body_memory")).await > 0)
        .await;
    let batch = "x".repeat(60_000);
    let refused = app.send(batch.clone()).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(lead(&app.url).await.status, 201);
    drop(held);
    until("there is room again", async || app.send(batch.clone()).await.status == 400).await;
    app.stop().await;
}
