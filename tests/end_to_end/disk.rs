//! Full disks and impossible folders: what was acknowledged is stored, what was refused is not half
//! stored, and commands and health checks say why.

use crate::backup::export_after_another;
use clew_store::sled::Disk;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tests::app::{TestApp, client};
use tests::crowd::{Acknowledged, Crowd};
use tests::full::fill;
use tests::load::{hold_together, page_of};
use tests::process::{Collector, clew, command, run, within};
use tests::settings::{destination, settings_for};
use tests::storage::{Backend, Storage};
use tests::wire::new_visitor;

/// The status of a collector's response.
async fn status(collector: &Collector, path: &str) -> u16 {
    client().get(format!("{}{path}", collector.url)).send().await.unwrap().status().as_u16()
}

/// Asserts after a restart that everything acknowledged is there, and nothing is incomplete.
async fn nothing_is_missing(storage: &Storage, acknowledged: &Acknowledged) {
    let store = storage.open();
    acknowledged.is_in(&*store).await;
    let counts = hold_together(&*store).await.counts;
    let of_a_lead = (counts.conversions, counts.deliveries, counts.identities, counts.used_keys);
    assert_eq!(of_a_lead, (counts.leads, counts.leads, counts.leads, counts.leads));
    // Each browser's last request may be stored although it was not acknowledged.
    let sure = acknowledged.leads.len() as u64;
    assert!((sure..=sure + BROWSERS as u64).contains(&counts.leads), "{counts:?}");
    store.close().await.unwrap();
}

const BROWSERS: usize = 16;

/// Wherever the log stops growing: everything until then is stored, nothing after is acknowledged,
/// and the same process goes on when there is room.
#[actix_web::test]
async fn a_full_disk_acknowledges_nothing_that_is_not_kept() {
    let settings = "[delivery]\nsettle_seconds = 86400\n".to_owned()
        + &destination("crm", "http://127.0.0.1:9/");
    for blocks in [2_048, 2_777, 4_095] {
        let storage = Storage::new(Backend::Sled);
        let collector = Collector::start_within(blocks, &storage, &settings);
        let crowd = Crowd::gather(vec![collector.url.clone()], BROWSERS);
        crowd.is_refused(200).await;
        assert_eq!(crowd.unanswered(), 0, "within {blocks} blocks it did not respond");
        assert_eq!(status(&collector, "/healthz").await, 200);
        let ready = client().get(format!("{}/readyz", collector.url)).send().await.unwrap();
        assert_eq!(
            (ready.status().as_u16(), &ready.headers()["retry-after"]),
            (503, &"60".parse().unwrap())
        );
        let ready = ready.text().await.unwrap();
        assert!(ready.contains("The store's disk is full (file too large)"), "{ready}");
        collector.line_with("the store is closed until its disk has free space");
        assert!(
            crowd.acknowledged().leads.len() > 10,
            "the disk was full before anything was stored"
        );

        collector.make_room();
        crowd.goes_on(200).await;
        assert_eq!(status(&collector, "/readyz").await, 200);
        let acknowledged = crowd.stop().await;
        assert!(collector.terminate());
        nothing_is_missing(&storage, &acknowledged).await;
    }
}

/// A collector that is stopped while it waits for room reports that by its exit status.
#[actix_web::test]
async fn a_collector_that_ends_on_a_full_disk_has_lost_nothing() {
    let storage = Storage::new(Backend::Sled);
    let settings = destination("crm", "http://127.0.0.1:9/");
    let collector = Collector::start_within(2_048, &storage, &settings);
    let crowd = Crowd::gather(vec![collector.url.clone()], BROWSERS);
    crowd.is_refused(200).await;
    let acknowledged = crowd.stop().await;
    assert!(!collector.terminate(), "it exited as if all were well");
    nothing_is_missing(&storage, &acknowledged).await;
}

/// When room is short, page views are refused first, so that leads still fit.
#[actix_web::test]
async fn page_views_yield_to_leads() {
    let free = Arc::new(AtomicU64::new(0));
    let app = TestApp::start_on_disk(Disk::Simulated(Arc::clone(&free)));
    let mut number = 0;
    let mut check = async |free_mib: u64, page_views: u16, leads: u16, ready: (u16, &str)| {
        free.store(free_mib << 20, Ordering::SeqCst);
        number += 1;
        let shown = app.send(page_of(&new_visitor().to_text())).await;
        let email = format!("person-{number}@example.com");
        let lead = app.post_lead(&json!({ "contact": { "email": email } })).await;
        assert_eq!((shown.status, lead.status), (page_views, leads), "{free_mib} MiB");
        for refused in [shown, lead].iter().filter(|answer| answer.status == 503) {
            assert_eq!(refused.json["type"], "/problems/store_full", "{}", refused.text);
            assert_eq!(refused.headers["retry-after"], "60");
        }
        let readiness = app.get("/readyz").await;
        assert_eq!(readiness.status, ready.0, "{}", readiness.text);
        assert!(readiness.text.contains(ready.1), "{}", readiness.text);
        assert_eq!(app.metric("clew_store_free_bytes{} ").await, free_mib << 20);
    };
    let short = "less than store.min_free_mib (512): page views are not stored";
    check(9_999, 202, 201, (200, "ready\n")).await;
    check(2_000, 202, 201, (200, "ready\n")).await;
    check(511, 503, 201, (200, short)).await;
    check(63, 503, 503, (503, "less than an eighth of store.min_free_mib (512)")).await;
    check(500, 503, 201, (200, short)).await;
    check(600, 202, 201, (200, "ready\n")).await;
    assert_eq!(app.metric("clew_events_total{outcome=\"overloaded\"} ").await, 3);
    app.stop().await;
}

#[actix_web::test]
async fn commands_say_that_the_disk_is_full() {
    let (storage, folder) = (Storage::new(Backend::Sled), tempfile::tempdir().unwrap());
    let store = storage.open();
    fill(&*store, 6_000).await;
    store.close().await.unwrap();
    drop(store);
    let file = folder.path().join("export.ndjson").to_str().unwrap().to_owned();
    let limited = |storage: &Storage, blocks: u32, arguments: &[&str], expected: &str| {
        let (command, _config) = command(storage, arguments);
        let mut limited = within(blocks);
        limited.args(command.get_args());
        let answer = run(limited);
        assert!(!answer.success && answer.text.contains(expected), "{}", answer.text);
        assert_eq!(answer.text.lines().count(), 1, "{}", answer.text);
    };
    limited(&storage, 1_000, &["check"], "File too large (os error 27). Free up space on its disk");
    // The export file is too large; the store is open in a collector, which has no such limit.
    let collector = Collector::start(&storage, "");
    let expected = format!("clew: {file} cannot be written: File too large (os error 27)\n");
    limited(&storage, 1_000, &["export", &file], &expected);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    export_after_another(&storage, &file).await;
    assert!(collector.terminate());

    // An import that the full disk cut off resumes once there is room.
    let target = Storage::new(Backend::Sled);
    let expected = format!("clew: {file} was not imported: the store's disk is full (");
    limited(&target, 4_000, &["import", &file], &expected);
    let answer = clew(&target, &["import", &file]);
    assert!(answer.success && answer.text.contains("interrupted import"), "{}", answer.text);
    let check = |storage| clew(storage, &["check"]).text;
    assert_eq!(check(&target), check(&storage));
}

#[actix_web::test]
async fn impossible_folders_say_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    let below_a_file = folder.path().join("file/store");
    let storage = Storage::new(Backend::Sled);
    for path in [below_a_file.to_str().unwrap(), "/proc/clew/store"] {
        for arguments in [&["serve"][..], &["import", "/dev/null"], &["check"]] {
            let (command, config) = command(&storage, arguments);
            let settings =
                settings_for(&storage.url()).replace(&storage.url(), &format!("sled:{path}"));
            std::fs::write(config.path(), settings).unwrap();
            let answer = run(command);
            let expected = match arguments[0] {
                "serve" => format!("the store's folder {path} cannot be opened: "),
                "import" => "it is empty".to_owned(),
                _ => format!("there is no store in {path}: check store.url"),
            };
            assert!(!answer.success && answer.text.contains(&expected), "{}", answer.text);
            assert_eq!(answer.text.lines().count(), 1, "{}", answer.text);
        }
    }
}
