//! `cargo xtask test`: installs what the tests need and runs all of them, fast ones first.

use crate::{shell, tracker};
use anyhow::{Result, bail};

/// A program of the tests, and the Debian package that brings it.
const NEEDED: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// Everything; an argument is a filter for the end-to-end tests and leaves the others out.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    install()?;
    tracker::run(&[])?;
    if arguments.is_empty() {
        // Alone, so that no other member's features hide what is missing.
        shell::run("cargo", &["check", "--quiet", "--package", "shared", "--no-default-features"])?;
        for member in ["shared", "tracker-wasm", "collector", "www", "xtask"] {
            shell::run("cargo", &["test", "--package", member])?;
        }
    }
    shell::run("cargo", &["build", "--package", "collector"])?;
    let filter: Vec<&str> = arguments.iter().map(String::as_str).collect();
    shell::run("cargo", &[&["test", "--package", "tests", "--"], &filter[..]].concat())
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
