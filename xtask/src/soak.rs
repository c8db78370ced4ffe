//! `cargo xtask soak`: runs long rounds of the tests that `cargo xtask test` runs briefly.

use crate::install::Consent;
use crate::{shell, test};
use anyhow::{Result, bail};

/// Coverage counters at every branch for the fuzzer: the stable compiler's way to what `cargo fuzz`
/// uses.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
const FUZZ_SECONDS: &str = "300";

/// Runs one kind, or all: `crash`, `rules` (optionally with a number of seconds) and `attack` (with
/// its program's arguments).
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (consent, words) = Consent::take(arguments);
    match words[..] {
        [] => {
            crash(consent)?;
            rules(FUZZ_SECONDS)?;
            attack(&[])
        }
        ["crash"] => crash(consent),
        ["rules"] => rules(FUZZ_SECONDS),
        ["rules", seconds] => rules(seconds),
        ["attack", ref rest @ ..] => attack(rest),
        _ => bail!("unknown kind; use crash, rules [SECONDS] or attack"),
    }
}

/// Rounds of kill -9 under load, on either store.
fn crash(consent: Consent) -> Result<()> {
    for (tests, rounds) in [("crash::sled", "50"), ("crash::postgres", "20")] {
        test::tests(&[tests], &[("CLEW_CRASH_ROUNDS", rounds)], consent)?;
    }
    Ok(())
}

/// Attacks a release build of the collector, or the program given with `--binary`.
fn attack(arguments: &[&str]) -> Result<()> {
    let mut line = vec!["bench", "--package", "tests", "--bench", "attack", "--"];
    let built = shell::root().join("target/release/clew");
    let built = built.to_string_lossy();
    if !arguments.contains(&"--binary") {
        shell::run("cargo", &["build", "--release", "--package", "clew"])?;
        line.extend(["--binary", &built]);
    }
    line.extend(arguments);
    shell::run("cargo", &line)
}

/// Fuzzes the rules. The corpus is kept for the next run; so are inputs that fail, which the fuzzer
/// names.
fn rules(seconds: &str) -> Result<()> {
    let target = shell::root().join("target/fuzz");
    let target = target.to_string_lossy();
    let build = ["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml"];
    let host = shell::read("rustc", &["-vV"]).unwrap_or_default();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    // With an explicit target, build scripts are built without the counters, which they could not
    // link.
    let build: Vec<&str> = build.into_iter().chain(["--target", host]).collect();
    shell::run_with("cargo", &build, &[("RUSTFLAGS", COVERAGE), ("CARGO_TARGET_DIR", &target)])?;
    let corpus = format!("{target}/corpus");
    std::fs::create_dir_all(&corpus)?;
    let program = format!("{target}/{host}/release/rules");
    let limits = [format!("-max_total_time={seconds}"), "-max_len=4096".to_owned()];
    let found = format!("-artifact_prefix={target}/");
    shell::run(&program, &[&limits[0], &limits[1], &found, &corpus, "fuzz/seeds"])
}
