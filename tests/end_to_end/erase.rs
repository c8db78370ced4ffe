//! `clew erase visitors`: visitors without a lead are erased as a dry run shows, with and without a
//! running collector.

use clew_store::visitor::Row;
use clew_store::{Arrival, Arrivals, Entity, Store};
use shared::ids::{LeadId, VisitorId};
use shared::page_view::PageView;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tests::crowd::Crowd;
use tests::full;
use tests::postgres::Server;
use tests::process::{Collector, CommandOutput, checked, clew, succeeds};
use tests::storage::{Backend, Storage};
use tests::story::scene::proposal;
use tests::story::{arrivals, conversion, convert, page_view};
use tests::wire::new_visitor;

tests::both_stores!(
    visitors_without_a_lead_are_erased,
    a_collector_at_work_goes_on,
    impossible_arguments_are_refused,
);

/// 2020-05-20, long before everything else.
const OLD_MS: i64 = 1_590_000_000_000;

/// Creates a visitor at that time, with two page views.
async fn a_visitor(store: &dyn Store, flags: [Option<&str>; 2]) -> VisitorId {
    let visitor = new_visitor();
    let view =
        |flag: Option<&str>| PageView { bot: flag.map(Into::into), ..page_view(OLD_MS, "google") };
    let events = flags.map(|flag| Arrival::View(Box::new(view(flag)))).into();
    let batch = Arrivals { received_at_ms: OLD_MS, ..arrivals(visitor, events) };
    store.ingest(batch).await.unwrap();
    visitor
}

/// Four bots, two of which proposed somebody; one that became a lead; two people.
async fn fill(storage: &Storage) {
    let store = storage.open();
    full::fill(&*store, 1_000).await;
    let program = [Some("webdriver"), Some("prefetch")];
    for number in 0..4 {
        let visitor = a_visitor(&*store, program).await;
        if number < 2 {
            let mut new = proposal(OLD_MS, visitor, "program@example.com");
            new.destinations = full::DESTINATIONS.map(Into::into).into();
            convert(&*store, new).await;
        }
    }
    let lead = a_visitor(&*store, program).await;
    convert(&*store, conversion(OLD_MS, Some(lead), "old@example.com", None)).await;
    a_visitor(&*store, [Some("webdriver"), None]).await;
    a_visitor(&*store, [None, None]).await;
    store.close().await.unwrap();
}

fn erase(storage: &Storage, arguments: &[&str]) -> CommandOutput {
    clew(storage, &[&["erase", "visitors"], arguments].concat())
}

async fn everything(storage: &Storage) -> Vec<Entity> {
    let store = storage.open();
    let (mut all, mut entities) = (Vec::new(), store.export());
    while let Some(entity) = entities.next().await {
        all.push(entity.unwrap());
    }
    store.close().await.unwrap();
    all
}

/// An export's entities, in any order.
fn as_texts(entities: impl IntoIterator<Item = Entity>) -> BTreeSet<String> {
    entities.into_iter().map(|entity| serde_json::to_string(&entity).unwrap()).collect()
}

/// What remains when the visitors without a lead that fit are erased, with everything that goes
/// with them; and how many visitors, page views and leads go.
fn rest(all: Vec<Entity>, fits: impl Fn(&[&PageView]) -> bool) -> (Vec<Entity>, [usize; 3]) {
    let (mut proposed, mut gone) = (BTreeSet::<LeadId>::new(), [0; 3]);
    let mut rest = all;
    rest.retain(|entity| {
        let Entity::Visitor { record, events, .. } = entity else { return true };
        let views = events.iter().filter_map(|event| match &event.row {
            Row::View(view) => Some(&**view),
            _ => None,
        });
        let views: Vec<&PageView> = views.collect();
        if record.lead.is_some() || !fits(&views) {
            return true;
        }
        proposed.extend(record.proposed);
        gone[0] += 1;
        gone[1] += views.len();
        false
    });
    gone[2] = proposed.len();
    rest.retain(
        |entity| !matches!(entity, Entity::Lead { lead, .. } if proposed.contains(&lead.id)),
    );
    (rest, gone)
}

fn message(how: &str, [visitors, page_views, leads]: [usize; 3]) -> String {
    format!(
        "{how}: {visitors} visitors with {page_views} page views, and {leads} leads that their pages proposed\n"
    )
}

/// The number of rows, in all tables, whose lead or visitor does not exist.
fn orphans(storage: &Storage) -> String {
    let Storage::Postgres(database) = storage else { return "0".into() };
    let of = |table: &str| {
        format!(
            "(SELECT count(*) FROM clew.{table} WHERE lead NOT IN (SELECT lead FROM clew.leads))"
        )
    };
    let all =
        ["conversions", "deliveries", "records", "identities", "used_keys"].map(of).join(" + ");
    let events = "(SELECT count(*) FROM clew.events WHERE (site, visitor) NOT IN
        (SELECT site, visitor FROM clew.visitors))";
    Server::shared().psql(database.name(), &format!("SELECT {all} + {events}"))
}

async fn visitors_without_a_lead_are_erased(backend: Backend) {
    let storage = Storage::new(backend);
    fill(&storage).await;
    let before = checked(&storage);
    let is_flagged =
        |views: &[&PageView]| !views.is_empty() && views.iter().all(|view| view.bot.is_some());
    let is_old = |views: &[&PageView]| views.iter().all(|view| view.at_ms == OLD_MS);

    let bots = ["--site", "demo", "--flagged", "bots"];
    let (rest_of_bots, gone) = rest(everything(&storage).await, is_flagged);
    assert_eq!(gone, [4, 8, 2]);
    let dry = succeeds(erase(&storage, &[&bots[..], &["--dry-run"]].concat()));
    let expected = message("would be erased", gone) + "dry run: nothing was written\n";
    assert_eq!(dry, expected);
    assert_eq!(checked(&storage), before, "a dry run changed something");
    // All given criteria must hold.
    let none = succeeds(erase(&storage, &[&bots[..], &["--before", "2020-05-20"]].concat()));
    assert_eq!(none, message("erased", [0; 3]));
    assert_eq!(checked(&storage), before);

    assert_eq!(succeeds(erase(&storage, &bots)), message("erased", gone));
    assert_eq!(as_texts(everything(&storage).await), as_texts(rest_of_bots.clone()));
    checked(&storage);
    assert_eq!(succeeds(erase(&storage, &bots)), message("erased", [0; 3]), "nothing is left");

    let (rest_of_old, gone) = rest(rest_of_bots, is_old);
    assert_eq!(gone, [2, 4, 0]);
    let old = ["--site", "demo", "--before", "2020-05-21T00:00:00Z"];
    assert_eq!(succeeds(erase(&storage, &old)), message("erased", gone));
    assert_eq!(as_texts(everything(&storage).await), as_texts(rest_of_old.clone()));

    // All visitors without a lead, among them one whose history is summed up, and proposals of
    // visitors whose join was undone.
    let (with_leads, [visitors, _, leads]) = rest(rest_of_old, |_| true);
    let all = ["--site", "demo", "--before", "2026-11-23"];
    let dry = succeeds(erase(&storage, &[&all[..], &["--dry-run"]].concat()));
    let made = succeeds(erase(&storage, &all));
    assert!(made.starts_with(&format!("erased: {visitors} visitors with ")), "{made}");
    assert!(made.ends_with(&format!(", and {leads} leads that their pages proposed\n")), "{made}");
    assert!(dry.starts_with(&format!("would be {made}")), "{dry} {made}");
    assert_eq!(as_texts(everything(&storage).await), as_texts(with_leads));
    assert!(visitors > 20, "{visitors}");
    checked(&storage);
    assert_eq!(orphans(&storage).trim(), "0");
}

async fn a_collector_at_work_goes_on(backend: Backend) {
    let storage = Arc::new(Storage::new(backend));
    fill(&storage).await;
    let collector = Collector::start(&storage, "");
    let crowd = Crowd::gather(vec![collector.url.clone()], 8);
    crowd.goes_on(50).await;

    let run = async |arguments: &'static [&'static str]| {
        // A command reads no further than it needs; until the collector notices, its export runs on.
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        for look in 0.. {
            looks.tick().await;
            let storage = Arc::clone(&storage);
            let run = move || erase(&storage, arguments);
            let output = tokio::task::spawn_blocking(run).await.unwrap();
            if output.success || !output.text.contains("another export") {
                return succeeds(output);
            }
            assert!(look < 100, "the export before never ended: {}", output.text);
        }
        unreachable!("the loop has no end")
    };
    let gone = [6, 12, 2];
    let dry = run(&["--site", "demo", "--before", "2021-01-01", "--dry-run"]).await;
    assert!(dry.starts_with(&message("would be erased", gone)), "{dry}");
    assert_eq!(run(&["--site", "demo", "--before", "2021-01-01"]).await, message("erased", gone));
    if backend == Backend::Sled {
        collector.line_with("a command erased visitors");
    }
    assert_eq!(run(&["--site", "demo", "--before", "2021-01-01"]).await, message("erased", [0; 3]));
    crowd.goes_on(50).await;
    assert_eq!((crowd.refused(), crowd.unanswered()), (0, 0));
    let all = crowd.stop().await;
    assert!(collector.terminate());
    checked(&storage);
    assert_eq!(orphans(&storage).trim(), "0");
    all.is_in(&*storage.open()).await;
}

async fn impossible_arguments_are_refused(backend: Backend) {
    let storage = Storage::new(backend);
    storage.open().close().await.unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let output = erase(&storage, arguments);
        assert!(
            !output.success && output.text.contains(expected),
            "{arguments:?}: {}",
            output.text
        );
    };
    check(&["--site", "demo"], "<--before <DATE>|--flagged <KIND>>");
    check(&["--before", "2026-11-21"], "--site <SITE>");
    check(&["--site", "demo", "--flagged", "people"], "[possible values: bots]");
    check(
        &["--site", "demo", "--before", "21.11.2026"],
        "should be a date or time such as 2026-11-21",
    );
    check(&["--site", "Demo", "--before", "2026-11-21"], "1 to 32 characters of a-z");
    let unknown = "neither the configuration nor the store has a site `nowhere`";
    check(&["--site", "nowhere", "--before", "2026-11-21"], unknown);
}
