//! The OpenAPI document: it is the committed one, an independent validator accepts it, and a client that is generated
//! from it takes a lead through its life.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::app::TestApp;
use tests::settings::KEY;
use tests::storage::Backend;
use tests::visitors::travelled;

/// The project's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[actix_web::test]
async fn the_committed_document_is_the_served_one() {
    let app = TestApp::start(Backend::Sled);
    let served = app.get("/openapi.json").await;
    let committed = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    let committed: Value = serde_json::from_str(&committed).unwrap();
    assert!(
        served.json == committed,
        "run `cargo run --package clew -- openapi > docs/openapi.json`"
    );
    assert_eq!(served.json["openapi"], "3.1.0");
    app.stop().await;
}

/// A virtual environment with the packages of `tests/openapi/requirements.txt`; its folder of programs.
fn environment() -> PathBuf {
    let requirements = root().join("tests/openapi/requirements.txt");
    let folder = root().join("target/openapi-client");
    let installed = folder.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    if std::fs::read_to_string(&installed).ok().as_deref() != Some(wanted.as_str()) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let install = ["install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(folder.join("bin/pip")).args(install).arg(&requirements));
        std::fs::copy(&requirements, &installed).unwrap();
    }
    folder.join("bin")
}

/// Runs a program to its end and returns what it prints.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {printed}{complaint}");
    printed
}

#[actix_web::test]
async fn a_generated_client_takes_a_lead_through_its_life() {
    let programs = environment();
    let document = root().join("docs/openapi.json");
    let verdict = run(Command::new(programs.join("openapi-spec-validator")).arg(&document));
    assert!(verdict.trim_end().ends_with("OK"), "{verdict}");

    let folder = tempfile::tempdir().unwrap();
    let generate = ["generate", "--meta", "none", "--path"];
    run(Command::new(programs.join("openapi-python-client"))
        .args(generate)
        .arg(&document)
        .arg("--output-path")
        .arg(folder.path().join("clew_client")));

    let app = TestApp::start(Backend::Sled);
    let (visitor, _) = travelled(&app).await;
    let mut flow = Command::new(programs.join("python"));
    flow.arg(root().join("tests/openapi/lead_flow.py"))
        .args([&app.url, KEY, &visitor.to_string()])
        .env("PYTHONPATH", folder.path());
    let seen = actix_web::web::block(move || run(&mut flow)).await.unwrap();
    let mut seen: Value = serde_json::from_str(&seen).unwrap();
    let why = seen.as_object_mut().unwrap().remove("why").unwrap();
    assert!(why.as_str().unwrap().starts_with("utm_source=google and utm_medium=cpc"), "{why}");
    let expected = json!({
        "key": "test",
        "email": "lead@example.com",
        "touches": ["google", "(direct)"],
        "fields": { "email": "lead@example.com", "first_click_source": "google" },
        "stage": "mql",
        "revenue": ["1200.00"],
        "leads": 1,
        "deliveries": 0,
        "missing": [404, "/problems/not_found"],
    });
    assert_eq!(seen, expected);
    app.stop().await;
}
