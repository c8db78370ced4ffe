//! `cargo xtask soak`: the long rounds of the tests that `cargo xtask test` runs briefly.

use crate::test;
use anyhow::Result;

/// Rounds of kill -9 under load, on either store.
pub(crate) fn run(_: &[String]) -> Result<()> {
    for (tests, rounds) in [("crash::sled", "50"), ("crash::postgres", "20")] {
        test::tests(&[tests], &[("CLEW_CRASH_ROUNDS", rounds)])?;
    }
    Ok(())
}
