//! `clew serve`: opens the store, listens, delivers; on a signal drains all of it.

use crate::app::{App, open_store};
use crate::clock::{Clock, Dice};
use crate::config::{Config, Source};
use crate::outbox::Outbox;
use crate::server;
use crate::settings::Settings;
use anyhow::{Context, Result, ensure};
use std::io::IsTerminal;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

pub(super) fn run(source: &Source) -> Result<()> {
    let config = source.read()?;
    let filter = log_filter(&config).with_context(|| source.is_wrong())?;
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .init();
    server::block_on(serve(source, config))
}

fn log_filter(config: &Config) -> Result<EnvFilter> {
    EnvFilter::try_new(&config.log).context("log: not a filter")
}

async fn serve(source: &Source, config: Config) -> Result<()> {
    let listen = config.listen;
    let listener =
        TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    let signals = StopSignals::listen()?;
    let store = open_store(&config)?;
    let app = App::new(config, Arc::clone(&store), Clock::system(), Dice::system())
        .with_context(|| source.is_wrong())?;
    ensure!(
        app.tracker.is_some(),
        "this binary was built without the tracker; run `cargo xtask tracker` and build it again"
    );
    let settings = app.settings();
    warn_of_gaps(&settings);
    let outbox = Outbox::new(Arc::clone(&app))?;
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::task::spawn_local(outbox.run(stopped));
    tracing::info!(address = %listener.local_addr()?, store = settings.config.store.url, "the collector is ready");
    let serving = server::serve(listener, &app)?;
    signals.wait().await;
    tracing::info!("stopping: no more requests; finishing deliveries and writes");
    serving.stop().await;
    stop.send_replace(true);
    worker.await.context("the outbox panicked")?;
    store.close().await.context("the store did not close cleanly")?;
    tracing::info!("stopped");
    Ok(())
}

/// SIGINT and SIGTERM, which alike stop in order: requests under way are answered first.
struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// From here on neither signal ends the process by itself.
    fn listen() -> Result<Self> {
        let told = "cannot listen for signals";
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context(told)?,
            terminate: signal(SignalKind::terminate()).context(told)?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn warn_of_gaps(Settings { config, .. }: &Settings) {
    if config.sites.is_empty() {
        tracing::warn!("no site is configured, so every event will be refused as unknown_site");
    }
    if config.token_keys.is_empty() {
        tracing::warn!(
            "no token_keys are configured, so forms get no sealed token; `clew init` shows how"
        );
    }
}
