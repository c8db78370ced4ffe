//! A client that sends too much is told when to come again, and no other client notices.

use clew_core::Clock;
use collector::config::{Config, RatesConfig};
use reqwest::Method;
use serde_json::json;
use std::net::TcpListener;
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::storage::Backend;
use tests::wire::{batch, new_event, new_visitor, view};

tests::both_stores!(excess_is_refused_and_accepted_later, a_proxy_forwards_many_clients);

const HOME: &str = "https://www.example.com/";

fn start(backend: Backend, adjust: impl FnOnce(&mut Config)) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(backend, listener, "", Clock::fixed(NOW_MS), adjust)
}

/// Sends a batch of page views of a new visitor, forwarded by a proxy for a client.
async fn sends(app: &TestApp, client: &str, views: usize) -> Answer {
    let now_ms = app.app.core.now_ms();
    let views: Vec<_> = (0..views).map(|_| view(new_event(now_ms), now_ms, HOME, "")).collect();
    let body = batch(&new_visitor().to_text(), now_ms, &views);
    let request = app.request(Method::POST, "/c/e").header("origin", "https://www.example.com");
    answer(request.header("x-forwarded-for", client).body(body)).await
}

async fn excess_is_refused_and_accepted_later(backend: Backend) {
    let app = start(backend, |config| {
        config.rates = RatesConfig { client_per_second: 10, client_burst: 20, ..config.rates };
    });
    assert_eq!(sends(&app, "", 20).await.status, 202);
    let refused = sends(&app, "", 10).await;
    assert_eq!((refused.status, &refused.json["type"]), (429, &json!("/problems/rate_limited")));
    assert_eq!(refused.headers["retry-after"], "2");
    assert_eq!(refused.headers["access-control-expose-headers"], "Retry-After");
    assert_eq!(app.metric("clew_events_total{outcome=\"rate_limited\"}").await, 10);
    assert_eq!(app.metric("clew_limited_total{by=\"client\"}").await, 1);
    // Leads do not count as page views.
    let lead = json!({ "contact": { "email": "a@example.com" } });
    assert_eq!(app.post_lead(&lead).await.status, 201);
    app.app.core.clock.advance_ms(2_000);
    assert_eq!(sends(&app, "", 10).await.status, 202);
    app.stop().await;
}

async fn a_proxy_forwards_many_clients(backend: Backend) {
    let app = start(backend, |config| {
        config.rates = RatesConfig { client_per_second: 10, client_burst: 20, ..config.rates };
        config.trusted_proxies = vec!["127.0.0.1".to_owned().try_into().unwrap()];
    });
    for (client, status) in [
        ("203.0.113.1", 202),
        ("203.0.113.1", 429),
        ("203.0.113.2", 202),
        ("2001:db8::1", 202),
        ("2001:db8::2", 429),
        ("2001:db8:0:1::2", 202),
    ] {
        assert_eq!(sends(&app, client, 20).await.status, status, "{client}");
    }
    app.stop().await;
}
