//! `cargo xtask test`: makes sure of what the tests need and runs all of them.

use crate::install::{self, Consent, Needed};
use crate::{shell, tracker};
use anyhow::Result;

/// The programs of the tests.
const NEEDED: [Needed; 3] = [
    (&["chromium"], "chromium"),
    (&["chromedriver"], "chromium-driver"),
    (&["postgres", "/usr/lib/postgresql/*/bin/postgres"], "postgresql"),
];

/// What is built and tested together, by one selection: another selection has other features, and so
/// another build of serde, tokio and all that hangs on them. xtask stands apart, because running it
/// has built it already.
const EVERYTHING: [&str; 5] = ["--workspace", "--exclude", "xtask", "--bins", "--tests"];

/// Everything; an argument is a filter for the tests' names, and `--install` installs what is missing.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (consent, filter) = Consent::take(arguments);
    // First of all, so that what is missing is said before anything is built.
    install::require(&NEEDED, consent)?;
    if filter.is_empty() {
        // The core alone, so that no other member's features hide what it must do without.
        shell::run("cargo", &["check", "--package", "shared", "--no-default-features"])?;
        shell::run("cargo", &["test", "--package", "xtask"])?;
    }
    tests(&filter, &[], consent)
}

/// The tests that a filter names, with more in their environment.
pub(crate) fn tests(filter: &[&str], environment: &[(&str, &str)], consent: Consent) -> Result<()> {
    install::require(&NEEDED, consent)?;
    tracker::build(consent)?;
    // With the collector's binary, which the crash tests start and kill.
    shell::run("cargo", &[&["build"], &EVERYTHING[..]].concat())?;
    let command = [&["test"], &EVERYTHING[..], &["--"], filter].concat();
    shell::run_with("cargo", &command, environment)
}
