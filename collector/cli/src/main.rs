//! The command line of `clew`: one file for each command.

#![forbid(unsafe_code)]

mod access;
mod attribute;
mod check;
mod classify;
mod crm;
mod demo;
mod erase;
mod export;
mod import;
mod init;
mod key;
mod migrate;
mod output;
mod privacy;
mod progress;
mod reclassify;
mod say;
mod serve;
mod snippet;
mod store;
mod table;

use anyhow::Result;
use clap::{Parser, Subcommand};
use collector::config::Source;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// First-party marketing attribution that a company runs itself.
#[derive(Debug, Parser)]
#[command(name = "clew", version, about)]
struct Arguments {
    /// The configuration; without it `clew.toml` is read where there is one.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the collector until SIGINT or SIGTERM; SIGHUP reads the configuration again.
    Serve(serve::Serve),
    /// Write a first `clew.toml` with a token key of its own.
    Init(init::Init),
    /// Make an API key: add its hash to the configuration and show the key once.
    Key(key::Key),
    /// Print the script tag of a site, with the lines for CSP and SRI.
    Snippet(snippet::Snippet),
    /// Bring a PostgreSQL store's schema up to date, before collectors of this version start.
    Migrate(migrate::Migrate),
    /// Write everything in the store into a file, also while the collector runs.
    Export(export::Export),
    /// Write a compressed export with the time in its name into a folder, and read it back.
    Backup(export::Backup),
    /// Read an export into a store that holds nothing.
    Import(import::Import),
    /// Read a backup into a store that holds nothing; the same as import.
    Restore(import::Import),
    /// See that what is in the store holds together, and count it.
    Check,
    /// Label what is stored by the rules of the configuration, and say what that changes.
    Reclassify(reclassify::Command),
    /// Erase what nobody needs any more.
    Erase(erase::Erase),
    /// Set connections to CRMs up, try them out, look at them.
    Crm(crm::Crm),
    /// Fill the store with a believable year of journeys and leads.
    Demo(demo::Demo),
    /// Say where visits came from: CSV of addresses and referrers in, sources and channels out.
    Classify(classify::Classify),
    /// Credit touches under an attribution model: CSV of journeys or paths in, shares out.
    Attribute(attribute::Attribute),
}

fn main() -> ExitCode {
    privacy::make_private_files();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the one place where a command reports an error"
            )]
            {
                eprintln!("clew: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let default = PathBuf::from(init::CONFIG);
    let named = arguments.config;
    let file = named.clone().or_else(|| default.is_file().then_some(default));
    // A variable that is not UTF-8 is none of ours.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let environment: Vec<_> = std::env::vars_os().filter_map(text).collect();
    let source = Source { file, environment };
    match arguments.command {
        Command::Serve(serve) => serve.run(&source),
        Command::Init(init) => init.run(named),
        Command::Key(key) => key.run(&source),
        Command::Snippet(snippet) => snippet.run(&source.read()?),
        Command::Migrate(migrate) => migrate.run(&source.read()?),
        Command::Export(export) => export.run(&source.read()?),
        Command::Backup(backup) => backup.run(&source.read()?),
        Command::Import(import) | Command::Restore(import) => import.run(&source.read()?),
        Command::Check => check::run(&source.read()?),
        Command::Reclassify(reclassify) => reclassify.run(&source.read()?),
        Command::Erase(erase) => erase.run(&source.read()?),
        Command::Crm(crm) => crm.run(source.read()?),
        Command::Demo(demo) => demo.run(&source.read()?),
        Command::Classify(classify) => classify.run(source.read()?),
        Command::Attribute(attribute) => attribute.run(),
    }
}
