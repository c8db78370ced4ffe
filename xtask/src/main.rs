//! The project's own tasks: `cargo xtask <task>`. One file a task; none of them links the product.

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

/// A task: its name, its arguments and purpose for the usage, and what it does.
struct Task {
    name: &'static str,
    usage: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "run",
        usage: "[--year]    serve collector, demo site and demo CRM; --year fills the store first,
                --crm hubspot|salesforce hands leads to a stand-in of it",
        run: run::run,
    },
    Task {
        name: "test",
        usage: "[FILTER]    run all tests, or those whose names contain FILTER",
        run: test::run,
    },
    Task {
        name: "soak",
        usage: "[KIND]      run the long rounds: crash, rules, or attack, which measures what strangers can do",
        run: soak::run,
    },
    Task {
        name: "bench",
        usage: "[store]     measure the stores: ingest, journeys, claims; --quick for less of each",
        run: bench::run,
    },
    Task {
        name: "bots",
        usage: "--bots FILE --browsers FILE    measure the bot check on lists of user agents",
        run: bots::run,
    },
    Task {
        name: "tracker",
        usage: "[--sizes]   build the browser tracker into target/tracker; --sizes prints what it weighs",
        run: tracker::run,
    },
    Task {
        name: "tidy",
        usage: "            check what the compiler cannot; --modules prints each crate's modules",
        run: tidy::run,
    },
    Task {
        name: "pictures",
        usage: "            take the screenshots of docs/images",
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
