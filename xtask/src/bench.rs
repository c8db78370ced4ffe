//! `cargo xtask bench`: runs the benchmarks; `docs/performance.md` has their results.

use crate::shell;
use anyhow::{Result, ensure};

const BENCHES: [&str; 2] = ["rules", "store"];

/// Runs one benchmark, or all; further arguments are passed on.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (named, rest) = match arguments.split_first() {
        Some((named, rest)) if !named.starts_with('-') => (Some(named.as_str()), rest),
        _ => (None, arguments),
    };
    let wanted = |bench: &&&str| named.is_none_or(|named| named == **bench);
    let benches: Vec<_> = BENCHES.iter().filter(wanted).collect();
    ensure!(!benches.is_empty(), "unknown benchmark; use one of {}", BENCHES.join(", "));
    for bench in benches {
        let mut line = vec!["bench", "--package", "tests", "--bench", bench, "--"];
        line.extend(rest.iter().map(String::as_str));
        shell::run("cargo", &line)?;
    }
    Ok(())
}
