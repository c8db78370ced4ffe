//! `clew reclassify`: history is labelled again by other rules, as a dry run shows, with and
//! without a running collector, and to the end however often it is cut off.

use clew_store::Entity;
use clew_store::visitor::{Row, trail};
use collector::check::Check;
use collector::config::Config;
use collector::settings::Settings;
use serde_json::Value;
use shared::ids::{EventId, VisitorId};
use shared::page_view::PageView;
use shared::source::{InternalTags, Label};
use shared::visit::Touch;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tests::app::client;
use tests::crowd::Crowd;
use tests::full;
use tests::postgres::Server;
use tests::process::{Collector, checked, clew, clew_with, command_with, succeeds};
use tests::settings::{KEY, settings_for};
use tests::storage::{Backend, Storage};
use tests::story::site;

tests::both_stores!(
    a_change_of_the_rules_is_shown_and_made,
    a_running_collector_is_not_disturbed,
    a_killed_run_is_resumed,
    sites_that_are_not_configured_are_left_alone,
);

/// An operator's own rules, and the folder with their file.
fn other_rules() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("sources.csv");
    std::fs::write(&file, "trade-weekly,social,trade-weekly.example\n").unwrap();
    let settings = format!(
        "[rules]\nsources = [{file:?}]\n\
         [[rules.channels]]\nname = \"search deal\"\nchannel = \"affiliates\"\nsource = \"google\"\n"
    );
    (folder, settings)
}

fn settings(storage: &Storage, more: &str) -> Settings {
    Settings::new(Config::parse(&(settings_for(&storage.url()) + more), &[]).unwrap()).unwrap()
}

/// What a store holds that depends on labels.
#[derive(Default)]
struct Held {
    views: HashMap<EventId, PageView>,
    touches: BTreeMap<VisitorId, Vec<Touch>>,
    owner: HashMap<EventId, VisitorId>,
    digest: String,
}

impl Held {
    async fn by(storage: &Storage) -> Self {
        let store = storage.open();
        let (mut held, mut check) = (Self::default(), Check::default());
        let mut entities = store.export();
        while let Some(entity) = entities.next().await {
            let entity = entity.unwrap();
            check.take(&entity).unwrap();
            held.take(entity);
        }
        store.close().await.unwrap();
        let report = check.finish();
        assert_eq!(report.problems, [""; 0]);
        held.digest = report.digest;
        held
    }

    fn take(&mut self, entity: Entity) {
        match entity {
            Entity::Visitor { visitor, events, .. } => {
                let trail = trail(events.iter().map(|event| event.row.clone()));
                self.touches.insert(visitor, trail.journey().touches);
                for event in events {
                    if let Row::View(view) = event.row {
                        self.owner.insert(view.id, visitor);
                        self.views.insert(view.id, *view);
                    }
                }
            }
            Entity::Lead { .. }
            | Entity::Identity { .. }
            | Entity::UsedKey { .. }
            | Entity::Unmatched(_)
            | Entity::Memo(_) => {}
        }
    }

    /// How many labels, touches and visitors differ, counted in the test's own way.
    fn differs_from(&self, before: &Self) -> (usize, usize, usize) {
        let differ = |(id, view): &(&EventId, &PageView)| before.views[id].label != view.label;
        let labels: Vec<_> = self.views.iter().filter(differ).map(|(id, _)| *id).collect();
        let visitors: BTreeSet<_> = labels.iter().map(|id| self.owner[id]).collect();
        let touches = |held: &Self| -> BTreeMap<EventId, Label> {
            let all = held.touches.values().flatten();
            all.map(|touch| (touch.page, touch.label.clone())).collect()
        };
        let (old, new) = (touches(before), touches(self));
        let pages: BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let touches = pages.into_iter().filter(|page| old.get(page) != new.get(page)).count();
        (labels.len(), touches, visitors.len())
    }

    fn assert_judged_by(&self, settings: &Settings) {
        let own = &settings.site("demo").unwrap().hosts;
        for view in self.views.values() {
            assert_eq!(view.rules, settings.rules.hash());
            assert_eq!(
                view.label,
                settings.rules.label(&view.evidence, &view.url, own, InternalTags::Ignore),
                "{view:?}"
            );
        }
    }
}

/// The second number of a row of the table.
fn changed(report: &str, row: &str) -> usize {
    let line =
        report.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{report}"));
    line.split_whitespace().next_back().unwrap().parse().unwrap()
}

/// The printed difference, without the last line.
fn difference(report: &str) -> String {
    let lines: Vec<&str> = report.lines().collect();
    lines[..lines.len() - 1].join("\n")
}

async fn a_change_of_the_rules_is_shown_and_made(backend: Backend) {
    let (storage, (_folder, rules)) = (Storage::new(backend), other_rules());
    let demo = ["demo", "--site", "demo", "--visitors", "200", "--until", "2026-11-01"];
    succeeds(clew(&storage, &demo));
    let first = checked(&storage);
    let before = Held::by(&storage).await;
    let reclassify = |more: &str, arguments: &[&str]| {
        succeeds(clew_with(&storage, more, &[&["reclassify"], arguments].concat()))
    };

    let same = reclassify("", &["--dry-run"]);
    assert_eq!((changed(&same, "page views"), changed(&same, "touches")), (0, 0), "{same}");

    let dry = reclassify(&rules, &["--dry-run"]);
    assert!(dry.ends_with("dry run: nothing was written\n"), "{dry}");
    assert_eq!(checked(&storage), first, "a dry run changed something");
    for part in [
        "organic_search           affiliates",
        "paid_search              affiliates",
        "referral                 organic_social",
        "is  organic_social: trade-weekly / ",
        "\"referrer_host\":\"trade-weekly.example\"",
        "/custom:search deal",
    ] {
        assert!(dry.contains(part), "{part}: {dry}");
    }

    let made = reclassify(&rules, &[]);
    assert_eq!(difference(&made), difference(&dry), "the run differs from the dry run");
    let after = Held::by(&storage).await;
    let (labels, touches, visitors) = after.differs_from(&before);
    assert!(labels > 50 && touches > 20 && visitors > 20, "{labels} {touches} {visitors}");
    let counts = ["page views", "touches", "visitors"].map(|row| changed(&dry, row));
    assert_eq!(counts, [labels, touches, visitors]);
    let written = format!(
        "written: {labels} labels of {visitors} visitors, which changed {touches} touches; {} page views are",
        before.views.len()
    );
    assert!(made.lines().next_back().unwrap().starts_with(&written), "{made}");
    after.assert_judged_by(&settings(&storage, &rules));
    let expected = format!("labelled by {:016x}", settings(&storage, &rules).rules.hash());
    assert_eq!(checked(&storage).matches("labelled by").count(), 1);
    assert!(checked(&storage).contains(&expected));

    let again = reclassify(&rules, &[]);
    assert!(
        again.contains("written: 0 labels of 0 visitors, which changed 0 touches; 0 page"),
        "{again}"
    );
    assert_eq!(Held::by(&storage).await.digest, after.digest);
    // And back again: nothing is lost.
    reclassify("", &["--examples", "0"]);
    assert_eq!(checked(&storage), first);
}

/// Runs it while the test's own clients go on.
async fn run_during_traffic(storage: &Arc<Storage>, rules: &str) -> String {
    let (storage, rules) = (Arc::clone(storage), rules.to_owned());
    let run = move || succeeds(clew_with(&storage, &rules, &["reclassify"]));
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn a_running_collector_is_not_disturbed(backend: Backend) {
    let (storage, (_folder, rules)) = (Arc::new(Storage::new(backend)), other_rules());
    let store = storage.open();
    let full = full::fill(&*store, 4_000).await;
    store.close().await.unwrap();
    drop(store);
    let collector = Collector::start(&storage, "");
    let crowd = Crowd::gather(vec![collector.url.clone()], 8);
    crowd.goes_on(50).await;

    let report = run_during_traffic(&storage, &rules).await;
    assert!(changed(&report, "page views") > 500, "{report}");
    let still = report.contains("the running collector still uses the rules");
    assert_eq!(still, backend == Backend::Sled, "{report}");
    // The leads' journeys follow.
    let mut of_google = Vec::new();
    for (_, lead) in full.conversions.iter().take(20) {
        let url = format!("{}/v1/leads/{lead}/journey", collector.url);
        let answer = client().get(url).bearer_auth(KEY).send().await.unwrap().text().await.unwrap();
        let journey: Value = serde_json::from_str(&answer).unwrap();
        let touches = journey["journey"]["touches"].as_array().unwrap();
        of_google.extend(touches.iter().filter(|touch| touch["source"] == "google").cloned());
    }
    assert!(of_google.len() > 5, "{of_google:?}");
    assert!(of_google.iter().all(|touch| touch["channel"] == "affiliates"), "{of_google:?}");

    collector.configure(&(settings_for(&storage.url()) + &rules));
    collector.hang_up();
    collector.line_with("the configuration was reloaded");
    // Everything that was labelled by the old settings is stored.
    crowd.goes_on(50).await;
    let report = run_during_traffic(&storage, &rules).await;
    assert!(!report.contains("still uses"), "{report}");
    crowd.goes_on(50).await;
    assert_eq!((crowd.refused(), crowd.unanswered()), (0, 0));
    let all = crowd.stop().await;
    assert!(collector.terminate());
    Held::by(&storage).await.assert_judged_by(&settings(&storage, &rules));
    all.is_in(&*storage.open()).await;
}

/// Whether a run has begun to write: some page views are labelled by other rules than the rest.
fn is_begun(storage: &Storage, commits: u64) -> bool {
    match storage {
        Storage::Sled(_) => commits_in(storage) > commits,
        Storage::Postgres(database) => {
            let others = "SELECT count(*) FROM clew.events WHERE document::text LIKE '{\"view\":%'
                AND document::text NOT LIKE '%\"rules\":1,%'";
            Server::shared().psql(database.name(), others) != "0"
        }
    }
}

/// Whether the database still has other connections: it completes the statements of a killed
/// program.
fn is_used(storage: &Storage) -> bool {
    let Storage::Postgres(database) = storage else { return false };
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid()";
    Server::shared().psql(database.name(), others) != "0"
}

fn commits_in(storage: &Storage) -> u64 {
    let witness = std::fs::read(storage.folder().join("witness")).unwrap_or_default();
    witness.try_into().map_or(0, u64::from_be_bytes)
}

async fn a_killed_run_is_resumed(backend: Backend) {
    let (_folder, rules) = other_rules();
    let mut kills = 0;
    for _ in 0..5 {
        let storage = Storage::new(backend);
        let store = storage.open();
        full::fill(&*store, 6_000).await;
        store.close().await.unwrap();
        drop(store);
        let before = Held::by(&storage).await;
        let commits = if backend == Backend::Sled { commits_in(&storage) } else { 0 };

        let (mut run, _config) = command_with(&storage, &rules, &["reclassify"]);
        let mut run = run.stdout(Stdio::null()).spawn().unwrap();
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        while !is_begun(&storage, commits) && run.try_wait().unwrap().is_none() {
            looks.tick().await;
        }
        run.kill().unwrap();
        if run.wait().unwrap().success() {
            continue;
        }
        while is_used(&storage) {
            looks.tick().await;
        }
        let half = Held::by(&storage).await;
        let (labels, ..) = half.differs_from(&before);
        kills += usize::from(labels > 0);
        let report = succeeds(clew_with(&storage, &rules, &["reclassify"]));
        let after = Held::by(&storage).await;
        after.assert_judged_by(&settings(&storage, &rules));
        assert_eq!(changed(&report, "page views"), after.differs_from(&half).0, "{report}");
        assert!(after.differs_from(&half).0 > 0);
        if kills > 0 {
            return;
        }
    }
    panic!("no run was cut off between two visitors");
}

async fn sites_that_are_not_configured_are_left_alone(backend: Backend) {
    let storage = Storage::new(backend);
    let store = storage.open();
    full::fill(&*store, 100).await;
    store.close().await.unwrap();
    drop(store);
    let before = checked(&storage);
    // The same store with a configuration that has only another site.
    let (_folder, rules) = other_rules();
    let config = tempfile::NamedTempFile::new().unwrap();
    let only = format!("[store]\nurl = \"{}\"\n", storage.url());
    let other = "[[sites]]\nname = \"other\"\nhosts = [\"other.example\"]\n";
    std::fs::write(config.path(), only + other + &rules).unwrap();
    let mut command = std::process::Command::new(tests::process::binary());
    command.args(["reclassify", "--config"]).arg(config.path());
    let report = succeeds(tests::process::run(command));
    let there = report.lines().find_map(|line| line.strip_prefix("page views"));
    let there = there.and_then(|line| line.split_whitespace().next()).unwrap();
    let left = format!("left unchanged: {there} page views of {}, which is not configured", site());
    assert!(report.contains(&left) && changed(&report, "page views") == 0, "{report}");
    assert_eq!(checked(&storage), before);
}
