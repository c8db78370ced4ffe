//! The binary `clew`: reads the command line, runs one command, says in words what went wrong.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match collector::cli::run(collector::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the one place where a command's failure is told"
            )]
            {
                eprintln!("clew: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
