//! `cargo xtask bench`: the benchmarks; their tables stand in `docs/performance.md`.

use crate::shell;
use anyhow::Result;

/// Durable ingest against the ceiling, in one run.
pub(crate) fn run(_: &[String]) -> Result<()> {
    shell::run("cargo", &["bench", "--package", "tests", "--bench", "ingest"])
}
