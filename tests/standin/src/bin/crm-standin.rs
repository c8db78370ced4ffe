//! `crm-standin`: serves the stand-ins until it is told to stop. Everything is in the library.

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use standin::Standin;
use std::net::{IpAddr, TcpListener};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Stand-ins for HubSpot and Salesforce, each with a page for people at `/` of its port and controls
/// under `/__test`; docs/crm-standin.md tells the rest.
#[derive(Parser)]
#[command(name = "crm-standin", version)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    bind: IpAddr,

    /// Plays this one alone.
    #[arg(long)]
    only: Option<Vendor>,

    /// The port of HubSpot.
    #[arg(long, default_value_t = 8084)]
    hubspot_port: u16,

    /// The port of Salesforce.
    #[arg(long, default_value_t = 8085)]
    salesforce_port: u16,

    /// Where HubSpot's webhooks go.
    #[arg(long)]
    hubspot_target: Option<String>,

    /// Where Salesforce's outbound messages go.
    #[arg(long)]
    salesforce_target: Option<String>,

    /// Other seeds make other ids.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Milliseconds since 1970 where the clock stands still; without it, it is the machine's.
    #[arg(long)]
    now_ms: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Vendor {
    Hubspot,
    Salesforce,
}

#[actix_web::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    // Before the start, so that no signal is missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut playing = Vec::new();
    let Arguments { hubspot_port, hubspot_target, salesforce_port, salesforce_target, .. } =
        &arguments;
    for (vendor, starting, port, target) in [
        (Vendor::Hubspot, Standin::hubspot(), *hubspot_port, hubspot_target),
        (Vendor::Salesforce, Standin::salesforce(), *salesforce_port, salesforce_target),
    ] {
        if arguments.only.is_some_and(|only| only != vendor) {
            continue;
        }
        let listener = TcpListener::bind((arguments.bind, port))
            .with_context(|| format!("cannot listen on {} port {port}", arguments.bind))?;
        let starting = starting.seed(arguments.seed).clock(arguments.now_ms);
        let starting = starting.settings(|settings| settings.target_url.clone_from(target));
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
