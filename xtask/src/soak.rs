//! `cargo xtask soak`: the long rounds of the tests that `cargo xtask test` runs briefly.

use crate::test;
use anyhow::Result;

/// Fifty rounds of kill -9 under load.
pub(crate) fn run(_: &[String]) -> Result<()> {
    test::tests(&["crash::"], &[("CLEW_CRASH_ROUNDS", "50")])
}
