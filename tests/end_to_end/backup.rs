//! Backups and exports of a sled store while its collector runs: each shows a single moment,
//! complete or not at all.

use clew_store::Store;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tests::crowd::{Acknowledged, Crowd};
use tests::full::fill;
use tests::load::hold_together;
use tests::process::{Collector, CommandOutput, clew, command};
use tests::storage::{Backend, Storage};

/// The longest that a browser may wait for a response during a backup, with other tests running.
const LONGEST: Duration = Duration::from_secs(5);

/// A store with data.
async fn with_data(page_views: usize) -> Storage {
    let storage = Storage::new(Backend::Sled);
    let store = storage.open();
    fill(&*store, page_views).await;
    store.close().await.unwrap();
    storage
}

/// Runs a command while the test's own clients go on.
async fn run_during_traffic(storage: &Arc<Storage>, arguments: &[&str]) -> CommandOutput {
    let storage = Arc::clone(storage);
    let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
    let run = move || clew(&storage, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[actix_web::test]
async fn a_running_collector_is_backed_up() {
    let storage = Arc::new(with_data(10_000).await);
    let collector = Collector::start(&storage, "");
    let crowd = Crowd::gather(vec![collector.url.clone()], 16);
    crowd.goes_on(200).await;

    let folder = tempfile::tempdir().unwrap();
    let before = crowd.acknowledged();
    let usual = crowd.longest();
    let output = run_during_traffic(&storage, &["backup", folder.path().to_str().unwrap()]).await;
    assert!(output.success, "{}", output.text);
    let longest = crowd.longest();
    let page_views = |all: &Acknowledged| all.events.values().map(BTreeSet::len).sum::<usize>();
    let meanwhile = page_views(&crowd.acknowledged()) - page_views(&before);
    assert!(meanwhile > 0, "nothing was written meanwhile");
    assert!(longest < LONGEST, "a response took {longest:?}, without a backup {usual:?}");

    // `check` asks the collector, which has the store open, and does not disturb it.
    let checked = run_during_traffic(&storage, &["check"]).await;
    assert!(checked.text.ends_with("the store is consistent\n"), "{}", checked.text);
    crowd.goes_on(100).await;
    assert_eq!((crowd.refused(), crowd.unanswered()), (0, 0));
    let all = crowd.stop().await;
    assert!(collector.terminate());

    let restored = Storage::new(Backend::Sled);
    let backup = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let restored_output = clew(&restored, &["restore", backup.to_str().unwrap()]);
    assert!(restored_output.success, "{}", restored_output.text);
    let checked = clew(&restored, &["check"]);
    assert!(checked.text.ends_with("the store is consistent\n"), "{}", checked.text);
    let digest = output.text.trim_end().rsplit(' ').next().unwrap();
    assert!(checked.text.contains(digest), "{}", checked.text);
    before.is_in(&*restored.open()).await;
    all.is_in(&*storage.open()).await;
}

/// Begins an export over the collector's socket, and reads only its start.
fn begin_export(storage: &Storage) -> UnixStream {
    let mut stream = UnixStream::connect(storage.folder().join("operator")).unwrap();
    stream.write_all(b"GET /export HTTP/1.1\r\nHost: collector\r\n\r\n").unwrap();
    let mut first = [0; 1_000];
    stream.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"));
    stream
}

/// Exports, once the collector has noticed that the client of another export is gone.
pub(crate) async fn export_after_another(storage: &Storage, file: &str) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    for look in 0.. {
        looks.tick().await;
        let answer = clew(storage, &["export", file]);
        if answer.success {
            return;
        }
        assert!(look < 100, "the first export never ended: {}", answer.text);
        assert!(answer.text.contains("another export or backup"), "{}", answer.text);
    }
}

#[actix_web::test]
async fn impossible_exports_say_why() {
    let storage = with_data(5_000).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.ndjson").to_str().unwrap().to_owned();
    let refused = |expected: &str| {
        let answer = clew(&storage, &["export", &file]);
        assert!(!answer.success && answer.text.contains(expected), "{expected}: {}", answer.text);
        assert_eq!(answer.text.lines().count(), 1, "{}", answer.text);
        assert_eq!(left_in(folder.path()), 0, "{expected}: it left files");
    };
    let collector = Collector::start(&storage, "");

    let other = begin_export(&storage);
    refused("another export or backup of this store is running; wait until it ends");
    drop(other);
    export_after_another(&storage, &file).await;
    std::fs::remove_file(&file).unwrap();

    // The collector is killed while a command reads, as soon as something was written.
    let (mut export, _config) = command(&storage, &["export", &file]);
    let export = export.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    while written_in(folder.path()) == 0 {
        looks.tick().await;
    }
    collector.kill();
    let ended = export.wait_with_output().unwrap();
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && text.contains("response was cut off"), "{text}");
    assert_eq!((text.lines().count(), left_in(folder.path())), (1, 0), "{text}");

    // A collector of an older version has no socket; one that was killed left its socket behind.
    let collector = Collector::start(&storage, "");
    std::fs::remove_file(storage.folder().join("operator")).unwrap();
    refused("the store is in use, and nothing answers on");
    let serve = clew(&storage, &["serve"]);
    let expected = "is in use by another process (a collector or a command): stop it";
    assert!(!serve.success && serve.text.contains(expected), "{}", serve.text);
    assert!(collector.terminate());
    assert!(clew(&storage, &["export", &file]).success);
}

fn left_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

fn written_in(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().metadata().map_or(0, |file| file.len())).sum()
}

/// Whatever is written during an export, the export shows a single moment: the browsers that leads
/// name, the leads that browsers name, and the journeys that page views make.
#[actix_web::test]
async fn an_export_under_writes_is_one_moment() {
    let storage = with_data(2_000).await;
    let store: Arc<dyn Store> = storage.open();
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            actix_web::rt::spawn(async move {
                let mut rounds = 0;
                while !stop.load(Ordering::SeqCst) {
                    fill(&*store, 200).await;
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    let mut views = Vec::new();
    for _ in 0..10 {
        views.push(hold_together(&*store).await.counts.page_views);
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        assert!(writer.await.unwrap() > 0);
    }
    assert!(views.is_sorted() && views[9] > views[0] + 1_000, "nothing was written: {views:?}");
}
