//! SIGHUP: new settings without a restart, a refused request or a lost delivery.

use clew_core::Clock;
use clew_server::App;
use collector::config::Config;
use collector::settings::Settings;
use reqwest::Client;
use serde_json::{Value, json};
use shared::wire::encode::Header;
use std::cell::Cell;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;
use tests::app::{NOW_MS, TestApp, client};
use tests::process::Collector;
use tests::settings::{KEY, WEBHOOK_SECRET, destination, settings_for};
use tests::storage::{Backend, Storage};
use tests::wire::{new_event, new_visitor, view};
use www::{Demo, Listeners};

tests::both_stores!(
    a_hangup_changes_sites_keys_and_destinations,
    no_request_is_dropped_by_a_hangup,
    destinations_come_change_and_go,
    deliveries_outlive_their_destination,
);

const OLD_KEY: &str = "clew_old-key";
const NEW_KEY: &str = "clew_new-key";
/// The log line after each successful reload.
const READ: &str = "the configuration was reloaded";
const REFUSED: &str = "the configuration was refused";

/// The settings of a site with one host.
fn site(name: &str) -> String {
    format!("[[sites]]\nname = \"{name}\"\nhosts = [\"{name}.example\"]\n")
}

fn key(site: &str, key: &str) -> String {
    let opens = format!("site = \"{site}\"\nscopes = [\"leads:read\"]");
    tests::settings::key(&format!("one of {site}"), key, &opens)
}

/// The demo's CRM.
fn receiver() -> Demo {
    let mut settings = www::Settings::new("http://127.0.0.1:1", "none", WEBHOOK_SECRET);
    settings.retry_every = None;
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    Demo::start(settings, Listeners { site: listen(), news: listen(), crm: listen() }).unwrap()
}

fn webhook(crm: &Demo) -> String {
    destination("crm", &format!("{}/webhook", crm.crm_url()))
}

/// Sends a page view of a site. Returns the status.
async fn visit(client: &Client, url: &str, site: &str) -> u16 {
    let (now_ms, visitor) = (Clock::system().now_ms(), new_visitor().to_text());
    let page = view(new_event(now_ms), now_ms, &format!("https://{site}.example/"), "");
    let header = Header {
        site,
        visitor: &visitor,
        sent_at_ms: now_ms,
        sender: "module",
        ..Header::default()
    };
    let request = client.post(format!("{url}/c/e")).body(header.batch([page.as_str()].into_iter()));
    request.send().await.unwrap().status().as_u16()
}

/// Lists leads. Returns the status.
async fn list(client: &Client, url: &str, key: &str) -> u16 {
    let request = client.get(format!("{url}/v1/leads")).bearer_auth(key);
    request.send().await.unwrap().status().as_u16()
}

/// Polls until a status is as expected; a signal takes its time.
async fn status_when(expected: u16, look: impl AsyncFn() -> u16) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let mut status = 0;
    for _ in 0..500 {
        looks.tick().await;
        status = look().await;
        if status == expected {
            return;
        }
    }
    panic!("the status stayed {status}, expected {expected}");
}

async fn arrived(crm: &Demo, count: u64) {
    let mut attempts = crm.watch_attempts();
    let enough = attempts.wait_for(|attempts| *attempts >= count);
    let in_time = tokio::time::timeout(Duration::from_secs(20), enough).await.is_ok();
    assert!(in_time, "{} of {count} arrived", crm.attempts().len());
}

async fn a_hangup_changes_sites_keys_and_destinations(backend: Backend) {
    let storage = Storage::new(backend);
    let (client, crm) = (client(), receiver());
    let collector = Collector::start(&storage, &key("demo", OLD_KEY));
    let configure = |more: &str| collector.configure(&(settings_for(&storage.url()) + more));
    let url = collector.url.as_str();
    let visit = async |site: &str| visit(&client, url, site).await;
    let list = async |key: &str| list(&client, url, key).await;
    let lead = async |email: &str| {
        let body = json!({ "contact": { "email": email } }).to_string();
        let request = client.post(format!("{url}/v1/leads")).bearer_auth(KEY).body(body);
        assert_eq!(request.send().await.unwrap().status(), 201);
    };
    assert_eq!((visit("later").await, visit("other").await), (404, 202));
    assert_eq!((list(OLD_KEY).await, list(NEW_KEY).await), (200, 401));

    let at_once = "[delivery]\nsettle_seconds = 0\n".to_owned();
    let good = at_once + &site("later") + &key("later", NEW_KEY) + &webhook(&crm);
    configure(&good);
    collector.hang_up();
    status_when(202, async || visit("later").await).await;
    assert_eq!((list(OLD_KEY).await, list(NEW_KEY).await), (401, 200));
    let line = collector.line_with(READ);
    for part in [
        "sites=\"1 added, 0 changed, 0 removed\"",
        "keys=\"1 added, 0 changed, 1 removed\"",
        "destinations=\"1 added, 0 changed, 0 removed\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
    lead("a@example.com").await;
    arrived(&crm, 1).await;

    // Invalid settings are refused as a whole, in a sentence that names the file and the setting.
    for (wrong, setting) in [
        ("[[sites]]\nname = \"third\"\nhosts = []\n", "`third`"),
        ("[[token_keys]]\nid = 9\nsecret = \"c2hvcnQ=\"\n", "key 9"),
        ("[[sites]]\ncolour = 1\n", "colour"),
    ] {
        configure(wrong);
        collector.hang_up();
        let line = collector.line_with(REFUSED);
        assert!(line.contains(" is not valid") && line.contains(setting), "{line}");
        assert_eq!((visit("later").await, list(NEW_KEY).await), (202, 200), "{wrong}");
    }

    // A setting that needs a restart is reported and left, and all others change.
    let text = settings_for(&storage.url()).replace("127.0.0.1:0", "127.0.0.1:1");
    collector.configure(&(text + &site("last")));
    collector.hang_up();
    let line = collector.line_with("only after a restart");
    assert!(line.contains("setting=\"listen\""), "{line}");
    assert_eq!((visit("last").await, visit("later").await), (202, 404));

    // The loop of a removed destination has ended; a new one starts when it is back.
    assert!(collector.line_with("deliveries to it stop").contains("\"crm\""));
    configure(&good);
    collector.hang_up();
    collector.line_with(READ);
    lead("b@example.com").await;
    arrived(&crm, 2).await;

    assert!(collector.terminate());
    crm.stop().await;
}

/// Browsers that send events meanwhile notice nothing.
async fn no_request_is_dropped_by_a_hangup(backend: Backend) {
    let storage = Storage::new(backend);
    let (client, collector) = (client(), Collector::start(&storage, ""));
    let ended = Rc::new(Cell::new(false));
    let browsers: Vec<_> = (0..4)
        .map(|_| {
            let (client, url) = (client.clone(), collector.url.clone());
            let ended = Rc::clone(&ended);
            tokio::task::spawn_local(async move {
                let mut answers = 0;
                while !ended.get() {
                    assert_eq!(visit(&client, &url, "other").await, 202);
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    for number in 0..20 {
        let name = format!("site-{number}");
        collector.configure(&(settings_for(&storage.url()) + &site(&name)));
        collector.hang_up();
        status_when(202, async || visit(&client, &collector.url, &name).await).await;
    }
    ended.set(true);
    for browser in browsers {
        assert!(browser.await.unwrap() > 0);
    }
    assert!(collector.terminate());
}

/// Changes an application's settings, as `clew serve` does.
fn change(app: &App, settings: &str) {
    // The store named here is not opened: an application keeps its own.
    let unused = settings_for(&Storage::new(Backend::Sled).url());
    let config = Config::parse(&(unused + settings), &[]).unwrap();
    app.change_settings(Settings::new(config).unwrap()).unwrap();
}

async fn lead(app: &TestApp, email: &str) {
    let made = app.post_lead(&json!({ "contact": { "email": email } })).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

async fn states(app: &TestApp) -> Vec<Value> {
    let listed = app.get("/v1/deliveries").await.json;
    let deliveries = listed["deliveries"].as_array().unwrap();
    deliveries.iter().map(|delivery| delivery["state"].clone()).collect()
}

/// With the loops as the collector runs them: another address, none, and one again.
async fn destinations_come_change_and_go(backend: Backend) {
    let clock = Clock::system();
    let (first, second) = (receiver(), receiver());
    let now = "[delivery]\nsettle_seconds = 0\n";
    let app = TestApp::start_with(backend, now, clock);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let outbox = app.app.outbox();
    let running = tokio::task::spawn_local(outbox.run(stopped));

    change(&app.app, &(now.to_owned() + &webhook(&first)));
    lead(&app, "a@example.com").await;
    arrived(&first, 1).await;
    change(&app.app, &(now.to_owned() + &webhook(&second)));
    lead(&app, "b@example.com").await;
    arrived(&second, 1).await;
    change(&app.app, now);
    lead(&app, "c@example.com").await;
    change(&app.app, &(now.to_owned() + &webhook(&first)));
    lead(&app, "d@example.com").await;
    arrived(&first, 2).await;
    assert_eq!((first.attempts().len(), second.attempts().len()), (2, 1));

    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(states(&app).await, vec![json!("sent"); 3]);
    app.stop().await;
    first.stop().await;
    second.stop().await;
}

/// What is due for a removed destination waits until it is back.
async fn deliveries_outlive_their_destination(backend: Backend) {
    let clock = Clock::fixed(NOW_MS);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = destination("crm", &format!("http://{}/", silent.local_addr().unwrap()));
    let app = TestApp::start_with(backend, &to, clock.clone());
    drop(silent);
    lead(&app, "a@example.com").await;
    change(&app.app, "");
    clock.advance_ms(3_600_000);
    assert_eq!((app.deliver().await, states(&app).await), (0, vec![json!("pending")]));
    change(&app.app, &to);
    assert_eq!((app.deliver().await, states(&app).await), (1, vec![json!("retry")]));
    app.stop().await;
}
