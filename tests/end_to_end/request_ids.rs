//! Request ids: in the response, in a problem, and in the log.

use clew_core::Clock;
use tests::app::{NOW_MS, TestApp, answer, client};
use tests::process::Collector;
use tests::settings::{KEY, WEBHOOK_SECRET};
use tests::storage::{Backend, Storage};

/// The id that a client sends, whether it comes through a trusted proxy, and whether it is used.
#[actix_web::test]
async fn every_response_has_an_id() {
    for (proxies, sent, taken_over) in [
        ("", None, false),
        ("", Some("from-anybody"), false),
        ("trusted_proxies = [\"10.0.0.0/8\"]", Some("from-anybody"), false),
        ("trusted_proxies = [\"127.0.0.0/8\"]", None, false),
        ("trusted_proxies = [\"127.0.0.0/8\"]", Some("from-the-proxy"), true),
        ("trusted_proxies = [\"127.0.0.0/8\"]", Some("not plain"), false),
    ] {
        let adjust = |config: &mut collector::config::Config| {
            let read = collector::config::Config::parse(proxies, &[]).unwrap();
            config.trusted_proxies = read.trusted_proxies;
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let app =
            TestApp::start_adjusted(Backend::Sled, listener, "", Clock::fixed(NOW_MS), adjust);
        let mut ids = Vec::new();
        for (path, status) in [
            ("/readyz", 200),
            ("/nowhere", 404),
            ("/v1/leads/nobody", 404),
            ("/v1/leads?limit=x", 422),
        ] {
            let mut request = app.request(reqwest::Method::GET, path).bearer_auth(KEY);
            if let Some(id) = sent {
                request = request.header("x-request-id", id);
            }
            let got = answer(request).await;
            assert_eq!(got.status, status, "{path}: {}", got.text);
            let id = got.headers["x-request-id"].to_str().unwrap().to_owned();
            match got.headers["content-type"].to_str().unwrap() {
                "application/problem+json" => assert_eq!(got.json["request_id"], id, "{path}"),
                _ => assert!(!got.text.contains(&id)),
            }
            assert_eq!(sent == Some(id.as_str()), taken_over, "{proxies} {sent:?}: {id}");
            ids.push(id);
        }
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), if taken_over { 1 } else { 4 }, "{ids:?}");
        app.stop().await;
    }
}

#[actix_web::test]
async fn lines_of_the_log_name_their_request() {
    let settings =
        format!("[[inbound]]\nname = \"zap\"\nsite = \"demo\"\nsecret = \"{WEBHOOK_SECRET}\"\n");
    let collector = Collector::start(&Storage::new(Backend::Sled), &settings);
    let request = client().post(format!("{}/hooks/zap", collector.url)).body("{}");
    let got = answer(request).await;
    assert_eq!(got.status, 401, "{}", got.text);
    let id = got.headers["x-request-id"].to_str().unwrap();
    let line = collector.line_with("a webhook was refused");
    assert!(line.contains(id) && line.contains("POST"), "{line}");
    assert!(collector.terminate());
}
