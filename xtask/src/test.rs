//! `cargo xtask test`: installs what the tests need and runs all of them, fast ones first.

use crate::{shell, tracker};
use anyhow::{Result, bail};

/// A program of the tests, and the Debian package that brings it.
const NEEDED: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// The members that are built together: one set of features, one build of what they stand on. xtask
/// stands apart, because running it has built it already.
const MEMBERS: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// Everything; an argument is a filter for the end-to-end tests and leaves the others out.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    // First of all, so that what is missing is said before anything is built.
    install()?;
    if arguments.is_empty() {
        // The core alone, so that no other member's features hide what it must do without.
        shell::run("cargo", &["check", "--package", "shared", "--no-default-features"])?;
        shell::run("cargo", &["test", "--package", "xtask"])?;
        members("test", &["--lib", "--bins"], &[])?;
        members("test", &["--test", "demo"], &[])?;
    }
    let filter: Vec<&str> = arguments.iter().map(String::as_str).collect();
    end_to_end(&filter, &[])
}

/// The end-to-end tests that a filter names, with more in their environment.
pub(crate) fn end_to_end(filter: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    install()?;
    tracker::run(&[])?;
    // The collector's binary, which the crash tests start and kill; with the tests, so that all of it
    // is built with one set of features.
    members("build", &["--bins", "--tests"], &[])?;
    members("test", &[&["--test", "end_to_end", "--"], filter].concat(), environment)
}

fn members(command: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    shell::run_with("cargo", &[&[command], &MEMBERS[..], arguments].concat(), environment)
}

/// Brings what is missing where that is possible; else says which command does.
fn install() -> Result<()> {
    let missing = || NEEDED.into_iter().filter(|(program, _)| !shell::is_there(program));
    let packages: Vec<&str> = missing().map(|(_, package)| package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install -y {}", packages.join(" "));
    if !shell::is_root() || !shell::is_there("apt-get") {
        bail!("the browser tests need {}; bring it with: sudo {line}", packages.join(" and "));
    }
    shell::run("apt-get", &["update"])?;
    shell::run("apt-get", &[&["install", "-y"], &packages[..]].concat())?;
    match missing().next() {
        None => Ok(()),
        Some((program, _)) => bail!("`{line}` did not bring {program}"),
    }
}
