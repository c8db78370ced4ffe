//! `cargo xtask test`: installs what the tests need and runs all of them.

use crate::{shell, tracker};
use anyhow::{Result, bail};

/// A program of the tests, the places where it may be, and the Debian package that brings it.
const NEEDED: [(&[&str], &str); 3] = [
    (&["chromium"], "chromium"),
    (&["chromedriver"], "chromium-driver"),
    (&["postgres", "/usr/lib/postgresql/*/bin/postgres"], "postgresql"),
];

/// What is built and tested together, by one selection: another selection has other features, and so
/// another build of serde, tokio and all that hangs on them. xtask stands apart, because running it
/// has built it already.
const EVERYTHING: [&str; 5] = ["--workspace", "--exclude", "xtask", "--bins", "--tests"];

/// Everything; an argument is a filter for the tests' names.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    // First of all, so that what is missing is said before anything is built.
    install()?;
    if arguments.is_empty() {
        // The core alone, so that no other member's features hide what it must do without.
        shell::run("cargo", &["check", "--package", "shared", "--no-default-features"])?;
        shell::run("cargo", &["test", "--package", "xtask"])?;
    }
    let filter: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tests(&filter, &[])
}

/// The tests that a filter names, with more in their environment.
pub(crate) fn tests(filter: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    install()?;
    tracker::run(&[])?;
    // With the collector's binary, which the crash tests start and kill.
    shell::run("cargo", &[&["build"], &EVERYTHING[..]].concat())?;
    let command = [&["test"], &EVERYTHING[..], &["--"], filter].concat();
    shell::run_with("cargo", &command, environment)
}

/// Brings what is missing where that is possible; else says which command does.
fn install() -> Result<()> {
    let is_there = |places: &[&str]| places.iter().any(|place| shell::is_there(place));
    let missing = || NEEDED.into_iter().filter(|(places, _)| !is_there(places));
    let packages: Vec<&str> = missing().map(|(_, package)| package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y {}", packages.join(" "));
    if !shell::is_root() || !shell::is_there("apt-get") {
        bail!("the tests need {}; bring it with: sudo {line}", packages.join(" and "));
    }
    shell::run("apt-get", &["update"])?;
    shell::run("apt-get", &[&["install", "-y"], &packages[..]].concat())?;
    match missing().next() {
        None => Ok(()),
        Some((places, _)) => bail!("`{line}` did not bring {}", places[0]),
    }
}
