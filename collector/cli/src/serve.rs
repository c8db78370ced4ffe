//! `clew serve`: opens the store, serves requests and delivers leads. SIGHUP reloads the
//! configuration; SIGINT and SIGTERM drain and stop.

use crate::privacy::{ensure_not_root, warn_of_exposed};
use crate::store::{ensure_whole, open_store, operator_socket};
use anyhow::{Context, Result, ensure};
use clew_core::{Clock, Random};
use clew_server::{App, files, server};
use collector::config::change::ConfigDiff;
use collector::config::{Config, Source};
use collector::settings::Settings;
use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Allow running as root.
    #[arg(long)]
    allow_root: bool,
}

impl Serve {
    pub(crate) fn run(&self, source: &Source) -> Result<()> {
        let config = source.read()?;
        let filter = log_filter(&config).with_context(|| source.is_wrong())?;
        ensure_not_root(source, self.allow_root)?;
        run(source, config, filter)
    }
}

fn run(source: &Source, config: Config, filter: EnvFilter) -> Result<()> {
    let terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Otherwise a failed write would panic, for example after the terminal has hung up.
        .log_internal_errors(false)
        .with_ansi(terminal)
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    let set_filter =
        move |filter| handle.reload(filter).context("the log filter cannot be changed");
    server::block_on(serve(source, config, set_filter))
}

fn log_filter(config: &Config) -> Result<EnvFilter> {
    // The filter would read any other word as a part of the program, and silence all others.
    let levels = config.log.split(',').map(str::trim).filter(|part| !part.contains('='));
    for level in levels {
        ensure!(
            level.parse::<LevelFilter>().is_ok(),
            "log: `{level}` is not a level; use error, warn, info, debug, trace or off"
        );
    }
    // actix_http would log every request that is not HTTP, as often as strangers send one;
    // `Refusal` counts them instead. The setting can override this.
    let filter = format!("actix_http=off,{}", config.log);
    EnvFilter::try_new(filter).context("log: not a valid filter")
}

async fn serve(
    source: &Source,
    config: Config,
    set_filter: impl Fn(EnvFilter) -> Result<()>,
) -> Result<()> {
    files::raise_limit();
    let listener = bind("listen", config.listen)?;
    let operators = config.operator_listen.map(|at| bind("operator_listen", at)).transpose()?;
    let mut signals = Signals::listen()?;
    let store = open_store(&config)?;
    ensure_whole(&*store).await?;
    let operator_socket = operator_socket(&config);
    let app = App::new(config, Arc::clone(&store), Clock::system(), Random::system())
        .with_context(|| source.is_wrong())?;
    ensure!(
        app.tracker.is_some(),
        "this binary was built without the tracker; run `cargo xtask tracker` and rebuild it"
    );
    let settings = app.settings.get();
    warn_of_exposed(source.file.as_deref());
    warn_of_gaps(&settings);
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::task::spawn_local(app.outbox().run(stopped.clone()));
    let follower = tokio::task::spawn_local(app.follower().run(stopped));
    let address = listener.local_addr()?;
    let operator_address = operators.as_ref().unwrap_or(&listener).local_addr()?;
    let operators =
        operators.map(|listener| server::serve_operators(listener, &app)).transpose()?;
    let serving = server::serve(listener, &app)?;
    let commands = operator_socket.and_then(|path| {
        let serving = server::serve_commands(&path, &app).inspect_err(|error| {
            let path = path.display();
            tracing::warn!(%path, %error, "commands cannot reach this collector: its socket could not be opened");
        });
        serving.ok()
    });
    let store_url = settings.config.store.shown_url();
    tracing::info!(%address, %operator_address, store = store_url, "the collector is ready");
    while let SignalAction::Reload = signals.next().await {
        if let Err(error) = reload(source, &app, &set_filter) {
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "the configuration was refused; the previous one stays in force"
            );
        }
    }
    tracing::info!("stopping: no more requests; finishing deliveries and writes");
    serving.stop().await;
    for serving in [commands, operators].into_iter().flatten() {
        serving.stop().await;
    }
    stop.send_replace(true);
    worker.await.context("the outbox panicked")?;
    follower.await.context("the follower panicked")?;
    store.close().await.context("the store did not close cleanly")?;
    tracing::info!("stopped");
    Ok(())
}

fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; if it is in use, set {setting} to another address")
    })
}

/// Reloads the configuration, all of it or nothing.
fn reload(source: &Source, app: &App, set_filter: impl Fn(EnvFilter) -> Result<()>) -> Result<()> {
    let before = app.settings.get();
    let mut config = source.read()?;
    let need_restart = config.keep_started(&before.config);
    let filter = log_filter(&config).with_context(|| source.is_wrong())?;
    let settings = Settings::new(config).with_context(|| source.is_wrong())?;
    app.change_settings(settings).with_context(|| source.is_wrong())?;
    set_filter(filter)?;
    let settings = app.settings.get();
    let diff = ConfigDiff::between(&before.config, &settings.config);
    tracing::info!(
        sites = diff.sites.to_string(),
        keys = diff.keys.to_string(),
        destinations = diff.destinations.to_string(),
        crm = diff.crm.to_string(),
        inbound = diff.inbound.to_string(),
        "the configuration was reloaded"
    );
    for setting in need_restart {
        tracing::warn!(setting, "a changed setting takes effect only after a restart");
    }
    warn_of_exposed(source.file.as_deref());
    warn_of_gaps(&settings);
    Ok(())
}

/// What a signal asks for.
enum SignalAction {
    /// SIGHUP: reload the configuration.
    Reload,
    /// SIGINT or SIGTERM: finish the requests in progress, then stop.
    Stop,
}

/// The signals that `clew serve` handles.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on, none of them kills the process.
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.hangup.recv() => SignalAction::Reload,
            _ = self.interrupt.recv() => SignalAction::Stop,
            _ = self.terminate.recv() => SignalAction::Stop,
        }
    }
}

fn warn_of_gaps(Settings { config, .. }: &Settings) {
    if config.sites.is_empty() {
        tracing::warn!(
            "no site is configured, so every batch will be refused as unknown_site; add a [[sites]] table"
        );
    }
    if config.token_keys.is_empty() {
        tracing::warn!(
            "no token_keys are configured, so forms get no sealed token; add [[token_keys]] with an id and \
             a secret from `openssl rand -base64 32`"
        );
    }
}
