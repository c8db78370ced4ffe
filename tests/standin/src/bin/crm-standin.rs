//! `crm-standin`: serves the stand-ins until a signal stops it. Everything else is in the library.

use anyhow::{Context, Result};
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, ValueEnum, value_parser};
use standin::{Standin, Vendor};
use std::net::{IpAddr, TcpListener};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Stand-ins for CRMs. Each serves a page for people at `/` of its port, and test controls under
/// `/__test`; see docs/crm-standin.md.
#[derive(Parser)]
#[command(name = "crm-standin", version)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,

    /// Serve only this vendor.
    #[arg(long)]
    only: Option<Vendor>,

    /// The seed of all ids: another seed gives other ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Stop the clock at this time, in milliseconds since 1970. By default it is the machine's.
    #[arg(long)]
    now_ms: Option<i64>,
}

/// The names of a vendor's own arguments: `hubspot-port`, `hubspot-target`.
fn names(vendor: Vendor) -> (String, String) {
    let name = vendor.name();
    (format!("{name}-port"), format!("{name}-target"))
}

/// The command with all arguments: [`Arguments`], and those of each vendor.
fn command() -> Command {
    let add = |command: Command, vendor: &Vendor| {
        let ((port, target), title) = (names(*vendor), vendor.title());
        let port = Arg::new(port.clone())
            .long(port)
            .value_name("PORT")
            .value_parser(value_parser!(u16))
            .default_value(vendor.port().to_string())
            .help(format!("The port of {title}"));
        let target = Arg::new(target.clone())
            .long(target)
            .value_name("URL")
            .help(format!("The URL to which {title}'s webhooks are sent"));
        command.arg(port).arg(target)
    };
    Vendor::value_variants().iter().fold(Arguments::command(), add)
}

#[actix_web::main]
async fn main() -> Result<()> {
    let matches = command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches)?;
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Before the start, so that no signal is missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut playing = Vec::new();
    for vendor in Vendor::value_variants() {
        if arguments.only.is_some_and(|only| only != *vendor) {
            continue;
        }
        let (port, target) = names(*vendor);
        let port = *matches
            .get_one::<u16>(&port)
            .with_context(|| format!("{} has no port", vendor.title()))?;
        let target = matches.get_one::<String>(&target);
        let listener = TcpListener::bind((arguments.bind, port))
            .with_context(|| format!("cannot listen on {} port {port}", arguments.bind))?;
        let starting = Standin::of(*vendor).seed(arguments.seed).clock(arguments.now_ms);
        let starting = starting.settings(|settings| settings.target_url = target.cloned());
        let standin = starting.start_on(listener)?;
        tracing::info!(url = standin.url(), "serving");
        playing.push(standin);
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    for standin in playing {
        standin.stop().await;
    }
    Ok(())
}
