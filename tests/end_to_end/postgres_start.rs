//! A database that a collector cannot start or go on with: one sentence says why and what to do,
//! and never shows the password.

use clew_store::postgres::{self, Migrated, PostgresOptions, PostgresStore};
use clew_store::{Maintenance, StoreError};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;
use tests::app::TestApp;
use tests::load::{browse_once, hold_together, is_ready, is_refused, page_of, until};
use tests::postgres::Server;
use tests::process::{ALLOW_ROOT, Collector, binary};
use tests::settings::destination;
use tests::storage::{Backend, Storage, postgres_options};
use tests::wire::new_visitor;
use url::Url;

const PASSWORD: &str = "never-to-be-shown";

/// `clew` with a store's URL, without a configuration file, and with every log message.
fn clew(command: &str, url: &str) -> Command {
    let mut clew = Command::new(binary());
    clew.arg(command).current_dir(std::env::temp_dir());
    clew.env("CLEW_STORE__URL", url).env("CLEW_LOG", "trace").env("CLEW_LISTEN", "127.0.0.1:0");
    clew.env(ALLOW_ROOT, "1");
    clew
}

/// Asserts that a command fails with one sentence that names the store and the reason.
fn check_message(command: &str, url: &str, shown: &str, reason: &str) {
    let output = clew(command, url).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success() && !text.contains(PASSWORD), "{text}");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("clew: ")).collect();
    assert!(lines.len() == 1 && text.ends_with(&format!("{}\n", lines[0])), "{text}");
    assert!(lines[0].contains(&format!("the store {shown}: ")), "{text}");
    assert!(lines[0].contains(reason), "{text}");
}

/// Adds lines to the server's `pg_hba.conf`, before those that let everybody in.
fn ask_for(server: &Server, lines: &[&str]) {
    let lines = lines.iter().chain(&["local all all trust", "host all all 127.0.0.1/32 trust"]);
    let lines: Vec<_> = lines.map(|line| format!("('{line}')")).collect();
    let folder = server.psql("postgres", "SHOW data_directory");
    let write = format!("COPY (VALUES {}) TO '{folder}/pg_hba.conf'", lines.join(", "));
    server.psql("postgres", &write);
    server.psql("postgres", "SELECT pg_reload_conf()");
}

#[actix_web::test]
async fn an_unreachable_store_is_reported_without_its_password() {
    let server = Server::start();
    let database = server.create_database(None);
    let create = format!(
        "CREATE ROLE clew LOGIN PASSWORD '{PASSWORD}'; ALTER DATABASE {} OWNER TO clew",
        database.name()
    );
    server.psql("postgres", &create);
    ask_for(&server, &["host all clew 127.0.0.1/32 scram-sha-256"]);
    let with = |user: &str| database.url().replace("postgres@", &format!("{user}@"));
    let open = || PostgresStore::open(&postgres_options(&with("clew")));
    let needs_password = async || open().is_err_and(|error| error.to_string().contains("password"));
    until("passwords are asked for", needs_password).await;

    let right = with(&format!("clew:{PASSWORD}"));
    let shown = with("clew:***");
    for command in ["serve", "migrate"] {
        let check = |url: &str, shown: &str, reason| check_message(command, url, shown, reason);
        let closed = format!("postgres://clew:{PASSWORD}@127.0.0.1:1/clew");
        check(&closed, "postgres://clew:***@127.0.0.1:1/clew", "Connection refused");
        let missing = right.replace(database.name(), "nowhere");
        let missing_shown = shown.replace(database.name(), "nowhere");
        check(&missing, &missing_shown, "database \"nowhere\" does not exist");
        let wrong = with(&format!("clew:{PASSWORD}-not"));
        check(&wrong, &shown, "password authentication failed for user \"clew\"");
        check(&with("nobody"), &with("nobody"), "role \"nobody\" does not exist");
        let broken = format!("postgres://clew:a/{PASSWORD}@127.0.0.1:x/clew");
        check(&broken, "postgres://clew:***@127.0.0.1:x/clew", "store.url");
    }
    check_message("serve", &right, &shown, "the database has no clew schema; run `clew migrate`");

    // The right password is not shown either, and its user's own rights are enough.
    assert!(clew("migrate", &right).output().unwrap().status.success());
    let mut serve = clew("serve", &right).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(serve.stderr.take().unwrap()).lines().map_while(Result::ok);
    let ready = log.find(|line| {
        assert!(!line.contains(PASSWORD), "{line}");
        line.contains("ready address")
    });
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(ready.is_some_and(|line| line.contains(&shown)));
}

fn migrate(url: &str) -> Result<Migrated, StoreError> {
    postgres::migrate(&postgres_options(url), false)
}

/// The text of a result's error; empty if there is none.
fn message<T>(result: Result<T, StoreError>) -> String {
    result.err().map_or_else(String::new, |error| error.to_string())
}

/// Changes the schema while a collector runs. Expects the error of the next collector's start, for
/// which this one is not ready, and the error of `clew migrate`; empty means none.
async fn check_schema(change: &str, at_start: &str, by_migrate: &str) {
    let storage = Storage::new(Backend::Postgres);
    let (url, database) = (storage.url(), storage.database().to_owned());
    let app = TestApp::start(storage);
    assert!(is_ready(&app.url).await);
    Server::shared().psql(&database, change);
    for (found, expected) in [
        (message(PostgresStore::open(&postgres_options(&url))), at_start),
        (message(migrate(&url)), by_migrate),
    ] {
        assert!(found.contains(expected) && found.is_empty() == expected.is_empty(), "{found}");
    }
    assert_eq!(is_ready(&app.url).await, at_start.is_empty(), "{change}");
    app.stop().await;
}

#[actix_web::test]
async fn wrong_schemas_are_reported() {
    check_schema("SELECT 1", "", "").await;
    let older = "this program needs 6; run `clew migrate`";
    check_schema(
        "UPDATE clew.schema_history SET version = version - 3",
        older,
        "by another program",
    )
    .await;
    let before_touches = "DELETE FROM clew.schema_history WHERE version > 1;
                          INSERT INTO clew.visitors VALUES (0, 'demo', gen_random_uuid(), 1)";
    check_schema(before_touches, older, "written by an earlier version of clew").await;
    let newer = "INSERT INTO clew.schema_history SELECT 99, 'later', applied_on, checksum
                 FROM clew.schema_history WHERE version = 1";
    check_schema(newer, "install a newer version of clew", "install a newer version of clew").await;
    let other = "UPDATE clew.schema_history SET checksum = '1'";
    check_schema(other, "", "by another program").await;
    let lost = "clew.events is missing; restore a backup";
    check_schema("DROP TABLE clew.events", lost, lost).await;
    check_schema(
        "DROP TABLE clew.schema_history",
        "has no clew schema; run `clew migrate`",
        "already exists",
    )
    .await;
}

#[test]
fn a_migration_that_fails_leaves_nothing() {
    let server = Server::shared();
    let database = server.create_database(None);
    server.psql(database.name(), "CREATE SCHEMA clew; CREATE TABLE clew.events (mine int)");
    let error = message(migrate(database.url()));
    assert!(error.contains("relation \"events\" already exists"), "{error}");
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'clew' ORDER BY tablename";
    assert_eq!(server.psql(database.name(), tables), "events\nschema_history");
    let error = message(PostgresStore::open(&postgres_options(database.url())));
    assert!(error.contains("the database has no clew schema; run `clew migrate`"), "{error}");

    server.psql(database.name(), "DROP TABLE clew.events");
    assert_eq!(migrate(database.url()).unwrap().migrations.len(), 6);
    assert_eq!(message(PostgresStore::open(&postgres_options(database.url()))), "");
}

#[test]
fn concurrent_migrations_wait() {
    let database = Server::shared().create_database(None);
    let ran = std::thread::scope(|scope| {
        let migrate = || migrate(database.url()).unwrap().migrations.len();
        let all: [_; 4] = std::array::from_fn(|_| scope.spawn(migrate));
        all.map(|one| one.join().unwrap())
    });
    assert_eq!(ran.iter().sum::<usize>(), 6, "{ran:?}");
}

#[actix_web::test]
async fn a_schema_that_is_dropped_can_be_made_again() {
    let storage = Storage::new(Backend::Postgres);
    let collector = Collector::start(&storage, &destination("crm", "http://127.0.0.1:9/"));
    let (url, visitor) = (&collector.url, new_visitor().to_text());
    assert_eq!(browse_once(url, &visitor).await.status, 202);
    Server::shared().psql(storage.database(), "DROP SCHEMA clew CASCADE");
    collector.line_with("the outbox failed");
    is_refused(&browse_once(url, &visitor).await);
    let line = collector.line_with("the store failed a request");
    assert!(line.contains("ERROR") && line.contains("run `clew migrate`"), "{line}");
    assert!(!is_ready(url).await);
    assert!(clew("migrate", &storage.url()).output().unwrap().status.success());
    let again = async || browse_once(url, &visitor).await.status == 202;
    until("it takes events again", again).await;
    assert!(is_ready(url).await);
    collector.line_with("the outbox has recovered");
    assert!(collector.terminate());
}

/// Creates a certificate authority, and its certificate for the address that tests use. The server
/// itself runs it in its folder, because it must own its key.
const CERTIFICATES: &str = "set -e
exec 2> /dev/null > /dev/null
for name in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$name \
        -keyout $name.key -out $name.pem -addext keyUsage=critical,keyCertSign
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
    -keyout server.key -out server.csr
echo subjectAltName=IP:127.0.0.1,DNS:localhost > names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names \
    -out server.crt";

#[actix_web::test]
async fn connections_are_encrypted_and_the_server_is_known() {
    let server = Server::start();
    let storage = Storage::on(&server);
    let psql = |sql: &str| server.psql("postgres", sql);
    psql(&format!("COPY (SELECT 1) TO PROGRAM $${CERTIFICATES}$$"));
    psql("ALTER SYSTEM SET ssl = on");
    psql("SELECT pg_reload_conf()");
    until("it speaks TLS", async || psql("SHOW ssl") == "on").await;
    let file = |name: &str| {
        let mut file = NamedTempFile::new().unwrap();
        writeln!(file, "{}", psql(&format!("SELECT pg_read_file('{name}')"))).unwrap();
        file
    };
    let (own, other, none) = (file("ca.pem"), file("other.pem"), NamedTempFile::new().unwrap());

    let open = |query: &str, authority: Option<&Path>| {
        PostgresStore::open(&PostgresOptions {
            tls_ca: authority.map(Into::into),
            ..postgres_options(&format!("{}{query}", storage.url()))
        })
    };
    let required = "?sslmode=require";
    for (authority, expected) in [
        (None, "store.tls_ca contains its certificate authority"),
        (Some(other.path()), "store.tls_ca contains its certificate authority"),
        (Some(none.path()), "it contains no certificate"),
        (Some(Path::new("/nowhere.pem")), "the certificates in /nowhere.pem"),
    ] {
        let error = message(open(required, authority));
        assert!(error.contains(expected), "{authority:?}: {error}");
    }
    let encrypted = "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'clew collector'";
    let verified = format!("?sslmode=verify-full&sslrootcert={}", own.path().display());
    for (query, authority, expected) in
        [("", Some(own.path()), "f"), (required, Some(own.path()), "t"), (&verified, None, "t")]
    {
        let ended = async || psql(encrypted).is_empty();
        until("no collector is connected", ended).await;
        let store = open(query, authority).unwrap();
        tests::story::a_lead(&store, &format!("{expected}@example.com")).await;
        assert_eq!(psql(encrypted), expected);
        hold_together(&store).await;
        store.close().await.unwrap();
    }
}

/// A pooler that drops a connection's settings, like `PgBouncer` with `ignore_startup_parameters`.
#[test]
fn a_pooler_is_refused() {
    let storage = Storage::new(Backend::Postgres);
    let url = Url::parse(&storage.url()).unwrap();
    let database = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let pooler = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = pooler.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in pooler.incoming() {
            let (mut client, mut server) =
                (client.unwrap(), TcpStream::connect(&database).unwrap());
            let mut start = [0; 1_024];
            let length = client.read(&mut start).unwrap();
            let setting = b"clew_pool.direct=1";
            let place = start.windows(setting.len()).position(|part| part == setting).unwrap();
            start[place + setting.len() - 1] = b'0';
            server.write_all(&start[..length]).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            drop(std::io::copy(&mut client, &mut server));
        }
    });
    let mut pooled = url.clone();
    pooled.set_port(Some(port)).unwrap();
    let options = postgres_options(pooled.as_str());
    let refused = "connect it to the database directly";
    assert!(message(PostgresStore::open(&options)).contains(refused));
    let migrated =
        clew_store::postgres::migrate(&options, false).map_err(|error| error.to_string());
    assert!(migrated.is_err_and(|error| error.contains(refused)));
}

#[actix_web::test]
async fn conflicting_transactions_are_retried() {
    let storage = Storage::new(Backend::Postgres);
    // A sequence keeps its count even if the transaction is rolled back.
    let fails = "CREATE SEQUENCE public.tries;
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            CASE nextval('public.tries') % 4
                WHEN 0 THEN RETURN NULL;
                WHEN 1 THEN RAISE EXCEPTION 'lost' USING ERRCODE = 'serialization_failure';
                ELSE RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected';
            END CASE;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON clew.events EXECUTE FUNCTION public.fail();
        CREATE TRIGGER fail BEFORE INSERT ON clew.conversions EXECUTE FUNCTION public.fail()";
    let database = storage.database().to_owned();
    let psql = |sql: &str| Server::shared().psql(&database, sql);
    psql(fails);
    let app = TestApp::start(storage);
    assert_eq!(app.send(page_of(&new_visitor().to_text())).await.status, 202);
    let person = serde_json::json!({ "contact": { "email": "a@example.com" } });
    assert_eq!(app.post_lead(&person).await.status, 201);
    assert_eq!(psql("SELECT last_value FROM public.tries"), "8");

    psql("DROP SEQUENCE public.tries; CREATE SEQUENCE public.tries INCREMENT 4 START 5");
    is_refused(&app.send(page_of(&new_visitor().to_text())).await);
    is_refused(&app.post_lead(&person).await);
    let counts = hold_together(&*app.app.core.store).await.counts;
    assert_eq!((counts.page_views, counts.conversions), (1, 1));
    app.stop().await;
}
