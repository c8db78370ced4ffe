//! `cargo xtask test`: checks that the programs that the tests need are installed, and runs all tests.

use crate::install::{self, Consent, Needed};
use crate::{shell, tracker};
use anyhow::Result;

/// The programs that the tests need.
const NEEDED: [Needed; 4] = [
    (&["chromium"], "chromium"),
    (&["chromedriver"], "chromium-driver"),
    (&["postgres", "/usr/lib/postgresql/*/bin/postgres"], "postgresql"),
    // For the client that is generated from the OpenAPI document, in a virtual environment.
    (&["python3 && python3 -c 'import ensurepip, venv'"], "python3-venv"),
];

/// What is built and tested together, with one selection of packages: another selection enables
/// other features, and so would rebuild serde, tokio and all crates that depend on them. xtask is
/// excluded, because it is already built when it runs.
const EVERYTHING: [&str; 5] = ["--workspace", "--exclude", "xtask", "--bins", "--tests"];

/// Runs all tests, or those that match a filter; `--install` installs missing programs.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (consent, filter) = Consent::take(arguments);
    // First of all, so that what is missing is said before anything is built.
    install::require(&NEEDED, consent)?;
    if filter.is_empty() {
        // The core alone, so that no other crate enables features that it must work without.
        shell::run("cargo", &["check", "--package", "shared", "--no-default-features"])?;
        shell::run("cargo", &["test", "--package", "xtask"])?;
    }
    tests(&filter, &[], consent)
}

/// Runs the tests that match a filter, with additional environment variables.
pub(crate) fn tests(filter: &[&str], environment: &[(&str, &str)], consent: Consent) -> Result<()> {
    install::require(&NEEDED, consent)?;
    tracker::build(consent)?;
    // With the collector's binary, which the crash tests start and kill.
    shell::run("cargo", &[&["build"], &EVERYTHING[..]].concat())?;
    let command = [&["test"], &EVERYTHING[..], &["--"], filter].concat();
    shell::run_with("cargo", &command, environment)
}
