//! `clew crm`: sets up, tests and inspects CRM connections.

use crate::access::Access;
use crate::say::say;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use collector::config::Config;
use collector::operation::{ConnectionStatus, Mapped, SetUp, TestResult};

#[derive(Debug, Args)]
pub(crate) struct Crm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create the fields that the CRM lacks, and print which field is written where.
    Setup {
        /// The connection's name.
        name: String,
    },
    /// Send a test lead, marked as such.
    Test {
        /// The connection's name.
        name: String,
    },
    /// Print the state of every connection.
    Status,
}

impl Crm {
    pub(crate) fn run(self, config: Config) -> Result<()> {
        ensure!(
            !config.crm.is_empty(),
            "the configuration has no `[[crm]]`; see docs/crm.md for how to add one"
        );
        let access = Access::open(&config)?;
        match self.command {
            Command::Setup { name } => set_up(&access.set_up_crm(config, &name)?),
            Command::Test { name } => tested(&access.test_crm(config, &name)?),
            Command::Status => access.crm_status(config)?.iter().for_each(status),
        }
        access.close()
    }
}

fn set_up(SetUp { fields, advice }: &SetUp) {
    let widest = |word: fn(&Mapped) -> &str| {
        fields.iter().map(|field| word(field).len()).max().unwrap_or_default()
    };
    let width = widest(|field| &field.field);
    let (there, kind) = (widest(|field| &field.there), widest(|field| &field.kind));
    for field in fields {
        let made = if field.made { "created" } else { "exists" };
        say(format_args!(
            "{:<width$}  {:<there$}  {:<kind$}  {made}",
            field.field, field.there, field.kind
        ));
    }
    let made = fields.iter().filter(|field| field.made).count();
    say(format_args!("{} fields, {made} of them created now", fields.len()));
    advice.iter().for_each(say);
}

fn tested(TestResult { object, id, url, created, fields, noted }: &TestResult) {
    let made = if *created { "created" } else { "updated" };
    let note = if *noted { "and a note" } else { "and no note (`notes` is false)" };
    say(format_args!("test lead: {made} {object} {id} with {fields} fields {note}"));
    if let Some(url) = url {
        say(url);
    }
    say("check it in the CRM, then delete it");
}

fn status(status: &ConnectionStatus) {
    let ConnectionStatus { name, vendor, site, paused, deliveries, inbox, polled } = status;
    say(format_args!("{name} ({vendor}, site {site})"));
    match paused {
        Some((since, error)) => say(format_args!("  paused since {since}: {error}")),
        None => say("  not paused"),
    }
    let states = deliveries.iter().map(|(state, count)| format!("{count} {state}"));
    say(format_args!("  deliveries: {}", states.collect::<Vec<_>>().join(", ")));
    let (waiting, trouble) = inbox;
    let trouble = trouble.as_ref().map(|trouble| format!("; last error: {trouble}"));
    say(format_args!("  records waiting to be read: {waiting}{}", trouble.unwrap_or_default()));
    let polled = polled.iter().map(|(feed, at)| format!("{feed} {at}")).collect::<Vec<_>>();
    let never = || "never".to_owned();
    let polled = if polled.is_empty() { never() } else { polled.join(", ") };
    say(format_args!("  last polled: {polled}"));
}
