//! The project's development tasks: `cargo xtask <task>`. One file per task; none of them depends
//! on the product's crates.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to a terminal")]

mod shell;
mod install;
mod tracker;
mod run;
mod test;
mod soak;
mod bench;
mod bots;
mod tidy;
mod pictures;

use anyhow::Result;
use std::process::ExitCode;

/// A task: its name, the arguments and purpose for the usage text, and its function.
struct Task {
    name: &'static str,
    usage: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "run",
        usage: "[--year]    serve the collector, the demo site and the demo CRM; --year fills the store first,
                --crm hubspot|salesforce also starts that CRM's stand-in",
        run: run::run,
    },
    Task {
        name: "test",
        usage: "[FILTER]    run all tests, or those whose names contain FILTER",
        run: test::run,
    },
    Task {
        name: "soak",
        usage: "[KIND]      run the long tests: crash, rules, or attack, which measures abuse by strangers",
        run: soak::run,
    },
    Task {
        name: "bench",
        usage: "[NAME]      run the benchmarks, or only `rules` or `store`; --quick for a short run of `store`",
        run: bench::run,
    },
    Task {
        name: "bots",
        usage: "--bots FILE --browsers FILE    measure bot detection on lists of user agents",
        run: bots::run,
    },
    Task {
        name: "tracker",
        usage: "[--sizes]   build the browser tracker into target/tracker; --sizes prints its size",
        run: tracker::run,
    },
    Task {
        name: "tidy",
        usage: "[--modules] run checks beyond the compiler's; --modules prints each crate's modules",
        run: tidy::run,
    },
    Task {
        name: "pictures",
        usage: "            take the screenshots in docs/images",
        run: pictures::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = arguments.first().map(String::as_str).unwrap_or_default();
    let Some(task) = TASKS.iter().find(|task| task.name == named) else {
        eprintln!("{}", usage(named));
        return ExitCode::from(2);
    };
    match (task.run)(&arguments[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {named}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage(named: &str) -> String {
    let mut text = String::new();
    if !named.is_empty() {
        text += &format!("There is no task `{named}`.\n");
    }
    text += "usage: cargo xtask <task>\n";
    for task in TASKS {
        text += &format!("  {:<9} {}\n", task.name, task.usage);
    }
    text += "\
  --install lets run, test, soak, tracker and pictures install the Debian packages that they miss, as does
            CI=true in the environment; without it they say which command installs them";
    text
}
