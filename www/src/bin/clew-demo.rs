//! `clew-demo`: serves the demo site, the magazine and the CRM until it is stopped.
//!
//! `cargo xtask run` starts it next to the collector. The library does the work; this file has the
//! command line, the sockets and the signals.

use anyhow::{Context, Result};
use clap::Parser;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use www::{Demo, Listeners, Settings};

/// The demo around a Clew collector: a tracked site, a magazine that links to it, and a CRM.
#[derive(Parser)]
#[command(name = "clew-demo", version)]
struct Arguments {
    /// The address that all three servers listen on.
    #[arg(long, env = "CLEW_DEMO_BIND", default_value = "127.0.0.1")]
    bind: IpAddr,

    /// The port of the demo site with the contact form.
    #[arg(long, env = "CLEW_DEMO_SITE_PORT", default_value_t = 8081)]
    site_port: u16,

    /// The port of the magazine.
    #[arg(long, env = "CLEW_DEMO_NEWS_PORT", default_value_t = 8082)]
    news_port: u16,

    /// The port of the CRM; it receives webhooks at /webhook.
    #[arg(long, env = "CLEW_DEMO_CRM_PORT", default_value_t = 8083)]
    crm_port: u16,

    /// The collector's URL, as the form handler reaches it.
    #[arg(long, env = "CLEW_DEMO_COLLECTOR_URL", default_value = "http://127.0.0.1:8080")]
    collector_url: String,

    /// The URL in front of /s.js, as browsers reach it [default: the collector's /c].
    #[arg(long, env = "CLEW_DEMO_TRACKER_URL")]
    tracker_url: Option<String>,

    /// The demo site's URL, as browsers reach it [default: its address and port].
    #[arg(long, env = "CLEW_DEMO_PUBLIC_SITE_URL")]
    public_site_url: Option<String>,

    /// The demo site's name in the collector's configuration.
    #[arg(long, env = "CLEW_DEMO_SITE", default_value = "demo")]
    site: String,

    /// A file with the form handler's API key; it takes precedence over the key itself.
    #[arg(long, env = "CLEW_DEMO_API_KEY_FILE")]
    api_key_file: Option<PathBuf>,

    /// The form handler's API key. Prefer the environment variable: other users can read a command
    /// line.
    #[arg(long, env = "CLEW_DEMO_API_KEY", hide_env_values = true)]
    api_key: Option<String>,

    /// The secret of the webhooks, whsec_ and base64. Prefer the environment variable.
    #[arg(long, env = "CLEW_DEMO_WEBHOOK_SECRET", hide_env_values = true)]
    webhook_secret: String,

    /// A Content-Security-Policy to send with every page of the demo site.
    #[arg(long, env = "CLEW_DEMO_CONTENT_SECURITY_POLICY")]
    content_security_policy: Option<String>,

    /// Seconds between attempts to send submissions that the collector has not accepted.
    #[arg(long, env = "CLEW_DEMO_RETRY_SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..))]
    retry_seconds: u64,
}

#[actix_web::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let listeners = Listeners {
        site: listen(arguments.bind, arguments.site_port)?,
        news: listen(arguments.bind, arguments.news_port)?,
        crm: listen(arguments.bind, arguments.crm_port)?,
    };
    // Before starting, so that no signal is missed.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let demo = Demo::start(settings(arguments)?, listeners)?;
    tracing::info!(site = demo.site_url(), news = demo.news_url(), crm = demo.crm_url(), "serving");
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    demo.stop().await;
    Ok(())
}

fn settings(arguments: Arguments) -> Result<Settings> {
    let api_key = match (&arguments.api_key_file, arguments.api_key) {
        (Some(file), _) => read_key(file)?,
        (None, Some(key)) => key,
        (None, None) => anyhow::bail!("give --api-key-file or set CLEW_DEMO_API_KEY"),
    };
    let mut settings = Settings::new(&arguments.collector_url, &api_key, &arguments.webhook_secret);
    settings.site = arguments.site;
    if let Some(tracker_url) = arguments.tracker_url {
        settings.tracker_url = tracker_url;
    }
    settings.public_site_url = arguments.public_site_url;
    settings.content_security_policy = arguments.content_security_policy;
    settings.retry_every = Some(Duration::from_secs(arguments.retry_seconds));
    Ok(settings)
}

fn read_key(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the API key from {}", file.display()))?;
    Ok(text.trim().to_owned())
}

fn listen(address: IpAddr, port: u16) -> Result<TcpListener> {
    TcpListener::bind((address, port))
        .with_context(|| format!("cannot listen on {address} port {port}"))
}
