//! `cargo xtask test`: installs what the tests need and runs all of them.

use crate::{shell, tracker};
use anyhow::{Result, bail};

/// A program that the tests need: the places to look for it, and its Debian package.
const NEEDED: [(&[&str], &str); 3] = [
    (&["chromium"], "chromium"),
    (&["chromedriver"], "chromium-driver"),
    (&["postgres", "/usr/lib/postgresql/*/bin/postgres"], "postgresql"),
];

/// What is built and tested together, with one selection of packages: another selection enables
/// other features, and so would rebuild serde, tokio and all crates that depend on them. xtask is
/// excluded, because it is already built when it runs.
const EVERYTHING: [&str; 5] = ["--workspace", "--exclude", "xtask", "--bins", "--tests"];

/// Runs all tests; an argument filters them by name.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    // First, so that missing programs are reported before anything is built.
    install()?;
    if arguments.is_empty() {
        // The core alone, so that no other crate enables features that it must work without.
        shell::run("cargo", &["check", "--package", "shared", "--no-default-features"])?;
        shell::run("cargo", &["test", "--package", "xtask"])?;
    }
    let filter: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tests(&filter, &[])
}

/// Runs the tests that match a filter, with additional environment variables.
pub(crate) fn tests(filter: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    install()?;
    tracker::run(&[])?;
    // Includes the collector's binary, which the crash tests start and kill.
    shell::run("cargo", &[&["build"], &EVERYTHING[..]].concat())?;
    let command = [&["test"], &EVERYTHING[..], &["--"], filter].concat();
    shell::run_with("cargo", &command, environment)
}

/// Installs what is missing, or says which command does.
fn install() -> Result<()> {
    let is_there = |places: &[&str]| places.iter().any(|place| shell::is_there(place));
    let missing = || NEEDED.into_iter().filter(|(places, _)| !is_there(places));
    let packages: Vec<&str> = missing().map(|(_, package)| package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y {}", packages.join(" "));
    if !shell::is_root() || !shell::is_there("apt-get") {
        bail!("the tests need {}; install with: sudo {line}", packages.join(" and "));
    }
    shell::run("apt-get", &["update"])?;
    shell::run("apt-get", &[&["install", "-y"], &packages[..]].concat())?;
    match missing().next() {
        None => Ok(()),
        Some((places, _)) => bail!("`{line}` did not install {}", places[0]),
    }
}
