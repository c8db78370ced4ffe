//! Measures bot detection on lists of user agents, one per line: the share of bots that it finds,
//! the share of browsers that it takes for bots, and the time per user agent. `cargo xtask bots`
//! runs it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use shared::bot::Bots;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: cargo xtask bots [--list] [--bots FILE]... [--browsers FILE]...
Each FILE has one user agent per line. --list prints every miss and every false alarm.";

/// A list of user agents.
struct Set {
    file: String,
    are_bots: bool,
}

fn main() -> ExitCode {
    let Some((sets, list)) = arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let bots = Bots::built_in();
    for set in sets {
        match std::fs::read(&set.file) {
            Ok(bytes) => measure(&bots, &set, &String::from_utf8_lossy(&bytes), list),
            Err(error) => {
                eprintln!("{}: {error}", set.file);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The lists, and whether to print mistakes.
fn arguments(mut arguments: impl Iterator<Item = String>) -> Option<(Vec<Set>, bool)> {
    let (mut sets, mut list) = (Vec::new(), false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => list = true,
            "--bots" => sets.push(Set { file: arguments.next()?, are_bots: true }),
            "--browsers" => sets.push(Set { file: arguments.next()?, are_bots: false }),
            _ => return None,
        }
    }
    (!sets.is_empty()).then_some((sets, list))
}

fn measure(bots: &Bots, set: &Set, text: &str, list: bool) {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let reasons: Vec<_> = lines.iter().map(|line| bots.reason(line)).collect();
    // The first pass was a warm-up.
    let began = Instant::now();
    for line in &lines {
        std::hint::black_box(bots.reason(line));
    }
    let each_ns = began.elapsed().as_secs_f64() * 1e9 / lines.len().max(1) as f64;

    let flagged = reasons.iter().flatten().count();
    let share = 100.0 * flagged as f64 / lines.len().max(1) as f64;
    let what = if set.are_bots { "recall" } else { "false alarms" };
    let Set { file, .. } = set;
    println!(
        "{file}: {flagged} of {} flagged, {what} {share:.2} %, {each_ns:.0} ns each",
        lines.len()
    );
    let mut counts = BTreeMap::new();
    for (line, reason) in lines.iter().zip(reasons) {
        if !set.are_bots
            && let Some(reason) = reason
        {
            *counts.entry(reason).or_insert(0) += 1;
        }
        if list && set.are_bots == reason.is_none() {
            println!("  {} | {line}", reason.unwrap_or("missed"));
        }
    }
    for (reason, count) in counts {
        println!("  {count:>6} {reason}");
    }
}
