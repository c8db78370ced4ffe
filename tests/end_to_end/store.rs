//! The story on both stores, and what can happen only to a folder on a disk.

use clew_store::sled::{Disk, Reserve, SledOptions, SledStore};
use clew_store::{
    Claim, Deliveries, DeliveriesOf, DeliveryFilter, Journeys, Leads, Maintenance, NewRecord,
    StoreError,
};
use flate2::read::GzDecoder;
use futures_util::{StreamExt, stream};
use shared::lifecycle::Stage;
use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::storage::{Backend, Storage};
use tests::story;

fn open(folder: &Path) -> Result<SledStore, StoreError> {
    let reserve = Reserve { warn_bytes: 0, min_bytes: 0 };
    let options = SledOptions { cache_bytes: 64 << 20, queue: 100, reserve, disk: Disk::Real };
    SledStore::open(folder, options)
}

tests::both_stores!(the_story_is_told, a_full_queue_is_busy, a_lead_is_read_as_of_one_moment,);

async fn the_story_is_told(backend: Backend) {
    let storage = Storage::new(backend);
    let store = storage.open();
    story::run(&*store).await;
    let remembered = story::remembered(&*store).await;
    story::a_closed_store_refuses(&*store).await;
    drop(store);
    remembered(&*storage.open()).await;
}

/// A full queue refuses at once, and nothing waits forever.
async fn a_full_queue_is_busy(backend: Backend) {
    let storage = Storage::new(backend);
    let settings =
        tests::settings::settings_for(&storage.url()).replace("[store]", "[store]\nqueue = 1");
    let config = collector::config::Config::parse(&settings, &[]).unwrap();
    let store = tests::storage::open_store(&config);
    // Page views, so that each commit waits for the disk while others arrive.
    let shown = || clew_store::Arrival::View(Box::new(story::page_view(story::START_MS, "")));
    let batch = || story::arrivals(tests::wire::new_visitor(), vec![shown()]);
    let results = futures_util::future::join_all((0..200).map(|_| store.ingest(batch()))).await;
    let busy = results.iter().filter(|result| matches!(result, Err(StoreError::Busy))).count();
    assert!(busy > 0 && results.iter().any(Result::is_ok), "{busy} of 200 were refused");
    assert_eq!(store.queued(), 0);
}

/// Each record is stored with its delivery in one step: a concurrent reader sees both or neither.
async fn a_lead_is_read_as_of_one_moment(backend: Backend) {
    const RECORDS: usize = 300;
    let storage = Storage::new(backend);
    let store = &*storage.open();
    let lead = story::a_lead(store, "one-moment@example.com").await;
    let write = async |number: usize| {
        let reference = number.to_string();
        let record = story::records::stage(Stage::Mql, story::START_MS, &reference);
        let (destinations, due_at_ms) = (vec!["crm".into()], i64::MAX / 4);
        let new = NewRecord { lead, record, crm_record: None, destinations, due_at_ms };
        store.record(new).await.unwrap();
    };
    let done = std::cell::Cell::new(false);
    let write_all = async {
        stream::iter(0..RECORDS).for_each_concurrent(4, write).await;
        done.set(true);
    };
    let read = async {
        let mut counts = std::collections::BTreeSet::new();
        while !done.get() {
            let dossier = store.dossiers(&[lead]).await.unwrap().pop().unwrap();
            // The conversion has a delivery, too.
            assert_eq!(dossier.records.len() + 1, dossier.deliveries.len());
            counts.insert(dossier.records.len());
            tokio::task::yield_now().await;
        }
        counts.len()
    };
    let (_, seen) = futures_util::future::join(write_all, read).await;
    assert!(seen > 10, "only {seen} different readings");
}

#[test]
fn a_folder_in_use_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let _held = open(folder.path()).unwrap();
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
}

type Damage = fn(&Path);

/// The engine's own view of a folder. A process that another test has just forked may hold the
/// folder's lock until it executes its program.
fn open_tree(folder: &Path) -> ::sled::Db {
    let patience = Instant::now() + Duration::from_secs(5);
    loop {
        match ::sled::open(folder.join("tree")) {
            Err(::sled::Error::Io(_)) if Instant::now() < patience => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// Every kind of damage is reported in a sentence, and no byte is lost.
#[actix_web::test]
async fn a_damaged_folder_says_so_and_is_kept() {
    let damages: [(&str, Damage); 8] = [
        ("a log cut short", |folder| {
            let log = std::fs::read(folder.join("tree/db")).unwrap();
            std::fs::write(folder.join("tree/db"), &log[..log.len() / 2]).unwrap();
        }),
        ("a log that lost its end", |folder| {
            let mut log = std::fs::read(folder.join("tree/db")).unwrap();
            let end = log.len();
            log[end - 4096..].fill(0);
            std::fs::write(folder.join("tree/db"), log).unwrap();
        }),
        ("a log that is gone", |folder| std::fs::remove_file(folder.join("tree/db")).unwrap()),
        ("a tree that is gone", |folder| std::fs::remove_dir_all(folder.join("tree")).unwrap()),
        ("foreign data", |folder| {
            let db = open_tree(folder);
            db.clear().unwrap();
            db.insert("key", "value").unwrap();
            db.flush().unwrap();
        }),
        ("another layout", |folder| {
            let db = open_tree(folder);
            db.insert("mversion", &99_u32.to_be_bytes()).unwrap();
            db.flush().unwrap();
        }),
        ("a broken configuration of the engine", |folder| {
            std::fs::write(folder.join("tree/conf"), "no configuration").unwrap();
        }),
        ("a folder that is a file", |folder| {
            std::fs::remove_dir_all(folder).unwrap();
            std::fs::write(folder, "x").unwrap();
        }),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        fill(&path).await;
        damage(&path);
        let before = bytes(&path);
        let error = open(&path).err().unwrap_or_else(|| panic!("{name} was not noticed"));
        let is_named = match name {
            "another layout" | "a folder that is a file" => {
                matches!(error, StoreError::Shut { .. })
            }
            _ => matches!(error, StoreError::Damaged { .. }),
        };
        assert!(is_named, "{name}: {error}");
        let remedy = match name {
            "another layout" => "its layout is 99, but this version reads 8. It was left as it is",
            "a folder that is a file" => "Nothing was changed; set store.url to a folder",
            _ => "It was left as it is. Keep a copy of it",
        };
        assert!(error.to_string().contains(remedy), "{name}: {error}");
        assert!(bytes(&path) == before, "{name}: the folder was changed");
    }
}

/// A folder as written by the version with layout 6: sixteen browsers, four leads, three deliveries
/// that wait for `crm`.
fn layout_6(folder: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/layout-6");
    std::fs::create_dir_all(folder.join("tree/blobs")).unwrap();
    for entry in std::fs::read_dir(fixture).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        match name {
            "witness" => std::fs::write(folder.join("witness"), bytes).unwrap(),
            "db.gz" => {
                let mut whole = Vec::new();
                GzDecoder::new(&*bytes).read_to_end(&mut whole).unwrap();
                std::fs::write(folder.join("tree/db"), whole).unwrap();
            }
            name => std::fs::write(folder.join("tree").join(name), bytes).unwrap(),
        }
    }
}

/// Asserts what a store upgraded from layout 6 must hold.
async fn holds_all_of_layout_6(store: &SledStore) {
    let counts = tests::load::hold_together(store).await.counts;
    assert_eq!((counts.visitors, counts.page_views, counts.actions), (16, 113, 1));
    assert_eq!((counts.leads, counts.conversions, counts.deliveries), (4, 4, 3));
    assert_eq!((counts.touches, counts.records, counts.identities), (36, 1, 4));
    let by_conversion = store.leads_by_conversion(&story::site(), None, 99).await.unwrap();
    let by_id = store.leads(&story::site(), None, 99).await.unwrap();
    assert_eq!((by_conversion.len(), by_id.len()), (4, 4));
    let of = DeliveriesOf::Destination("crm".into());
    let filter = DeliveryFilter { site: story::site(), of, state: None, after: None, limit: 99 };
    assert_eq!(store.deliveries(filter).await.unwrap().len(), 3);
    // The first waiting delivery of each of the two leads.
    let now_ms = i64::MAX / 4;
    let claim = Claim { destination: "crm".into(), now_ms, lease_until_ms: now_ms + 1, limit: 99 };
    assert_eq!(store.claim_deliveries(claim).await.unwrap().len(), 2);
}

/// The modes of a folder and of everything in it.
fn modes(path: &Path) -> Vec<(String, u32)> {
    let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let inside = std::fs::read_dir(path).into_iter().flatten();
    let inside = inside.flat_map(|entry| modes(&entry.unwrap().path()));
    [(path.display().to_string(), mode)].into_iter().chain(inside).collect()
}

#[actix_web::test]
async fn a_folder_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fill(&path).await;
    for (path, mode) in modes(&path) {
        std::fs::set_permissions(&path, Permissions::from_mode(mode | 0o055)).unwrap();
    }
    let _store = open(&path).unwrap();
    for (path, mode) in modes(&path) {
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
    }
}

#[actix_web::test]
async fn a_folder_of_another_user_is_refused() {
    const NOBODY: u32 = 65_534;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fill(&path).await;
    // Only root can change the owner.
    if std::os::unix::fs::chown(path.join("witness"), Some(NOBODY), None).is_err() {
        return;
    }
    let error = open(&path).err().unwrap().to_string();
    assert!(
        error.contains("witness belongs to user 65534, but this process runs as user 0"),
        "{error}"
    );
}

#[actix_web::test]
async fn a_folder_of_the_previous_layout_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    layout_6(folder.path());
    let store = open(folder.path()).unwrap();
    holds_all_of_layout_6(&store).await;
    store.close().await.unwrap();
    drop(store);
    let db = open_tree(folder.path());
    assert_eq!(db.get("mversion").unwrap().unwrap(), &8_u32.to_be_bytes());
}

/// A row that cannot be read stops the upgrade after others were rewritten; once it can be read
/// again, the upgrade resumes there.
#[actix_web::test]
async fn an_interrupted_upgrade_resumes() {
    let folder = tempfile::tempdir().unwrap();
    layout_6(folder.path());
    let last = {
        let db = open_tree(folder.path());
        let (key, value) = db.scan_prefix("v").next_back().unwrap().unwrap();
        db.insert(&key, &[9]).unwrap();
        db.flush().unwrap();
        (key, value)
    };
    assert!(matches!(open(folder.path()), Err(StoreError::Damaged { .. })));
    {
        let db = open_tree(folder.path());
        db.insert(&last.0, last.1).unwrap();
        db.flush().unwrap();
    }
    let store = open(folder.path()).unwrap();
    holds_all_of_layout_6(&store).await;
    store.close().await.unwrap();
}

/// Wherever a page of the log is overwritten: either the store reports the damage and keeps every
/// byte, or nothing that it acknowledged is missing.
#[actix_web::test]
async fn a_damaged_log_never_opens_with_losses() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound");
    fill(&sound).await;
    let log = std::fs::read(sound.join("tree/db")).unwrap();
    let mut refused = 0;
    for part in 0..8 {
        let path = folder.path().join(format!("store-{part}"));
        std::fs::create_dir_all(path.join("tree")).unwrap();
        for file in ["tree/conf", "witness"] {
            std::fs::copy(sound.join(file), path.join(file)).unwrap();
        }
        let mut log = log.clone();
        let at = log.len() / 8 * part;
        log[at..at + 512].iter_mut().for_each(|byte| *byte ^= 0xa5);
        std::fs::write(path.join("tree/db"), log).unwrap();
        let before = bytes(&path);
        match open(&path) {
            Err(error) => {
                refused += 1;
                assert!(matches!(error, StoreError::Damaged { .. }), "{part}: {error}");
                assert!(bytes(&path) == before, "{part}: the folder was changed");
            }
            Ok(store) => {
                let leads = store.leads(&story::site(), None, 10_000).await;
                assert!(
                    leads.is_err() || leads.unwrap().len() == LEADS,
                    "{part}: leads are missing"
                );
            }
        }
    }
    assert!(refused > 0, "no damage was noticed");
}

const LEADS: usize = 300;

/// Fills a store with enough commits for a log of some length, and closes it cleanly.
async fn fill(path: &Path) {
    let store = open(path).unwrap();
    for number in 0..LEADS {
        story::a_lead(&store, &format!("lead-{number}@example.com")).await;
    }
    store.close().await.unwrap();
}

/// The bytes of everything under a path, except the lock.
fn bytes(path: &Path) -> Vec<(String, Vec<u8>)> {
    if path.is_file() {
        return vec![(path.display().to_string(), std::fs::read(path).unwrap())];
    }
    let inside = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> =
        inside.filter(|path| !path.ends_with("lock")).flat_map(|path| bytes(&path)).collect();
    all.sort();
    all
}

/// A collector that died while it opened the store left a copy, from which the next one starts.
#[actix_web::test]
async fn an_interrupted_opening_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    fill(&path).await;
    std::fs::rename(path.join("tree"), path.join("before-opening")).unwrap();
    std::fs::create_dir(path.join("tree")).unwrap();
    std::fs::write(path.join("tree/db"), "half of something").unwrap();
    std::fs::create_dir(path.join("copying")).unwrap();
    let store = open(&path).unwrap();
    assert_eq!(store.leads(&story::site(), None, 10_000).await.unwrap().len(), LEADS);
    let left: Vec<_> =
        std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

/// A concurrent reader never gets half of a long value.
#[actix_web::test]
async fn long_values_are_read_whole_while_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(folder.path()).unwrap());
    let visitor = tests::wire::new_visitor();
    let view = |number: i64| {
        let source = format!("{}{}", ["google", "bing"][number as usize % 2], "x".repeat(200));
        clew_store::Arrival::View(Box::new(story::page_view(
            story::START_MS + number * 1_000,
            &source,
        )))
    };
    store.ingest(story::arrivals(visitor, (0..200).map(view).collect())).await.unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    #[expect(clippy::needless_collect, reason = "the readers have to run while the writer does")]
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, stop) = (std::sync::Arc::clone(&store), std::sync::Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut reads = 0;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let read = futures_util::FutureExt::now_or_never(
                        store.visitor(&story::site(), visitor),
                    );
                    assert!(read.unwrap().unwrap().unwrap().views >= 200);
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    for number in 200..500 {
        store.ingest(story::arrivals(visitor, vec![view(number)])).await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(readers.into_iter().map(|reader| reader.join().unwrap()).sum::<usize>() > 100);
}
