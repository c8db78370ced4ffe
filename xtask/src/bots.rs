//! `cargo xtask bots`: measures bot detection on lists of user agents; `docs/performance.md` has
//! the results and the sources of the lists.

use crate::shell;
use anyhow::Result;

/// Passes all arguments to the example in `shared`, which documents them.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut line =
        vec!["run", "--quiet", "--release", "--package", "shared", "--example", "bots", "--"];
    line.extend(arguments.iter().map(String::as_str));
    shell::run("cargo", &line)
}
