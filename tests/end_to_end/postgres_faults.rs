//! A database in trouble: requests get 503 and store nothing, nothing acknowledged is lost, the log
//! says why, and the collector recovers by itself.

use clew_core::Clock;
use futures_util::future::join_all;
use serde_json::json;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tests::app::{NOW_MS, TestApp};
use tests::load::{Load, browse_once, hold_together, is_ready, is_refused, page_of, until};
use tests::postgres::Server;
use tests::process::Collector;
use tests::storage::{Backend, Storage};
use tests::visitors::contact;
use tests::wire::new_visitor;
use tokio::time::timeout;

/// The longest wait for a response when the database does not respond and statements are limited to
/// a second: the commit before the request's own, and its own.
const PATIENCE: Duration = Duration::from_secs(8);

/// A collector with one lane, whose statements take a second at most.
fn hurried(storage: Storage) -> TestApp {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    TestApp::start_adjusted(storage, listener, "", Clock::fixed(NOW_MS), |config| {
        config.store.statement_seconds = 1;
        config.store.connections = 3;
    })
}

/// Runs SQL in a database on the shared server.
fn psql(database: &str, sql: &str) -> String {
    Server::shared().psql(database, sql)
}

/// Ends all connections of collectors to a database.
const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                         WHERE application_name = 'clew collector' AND datname = current_database()";

#[actix_web::test]
async fn a_server_that_was_down_is_used_again() {
    let server = Arc::new(Server::start());
    let app = TestApp::start(Storage::on(&server));
    let load = Load::start(&app.url);
    load.is_acknowledged(100).await;
    for end in [Server::kill, Server::stop] {
        let ended = Arc::clone(&server);
        // On a separate thread, so that the clients go on sending.
        tokio::task::spawn_blocking(move || end(&ended)).await.unwrap();
        load.is_refused(20).await;
        assert!(!is_ready(&app.url).await);
        is_refused(&app.get("/v1/leads").await);
        let restarted = Arc::clone(&server);
        tokio::task::spawn_blocking(move || restarted.restart()).await.unwrap();
        load.is_acknowledged(100).await;
        until("it is ready", async || is_ready(&app.url).await).await;
    }
    load.is_kept_by(&*app.app.core.store).await;
    app.stop().await;
}

/// Connections are cut at any time, even during commits.
#[actix_web::test]
async fn connections_that_are_cut_lose_and_double_nothing() {
    let storage = Storage::new(Backend::Postgres);
    let mut session = Server::shared().session(storage.database());
    let app = TestApp::start(storage);
    let load = Load::start(&app.url);
    // Some may just have ended by themselves.
    session.run("SET client_min_messages = error");
    let mut cut = 0;
    for _ in 0..30 {
        load.is_acknowledged(10).await;
        cut += session.run(TERMINATE).parse::<usize>().unwrap();
    }
    assert!(cut > 60, "only {cut} connections were cut");
    load.is_acknowledged(100).await;
    load.is_kept_by(&*app.app.core.store).await;
    app.stop().await;
}

#[actix_web::test]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = Server::start();
    let app = hurried(Storage::on(&server));
    let visitors: Vec<_> = (0..5).map(|_| new_visitor().to_text()).collect();
    let bodies: Vec<_> = visitors.iter().map(|visitor| page_of(visitor)).collect();
    assert_eq!(app.send(bodies[0].clone()).await.status, 202);

    server.suspend();
    let answers = timeout(PATIENCE, async {
        let person = json!({ "visitor": visitors[0], "contact": contact("a@example.com") });
        let batches = join_all(bodies.iter().map(|body| app.send(body.clone())));
        let ready = is_ready(&app.url);
        let (batches, lead, list, ready) =
            tokio::join!(batches, app.post_lead(&person), app.get("/v1/leads"), ready);
        assert!(!ready);
        batches.into_iter().chain([lead, list]).collect::<Vec<_>>()
    });
    answers.await.expect("a response took too long").iter().for_each(is_refused);

    server.resume();
    until("it is ready", async || is_ready(&app.url).await).await;
    for body in bodies {
        assert_eq!(app.send(body).await.status, 202);
    }
    let counts = hold_together(&*app.app.core.store).await.counts;
    assert_eq!((counts.visitors, counts.page_views), (5, 5));
    app.stop().await;
}

/// One visitor whose row is locked does not block the events of others.
#[actix_web::test]
async fn a_locked_visitor_holds_up_no_other() {
    let storage = Storage::new(Backend::Postgres);
    let mut session = Server::shared().session(storage.database());
    let app = hurried(storage);
    let stuck = new_visitor().to_text();
    assert_eq!(app.send(page_of(&stuck)).await.status, 202);

    session.run("BEGIN; SELECT 1 FROM clew.visitors FOR UPDATE");
    for round in 0..3 {
        // The first request makes the others wait, so that they are committed together with one
        // that cannot be.
        let answers = timeout(PATIENCE, async {
            let first = app.send(page_of(&stuck));
            let others = async {
                let locked = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted";
                until("it waits", async || session.run(locked) == "t").await;
                let visitors = (0..20).map(|number| match number % 4 {
                    0 => stuck.clone(),
                    _ => new_visitor().to_text(),
                });
                join_all(
                    visitors
                        .map(async |visitor| (visitor == stuck, app.send(page_of(&visitor)).await)),
                )
                .await
            };
            tokio::join!(first, others)
        });
        let (first, others) = answers.await.expect("a response took too long");
        is_refused(&first);
        for (is_stuck, answer) in others {
            match is_stuck {
                true => is_refused(&answer),
                false => assert_eq!(answer.status, 202, "{answer:?}"),
            }
        }
        let counted = session.run("SELECT count(*) FROM clew.events");
        assert_eq!(counted, (1 + 15 * (round + 1)).to_string());
        assert!(is_ready(&app.url).await);
    }
    session.run("COMMIT");
    assert_eq!(app.send(page_of(&stuck)).await.status, 202);
    assert_eq!(hold_together(&*app.app.core.store).await.counts.page_views, 47);
    app.stop().await;
}

/// The server releases the locks of a collector that lost its connection during a transaction.
#[actix_web::test]
async fn the_server_gets_the_time_limits() {
    let storage = Storage::new(Backend::Postgres);
    let database = storage.database().to_owned();
    psql(
        &database,
        "CREATE TABLE public.seen AS SELECT name, setting FROM pg_settings WITH NO DATA;
         CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.seen SELECT name, setting FROM pg_settings
                 WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout');
             RETURN NULL;
         END $$;
         CREATE TRIGGER see AFTER INSERT ON clew.events EXECUTE FUNCTION public.see()",
    );
    let app = hurried(storage);
    assert_eq!(app.send(page_of(&new_visitor().to_text())).await.status, 202);
    let seen = psql(&database, "SELECT name, setting FROM public.seen ORDER BY name");
    let milliseconds =
        "idle_in_transaction_session_timeout|6000\nlock_timeout|500\nstatement_timeout|1000";
    assert_eq!(seen, milliseconds);
    app.stop().await;
}

/// Begins and ends a fault by SQL. Meanwhile page views and leads are refused, and the log and
/// `/readyz` say why; then everything goes on.
async fn check(begin: &str, end: &str, message: &str) {
    let storage = Storage::new(Backend::Postgres);
    let database = storage.database().to_owned();
    let collector = Collector::start(&storage, "");
    let url = &collector.url;
    let visitor = new_visitor().to_text();
    assert_eq!(browse_once(url, &visitor).await.status, 202);
    // From another database: a read-only one would refuse its own change.
    let run = |sql: &str| match sql.split_once("{database}") {
        Some((before, after)) => psql("postgres", &format!("{before}{database}{after}")),
        None => psql(&database, sql),
    };
    run(begin);
    // Some faults affect only new connections.
    psql(&database, TERMINATE);
    is_refused(&browse_once(url, &visitor).await);
    let line = collector.line_with(message);
    assert!(line.contains("ERROR"), "{line}");
    assert!(!is_ready(url).await);
    run(end);
    let again = async || browse_once(url, &visitor).await.status == 202;
    until("it takes events again", again).await;
    assert!(is_ready(url).await);
    assert!(collector.terminate());
}

/// SQL for a trigger that fails as the server does.
fn failing(tables: &[&str], code: &str, message: &str) -> String {
    let triggers = tables.iter().map(|table| {
        format!("CREATE TRIGGER fail BEFORE INSERT ON {table} EXECUTE FUNCTION public.fail();")
    });
    let function = format!(
        "CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION '{message}' USING ERRCODE = '{code}';
         END $$;"
    );
    [function].into_iter().chain(triggers).collect()
}

const MENDED: &str = "DROP FUNCTION public.fail() CASCADE";

#[actix_web::test]
async fn a_read_only_database_stores_nothing_and_is_reported() {
    let begin = "ALTER DATABASE {database} SET default_transaction_read_only = on";
    let end = "ALTER DATABASE {database} RESET default_transaction_read_only";
    check(begin, end, "the database is read-only").await;
}

#[actix_web::test]
async fn a_full_disk_stores_nothing_and_is_reported() {
    let full = "could not extend file: No space left on device";
    let begin = failing(&["clew.visitors", "clew.readiness"], "disk_full", full);
    check(&begin, MENDED, "No space left on device (53100)").await;
}

#[actix_web::test]
async fn a_missing_permission_stores_nothing_and_is_reported() {
    let begin = failing(&["clew.visitors", "clew.readiness"], "42501", "permission denied");
    check(&begin, MENDED, "(42501); grant").await;
}
