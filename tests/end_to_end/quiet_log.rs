//! What strangers send fills the metrics, not the log.

use futures_util::future::join_all;
use std::collections::BTreeMap;
use tests::app::{answer, client};
use tests::process::Collector;
use tests::raw::{Raw, post};
use tests::settings::WEBHOOK_SECRET;
use tests::storage::{Backend, Storage};

/// How often each request is sent.
const TIMES: usize = 300;

#[actix_web::test]
async fn strangers_cause_a_line_a_minute() {
    let settings = format!(
        "[limits]\nconnections_per_client = 10\n\
         [[inbound]]\nname = \"zap\"\nsite = \"demo\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
         [[crm]]\nname = \"sales\"\nsite = \"demo\"\ncurrency = \"EUR\"\n[crm.hubspot]\ntoken = \"t\"\nclient_secret = \"s\"\n"
    );
    let collector = Collector::start_apart(&Storage::new(Backend::Sled), &settings);
    let url = &collector.url;
    let kinds = [
        "\u{16}\u{3}\u{1} this is TLS, or nothing at all\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "GET /c/s.js HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000)),
        String::new(),
        post("/hooks/zap", &[("connection", "close")], 2) + "{}",
        post("/hooks/zap", &[("connection", "close"), ("authorization", "Bearer x")], 2) + "{}",
        post("/hooks/sales", &[("connection", "close")], 2) + "{}",
        post("/hooks/nobody", &[("connection", "close")], 2) + "{}",
        post("/c/e", &[("connection", "close")], 8) + "nonsense",
        // The body ends too early.
        post("/c/e", &[("connection", "close")], 500) + "nonsense",
        "GET /nowhere HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(),
        "BREW /c/e HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(),
    ];
    for (number, text) in kinds.into_iter().enumerate() {
        let from = format!("127.0.1.{number}");
        // Few enough at a time that none is refused for the number of connections.
        for _ in 0..TIMES / 10 {
            let send = async |_: usize| {
                let raw = Raw::sending(url, &from, &text).await;
                drop(raw.end().await);
            };
            join_all((0..10).map(send)).await;
        }
    }
    // More connections than one client may have.
    let held = join_all((0..TIMES).map(|_| Raw::sending(url, "127.0.0.3", "GET"))).await;
    let metrics = answer(client().get(format!("{}/metrics", collector.operator_url))).await.text;
    let refused = |reason: &str| -> usize {
        let line = format!("clew_refused_total{{reason=\"{reason}\"}} ");
        let value = metrics.lines().find_map(|found| found.strip_prefix(&line));
        value.unwrap().parse().unwrap()
    };
    // After a hundred of them, the client is refused when it connects.
    assert!(refused("webhook") > 100 && refused("client_failures") > TIMES, "{metrics}");
    assert!(refused("no_request") >= 5 * TIMES, "{metrics}");
    drop(held);
    let mut kinds = BTreeMap::new();
    let lines = collector.last_lines();
    for line in &lines {
        // Without the time, the request's id and the count.
        let message = line.split_once("count=").map_or(line.as_str(), |(message, _)| message);
        let message = message.rsplit(": ").next().unwrap_or_default().to_owned();
        *kinds.entry(message).or_insert(0) += 1;
    }
    // The test may touch two minutes, but is too quick for a third.
    assert!(lines.len() < 20, "{} lines: {kinds:#?}", lines.len());
    assert!(lines.iter().any(|line| line.contains("a webhook was refused")), "{kinds:#?}");
}
