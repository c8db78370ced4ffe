//! `cargo xtask soak`: the long rounds of the tests that `cargo xtask test` runs briefly.

use crate::{shell, tracker};
use anyhow::Result;

/// Fifty rounds of kill -9 under load.
pub(crate) fn run(_: &[String]) -> Result<()> {
    tracker::run(&[])?;
    shell::run("cargo", &["build", "--package", "collector"])?;
    shell::run_with(
        "cargo",
        &["test", "--package", "tests", "--", "crash::"],
        &[("CLEW_CRASH_ROUNDS", "50")],
    )
}
