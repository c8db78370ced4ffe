//! The binary's commands, as an operator types them.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tests::app::client;
use tests::process::{Collector, binary};
use tests::settings::{KEY, settings_for};
use tests::storage::{Backend, Storage};

tests::both_stores!(the_demo_year_is_the_same_for_the_same_seed);

fn clew(folder: &Path, line: &str) -> Output {
    Command::new(binary()).args(line.split(' ')).current_dir(folder).output().unwrap()
}

fn outcome(output: &Output) -> (bool, String) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_first_setup() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| outcome(&clew(folder.path(), line));
    for (line, part) in [
        ("key --site demo --name forms", "run `clew init` first"),
        ("init --site Demo --host example.com", "1 to 32 characters of a-z"),
        ("init --site demo", "--host"),
        ("serve --config nowhere.toml", "cannot read the configuration nowhere.toml"),
    ] {
        let (success, text) = run(line);
        assert!(!success && text.contains(part), "{line}: {text}");
    }
    assert!(run("init --site demo --host example.com").0);
    let (success, text) = run("init --site demo --host example.com");
    assert!(!success && text.contains("never overwritten"), "{text}");

    let key = clew(folder.path(), "key --site demo --name forms");
    let key = String::from_utf8(key.stdout).unwrap().lines().next().unwrap().to_owned();
    let settings = std::fs::read_to_string(folder.path().join("clew.toml")).unwrap();
    assert!(
        key.starts_with("clew_")
            && !settings.contains(&key)
            && settings.contains("hash = \"sha256:")
    );

    let (success, text) = run("snippet --site demo");
    assert!(
        success && text.contains("data-site=\"demo\"") && text.contains("integrity=\"sha384-"),
        "{text}"
    );
    assert!(text.contains("'wasm-unsafe-eval'"), "{text}");

    let silent = settings.replace("log = \"info,", "log = \"loud,");
    std::fs::write(folder.path().join("clew.toml"), silent).unwrap();
    let (success, text) = run("serve");
    assert!(!success && text.contains("`loud` is not a level; use error, warn"), "{text}");

    let broken = settings.replace("[store]", "[store]\ncolour = 1");
    std::fs::write(folder.path().join("clew.toml"), broken).unwrap();
    let (success, text) = run("serve");
    assert!(
        !success && text.contains("clew.toml is not valid") && text.contains("colour"),
        "{text}"
    );
}

/// Creates keys with scopes and an expiry. A key that cannot be created is refused, and the file
/// stays as it was.
#[test]
fn keys_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str| outcome(&clew(folder.path(), line));
    let file = folder.path().join("clew.toml");
    let read = || std::fs::read_to_string(&file).unwrap();
    assert!(run("init --site demo --host example.com").0);
    let (success, text) = run("key --site demo --name forms");
    assert!(
        success && text.contains("# Scopes: leads:write; sites: demo; expires: never."),
        "{text}"
    );
    assert!(text.contains("Without --scope, a key can report leads"), "{text}");
    let (success, text) =
        run("key --site demo --name x --scope leads:read --scope hooks --expires 2999-01-31");
    assert!(
        success && text.contains("leads:read, hooks; sites: demo; expires: 2999-01-31."),
        "{text}"
    );
    let written = read();
    let table =
        "site = \"demo\"\nscopes = [\"leads:read\", \"hooks\"]\nexpires = \"2999-01-31\"\nhash = ";
    assert!(
        written.contains("scopes = [\"leads:write\"]\nhash") && written.contains(table),
        "{written}"
    );
    for (line, part) in [
        ("key --site nobody --name x", "no site `nobody`"),
        ("key --site demo --site demo --name x", "site `demo` is listed twice"),
        ("key --site demo --name x --scope leads", "not a scope; use leads:write, leads:read"),
        ("key --site demo --name x --expires soon", "should be a date like \"2027-01-31\""),
        ("key --site demo --name x --expires 2020-01-31", "--expires: 2020-01-31 is in the past"),
        ("key --site demo --name \u{1b}", "use only letters"),
    ] {
        let (success, text) = run(line);
        assert!(!success && text.contains(part), "{line}: {text}");
    }
    assert_eq!(read(), written);
    std::fs::write(
        &file,
        format!("{written}\n[[sites]]\nname = \"shop\"\nhosts = [\"shop.example\"]\n"),
    )
    .unwrap();
    let (success, text) = run("key --site demo --site shop --name x");
    assert!(success && text.contains("sites: demo, shop;"), "{text}");
    let written = read();
    assert!(written.contains("sites = [\"demo\", \"shop\"]\n"), "{written}");
    let unscoped = written.replace("scopes = [\"leads:write\"]\n", "");
    std::fs::write(&file, unscoped).unwrap();
    let (success, text) = run("serve");
    assert!(!success && text.contains("key `forms`: scopes are missing"), "{text}");
}

/// The same seed gives the same year: every lead with all its fields and its journey.
async fn the_demo_year_is_the_same_for_the_same_seed(backend: Backend) {
    let mut years = Vec::new();
    for seed in [7, 7, 8] {
        let (storage, folder) = (Storage::new(backend), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("clew.toml"), settings_for(&storage.url())).unwrap();
        let line = format!("demo --site demo --visitors 150 --until 2026-11-01 --seed {seed}");
        let (success, text) = outcome(&clew(folder.path(), &line));
        assert!(success, "{text}");
        let collector = Collector::start(&storage, "");
        years.push(year(&collector.url).await);
        assert!(collector.terminate());
    }
    assert!(years[0].len() > 5, "{} leads", years[0].len());
    assert!(years[0] == years[1], "the same seed gave another year");
    assert!(years[0] != years[2], "another seed gave the same year");
    let channels: std::collections::BTreeSet<_> =
        years[0].iter().map(|lead| lead["fields"]["first_click_channel"].to_string()).collect();
    assert!(channels.len() > 2, "{channels:?}");
}

async fn year(url: &str) -> Vec<Value> {
    let get = async |path: &str| -> Value {
        let answer = client().get(format!("{url}{path}")).bearer_auth(KEY).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let mut year = Vec::new();
    for lead in get("/v1/leads?limit=500").await["leads"].as_array().unwrap() {
        year.push(get(&format!("/v1/leads/{}", lead["id"].as_str().unwrap())).await);
    }
    year
}
