//! `cargo xtask bots`: measures the bot check on lists of user agents; `docs/performance.md` has the
//! figures and where the lists come from.

use crate::shell;
use anyhow::Result;

/// Hands everything to the example in `shared`, which says how it is used.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut line =
        vec!["run", "--quiet", "--release", "--package", "shared", "--example", "bots", "--"];
    line.extend(arguments.iter().map(String::as_str));
    shell::run("cargo", &line)
}
