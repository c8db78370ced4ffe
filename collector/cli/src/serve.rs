//! `clew serve`: opens the store, listens, delivers; on a signal reads its settings again, or drains
//! all of it.

use crate::privacy::{ensure_not_root, warn_of_exposed};
use crate::store::{ensure_whole, open_store, operator_socket};
use anyhow::{Context, Result, ensure};
use clew_core::{Clock, Dice};
use clew_server::{App, files, server};
use collector::config::change::Change;
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
    /// Run as root, too
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
        // It would panic where nobody reads the log any more, as after a terminal's hangup.
        .log_internal_errors(false)
        .with_ansi(terminal)
        .with_filter_reloading();
    let handle = log.reload_handle();
    log.init();
    let set_filter = move |filter| handle.reload(filter).context("the log cannot be changed");
    server::block_on(serve(source, config, set_filter))
}

fn log_filter(config: &Config) -> Result<EnvFilter> {
    // A plain word that is no level would be taken for a part of the program, and all else be silent.
    let levels = config.log.split(',').map(str::trim).filter(|part| !part.contains('='));
    for level in levels {
        ensure!(
            level.parse::<LevelFilter>().is_ok(),
            "log: `{level}` is none of error, warn, info, debug, trace, off"
        );
    }
    // It logs every request that is not HTTP, as often as a stranger likes; `Refusal` counts them. What
    // the setting says of the same part counts.
    let filter = format!("actix_http=off,{}", config.log);
    EnvFilter::try_new(filter).context("log: not a filter")
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
    let app = App::new(config, Arc::clone(&store), Clock::system(), Dice::system())
        .with_context(|| source.is_wrong())?;
    ensure!(
        app.tracker.is_some(),
        "this binary was built without the tracker; run `cargo xtask tracker` and build it again"
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
            tracing::warn!(%path, %error, "commands cannot ask this collector for what is in its store");
        });
        serving.ok()
    });
    let store_url = settings.config.store.shown_url();
    tracing::info!(%address, %operator_address, store = store_url, "the collector is ready");
    while let Asked::Reload = signals.next().await {
        if let Err(error) = reload(source, &app, &set_filter) {
            let error = format!("{error:#}");
            tracing::error!(error, "the configuration was refused; the one before stays in force");
        }
    }
    tracing::info!("stopping: no more requests; finishing deliveries and writes");
    serving.stop().await;
    for serving in [commands, operators].into_iter().flatten() {
        serving.stop().await;
    }
    stop.send_replace(true);
    worker.await.context("the outbox panicked")?;
    follower.await.context("following leads panicked")?;
    store.close().await.context("the store did not close cleanly")?;
    tracing::info!("stopped");
    Ok(())
}

fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; give {setting} another address if it is in use")
    })
}

/// Reads the configuration again and puts it in force, all of it or nothing.
fn reload(source: &Source, app: &App, set_filter: impl Fn(EnvFilter) -> Result<()>) -> Result<()> {
    let before = app.settings.get();
    let mut config = source.read()?;
    let need_restart = config.keep_started(&before.config);
    let filter = log_filter(&config).with_context(|| source.is_wrong())?;
    let settings = Settings::new(config).with_context(|| source.is_wrong())?;
    app.change_settings(settings).with_context(|| source.is_wrong())?;
    set_filter(filter)?;
    let settings = app.settings.get();
    let change = Change::between(&before.config, &settings.config);
    tracing::info!(
        sites = change.sites.to_string(),
        keys = change.keys.to_string(),
        destinations = change.destinations.to_string(),
        crm = change.crm.to_string(),
        inbound = change.inbound.to_string(),
        "the configuration was read again"
    );
    for setting in need_restart {
        tracing::warn!(setting, "a setting that was changed stays as it is until a restart");
    }
    warn_of_exposed(source.file.as_deref());
    warn_of_gaps(&settings);
    Ok(())
}

/// What a signal asks for.
enum Asked {
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGINT and SIGTERM alike: stop in order; requests under way are answered first.
    Stop,
}

/// The signals that are listened for.
struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on none of them ends the process by itself.
    fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.hangup.recv() => Asked::Reload,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
        }
    }
}

fn warn_of_gaps(Settings { config, .. }: &Settings) {
    if config.sites.is_empty() {
        tracing::warn!("no site is configured, so every event will be refused as unknown_site");
    }
    if config.token_keys.is_empty() {
        tracing::warn!(
            "no token_keys are configured, so forms get no sealed token; add [[token_keys]] with an id and \
             a secret that `openssl rand -base64 32` makes"
        );
    }
}
