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
mod openapi;
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

/// Self-hosted, first-party marketing attribution.
#[derive(Debug, Parser)]
#[command(name = "clew", version, about)]
struct Arguments {
    /// Configuration file; without this option, `clew.toml` if it exists.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the collector until SIGINT or SIGTERM; SIGHUP reloads the configuration.
    Serve(serve::Serve),
    /// Write a new `clew.toml` with a random token key.
    Init(init::Init),
    /// Create an API key: add its hash to the configuration and print the key once.
    Key(key::Key),
    /// Print a site's script tag, with its SRI hash and the CSP directives it needs.
    Snippet(snippet::Snippet),
    /// Update a PostgreSQL store's schema; run it before starting collectors of this version.
    Migrate(migrate::Migrate),
    /// Export the whole store to a file; works while the collector runs.
    Export(export::Export),
    /// Write a compressed, timestamped export to a folder and verify it by reading it back.
    Backup(export::Backup),
    /// Import an export into an empty store.
    Import(import::Import),
    /// Restore a backup into an empty store; the same as `import`.
    Restore(import::Import),
    /// Check that the store is consistent; print its counts and digest.
    Check,
    /// Relabel stored page views with the configured rules, and report what changes.
    Reclassify(reclassify::Command),
    /// Erase data that is no longer needed.
    Erase(erase::Erase),
    /// Set up, test and inspect CRM connections.
    Crm(crm::Crm),
    /// Fill the store with a realistic year of demo journeys and leads.
    Demo(demo::Demo),
    /// Find where visits came from: CSV of URLs and referrers in, sources and channels out.
    Classify(classify::Classify),
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Apply an attribution model: CSV of journeys or paths in, credit out.
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
    // Our own variables are always UTF-8; skip the others.
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
        Command::Openapi => openapi::run(),
        Command::Attribute(attribute) => attribute.run(),
    }
}
