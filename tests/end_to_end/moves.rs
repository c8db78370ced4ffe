//! A store moves from one backend to the other and back, with the commands that an operator types:
//! nothing is lost or changed, and it goes on working. A file that is no complete export stores
//! nothing, and an import that is killed resumes.

use clew_store::{MemoKind, Settlement, Store};
use shared::limits;
use shared::outcome::Outcome;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tests::full::{ALL_DUE_MS, DESTINATIONS, FilledStore, claim, fill};
use tests::postgres::Server;
use tests::process::{Collector, clew, command};
use tests::storage::{Backend, Storage};
use tests::story::convert;

tests::both_stores!(an_incomplete_export_stores_nothing, a_killed_import_resumes);

const PAGE_VIEWS: usize = 100_000;

#[actix_web::test]
async fn a_store_moves_to_postgres_and_back() {
    #[expect(clippy::disallowed_methods, reason = "how much to move is this test's own setting")]
    let page_views =
        std::env::var("CLEW_MOVE_PAGE_VIEWS").map_or(PAGE_VIEWS, |views| views.parse().unwrap());
    let files = tempfile::tempdir().unwrap();
    let stations =
        [Storage::new(Backend::Sled), Storage::bare_database(), Storage::new(Backend::Sled)];
    let store = stations[0].open();
    let full = fill(&*store, page_views).await;
    store.close().await.unwrap();
    drop(store);
    assert!(succeeds(&stations[1], &["migrate"]).starts_with("ran V1__rows"));

    let mut reports = vec![checked(&stations[0])];
    for (number, pair) in stations.windows(2).enumerate() {
        // Compressed one way, plain the other.
        let file = file(&files, ["there.ndjson.gz", "back.ndjson"][number]);
        let wrote = succeeds(&pair[0], &["export", &file]);
        let digest = wrote.trim_end().rsplit(' ').next().unwrap();
        assert!(reports[0].contains(digest), "{wrote}");
        let stored = succeeds(&pair[1], &["import", &file]);
        assert!(stored.starts_with("stored "), "{stored}");
        reports.push(checked(&pair[1]));
    }
    let first = &reports[0];
    assert!(reports.iter().all(|other| other == first), "{reports:#?}");
    let all = page_views + limits::VISITOR_ROWS + 1;
    assert!(first.contains(&format!("{:<24} {all:>12}", "page views")), "{first}");
    assert!(first.ends_with("the store is consistent\n"), "{first}");

    for station in &stations[1..] {
        let store = station.open();
        goes_on(&*store, &full).await;
        store.close().await.unwrap();
    }
}

/// Asserts that what was stored is known, and that each waiting delivery is claimed once.
async fn goes_on(store: &dyn Store, full: &FilledStore) {
    for batch in &full.batches {
        let outcomes = store.ingest(batch.clone()).await.unwrap();
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Duplicate), "{outcomes:?}");
    }
    for memo in &full.memos {
        assert_eq!(store.memo(memo.kind, &memo.name).await.unwrap().as_ref(), Some(memo));
    }
    assert_eq!(store.memos(MemoKind::Lease, None, 9).await.unwrap(), []);
    for (new, lead) in full.conversions.iter().step_by(10) {
        // A repeat is found by its idempotency key if it has one, else by its own id.
        let again = convert(store, new.clone()).await;
        assert_eq!(again, (*lead, new.conversion.id, true));
    }
    for destination in DESTINATIONS {
        let mut claimed = BTreeSet::new();
        // Each lead's deliveries come one after the other.
        for at_ms in (1..).map(|minute| ALL_DUE_MS + minute * 60_000) {
            let some = claim(store, destination, at_ms, 200).await;
            if some.is_empty() {
                break;
            }
            for delivery in some {
                assert!(claimed.insert(delivery.id), "{delivery:?} was claimed twice");
                let (claim, sent) = (delivery.claims, Settlement::Sent { at_ms });
                store.settle_delivery(delivery.id, claim, sent).await.unwrap();
            }
        }
        assert!(claimed.len() > full.conversions.len() / 4, "{} are due", claimed.len());
    }
}

fn succeeds(storage: &Storage, arguments: &[&str]) -> String {
    let output = clew(storage, arguments);
    assert!(output.success, "{arguments:?}: {}", output.text);
    output.text
}

fn checked(storage: &Storage) -> String {
    succeeds(storage, &["check"])
}

fn file(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}

/// Exports a new store with this many page views. Returns the folder, the file, and the output of
/// `clew check`.
async fn exported(page_views: usize, name: &str) -> (TempDir, String, String) {
    let (source, folder) = (Storage::new(Backend::Sled), tempfile::tempdir().unwrap());
    let store = source.open();
    fill(&*store, page_views).await;
    store.close().await.unwrap();
    drop(store);
    let file = file(&folder, name);
    succeeds(&source, &["export", &file]);
    (folder, file, checked(&source))
}

/// Every error is one sentence with the file, the line and what is wrong.
async fn an_incomplete_export_stores_nothing(backend: Backend) {
    let (folder, good, source) = exported(300, "good.ndjson").await;
    let (_other_folder, packed, _) = exported(300, "good.ndjson.gz").await;
    let text = std::fs::read_to_string(&good).unwrap();
    let packed = std::fs::read(packed).unwrap();
    let lines = text.lines().count();
    let target = Storage::new(backend);
    // Creates a folder to check.
    target.open().close().await.unwrap();

    let check = |bytes: Option<&[u8]>, expected: &str| {
        let bad = file(&folder, "bad");
        let _ = std::fs::remove_file(&bad);
        if let Some(bytes) = bytes {
            std::fs::write(&bad, bytes).unwrap();
        }
        let answer = clew(&target, &["import", &bad]);
        assert!(!answer.success, "{expected}: {}", answer.text);
        let start = format!("clew: {bad} was not imported: ");
        let sentence = answer.text.strip_prefix(&start);
        let sentence = sentence.unwrap_or_else(|| panic!("{expected}: {}", answer.text));
        assert!(
            sentence.contains(expected) && sentence.lines().count() == 1,
            "{expected}: {sentence}"
        );
    };
    let edited = |from: &str, to: &str| Some(text.replacen(from, to, 1).into_bytes());
    let without_end = text.rsplitn(3, '\n').nth(2).unwrap().to_owned() + "\n";
    check(None, "No such file");
    check(Some(b""), "it is empty");
    check(Some(b"\x1f"), "line 1: the file is cut short");
    check(Some(b"id,name\n1,a\n"), "line 1: this is not a Clew export");
    check(Some(b"\xff\xfe\n"), "line 1: this is not a Clew export");
    check(edited("\"clew_export\":4", "\"clew_export\":1").as_deref(), "line 1: the format is 1");
    check(Some(&text.as_bytes()[..text.len() / 2]), "the file is cut short in this line");
    check(Some(without_end.as_bytes()), &format!("line {lines}: the file is cut short"));
    check(
        edited("www.example.com", "www.example.org").as_deref(),
        &format!("line {lines}: the file was changed"),
    );
    check(edited("{\"visitor\":", "{\"guest\":").as_deref(), "line 2: this is not a valid entity");
    check(
        Some((text.clone() + &text).as_bytes()),
        &format!("line {}: there is data after", lines + 1),
    );
    check(Some(&packed[..packed.len() / 2]), "it cannot be read");
    check(Some(&packed[..packed.len() - 4]), "it cannot be read");
    check(Some(&packed[..2]), "line 1: it cannot be read");

    let nothing = checked(&target);
    let zeros = nothing.lines().filter(|line| line.ends_with(&format!("{:>12}", 0))).count();
    assert_eq!(zeros, 14, "{nothing}");
    succeeds(&target, &["restore", &good]);
    assert_eq!(checked(&target), source);
    let again = clew(&target, &["import", &good]);
    assert!(!again.success && again.text.contains("already holds data"), "{}", again.text);
    assert_eq!(checked(&target), source);
}

/// How many parts of an import are stored.
fn parts_stored(target: &Storage) -> u64 {
    match target {
        Storage::Sled(_) => {
            let witness = std::fs::read(target.folder().join("witness")).unwrap_or_default();
            witness.try_into().map_or(0, u64::from_be_bytes)
        }
        Storage::Postgres(database) => {
            let parts = "SELECT coalesce(max(entities), 0) FROM clew.importing";
            Server::shared().psql(database.name(), parts).parse().unwrap()
        }
    }
}

/// A store with part of a file; `None` if the import ended before it was killed.
async fn half_imported(backend: Backend, file: &str) -> Option<Storage> {
    let target = Storage::new(backend);
    let (mut import, _config) = command(&target, &["import", file]);
    let mut import = import.stdout(Stdio::null()).spawn().unwrap();
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    while parts_stored(&target) == 0 && import.try_wait().unwrap().is_none() {
        looks.tick().await;
    }
    import.kill().unwrap();
    (!import.wait().unwrap().success()).then_some(target)
}

/// A collector's writes and an import would get in each other's way.
#[actix_web::test]
async fn an_import_refuses_a_store_in_use() {
    let (_folder, good, source) = exported(100, "good.ndjson.gz").await;
    let target = Storage::new(Backend::Postgres);
    let collector = Collector::start(&target, "");
    let refused = clew(&target, &["import", &good]);
    assert!(!refused.success && refused.text.contains("stop it, then import"), "{}", refused.text);
    assert!(collector.terminate());
    succeeds(&target, &["import", &good]);
    assert_eq!(checked(&target), source);
}

async fn a_killed_import_resumes(backend: Backend) {
    let (_folder, good, source) = exported(20_000, "good.ndjson.gz").await;
    let (_other_folder, other, _) = exported(10, "other.ndjson").await;
    let mut target = None;
    for _ in 0..5 {
        target = half_imported(backend, &good).await;
        if target.is_some() {
            break;
        }
    }
    let target = target.unwrap();

    let refused = |arguments: &[&str], expected: &str| {
        let answer = clew(&target, arguments);
        assert!(
            !answer.success && answer.text.contains(expected),
            "{arguments:?}: {}",
            answer.text
        );
    };
    // Nobody can work with a half-imported store, or copy it.
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["serve"][..],
        &["check"],
        &["export", &file(&folder, "half.ndjson")],
        &["backup", folder.path().to_str().unwrap()],
        &["demo", "--site", "demo"],
    ] {
        refused(arguments, "run `clew import` again with the same file");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    refused(&["import", &other], "continue with that file");
    let stored = succeeds(&target, &["import", &good]);
    assert!(stored.contains("of them in an earlier, interrupted import"), "{stored}");
    assert_eq!(checked(&target), source);
}
