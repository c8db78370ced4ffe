//! Connections: how they are made, how long anything may take, and what an error means.

use super::options::PostgresOptions;
use crate::error::StoreError;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::future::BoxFuture;
use std::error::Error as _;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest that a connection may take to be made, or to become free.
const CONNECT: Duration = Duration::from_secs(5);
/// What a piece of work may take beyond the statement's own limit: a connection, the network, and
/// other statements.
const MARGIN: Duration = Duration::from_secs(2);
/// The longest wait for what another transaction holds; with short statements it is half of one. It
/// ends before the statement's own limit does, so that the error says which of the two it was.
const LOCK: Duration = Duration::from_secs(2);
/// How often a transaction is begun anew that lost against another one, or its connection.
const ATTEMPTS: usize = 10;
const LOST_CONNECTIONS: usize = 2;

/// What to do where an encrypted connection does not come about.
const TLS_HINT: &str = "; see that the server has TLS on and that its certificate authority is named \
                        in store.tls_ca, or add ?sslmode=disable to store.url where the network between is \
                        your own";

/// Why a piece of work did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It lost against another transaction; nothing of it was kept.
    Raced,
    /// The connection is of no more use: it broke, and whether a commit under way was kept is not
    /// known; or what was agreed at its beginning is no longer so, and nothing was kept.
    Lost(StoreError),
    /// The database does not take these values, whoever asks.
    Refused(String),
    /// It took too long, perhaps because of what another transaction holds; nothing was kept.
    Slow(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let told = told(&error);
        let lost = |told: String| Self::Lost(StoreError::Unavailable(told));
        let Some(code) = error.code() else {
            let of_connection = error.is_closed()
                || error.source().is_some_and(|cause| cause.is::<std::io::Error>());
            return match of_connection {
                true => lost(told),
                false => Self::Store(StoreError::Unavailable(told)),
            };
        };
        match code.code() {
            _ if *code == SqlState::T_R_SERIALIZATION_FAILURE => Self::Raced,
            _ if *code == SqlState::T_R_DEADLOCK_DETECTED => Self::Raced,
            // A connection stays as read-only as the database was when it was made.
            _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => lost(format!(
                "{told}; the database is read-only: is this a standby, or is it being moved?"
            )),
            _ if *code == SqlState::QUERY_CANCELED => {
                Self::Slow(format!("{told}; it took longer than store.statement_seconds"))
            }
            _ if *code == SqlState::LOCK_NOT_AVAILABLE => {
                Self::Slow(format!("{told}; another transaction holds what it needs"))
            }
            _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                let hint = "; grant store.url's user what it needs, or let it own the schema clew";
                Self::Store(StoreError::Unavailable(format!("{told}{hint}")))
            }
            // A prepared statement that is gone, or whose tables have changed since.
            "26000" => lost(told),
            "0A000" if told.starts_with("cached plan") => lost(told),
            // The server is going down, coming up, or gone; it has ended a transaction that slept.
            code if ["57P", "08", "25P03"].iter().any(|class| code.starts_with(class)) => {
                lost(told)
            }
            // An unknown table, column or schema: it was changed under the collector.
            "42P01" | "42703" | "3F000" => Self::Store(StoreError::Schema(format!(
                "{told}; run `clew migrate`, or restore a backup of the database where that finds nothing \
                 to do"
            ))),
            code if code.starts_with("42") => Self::Store(StoreError::Schema(told)),
            // Data exceptions, broken constraints, program limits.
            code if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
                Self::Refused(told)
            }
            _ => Self::Store(StoreError::Unavailable(told)),
        }
    }
}

/// A sentence of what the server or the network said, with its causes.
pub(super) fn told(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// Connections that are kept and shared.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    patience: Duration,
    /// What was last told of the database, while it is in trouble.
    trouble: Arc<Mutex<Option<String>>>,
}

/// What the address says, completed with what every connection needs.
///
/// # Errors
/// [`StoreError::Unavailable`] where it is no address.
pub(super) fn configuration(options: &PostgresOptions) -> Result<Config, StoreError> {
    let wrong = |reason: &str| StoreError::Unavailable(format!("store.url: {reason}"));
    // What the parser says may hold the password.
    let unreadable = |_| {
        wrong(
            "it should be like postgres://user:password@host/database, with @ in a password written as \
             %40, / as %2F, % as %25",
        )
    };
    let mut config = Config::from_str(&options.url).map_err(unreadable)?;
    if config.get_hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    if config.get_ssl_mode() == SslMode::Prefer {
        // What is meant where nothing is said: whoever stands between could make it nothing. So it is
        // verified, or not there at all.
        let near = config.get_hosts().iter().all(is_near);
        config.ssl_mode(if near { SslMode::Disable } else { SslMode::Require });
    }
    // A collector that was cut off in a transaction must not hold visitors until TCP gives it up.
    let statement = Duration::from_secs(options.statement_seconds.into());
    let asleep = match statement.is_zero() {
        true => Duration::ZERO,
        false => 2 * (statement + MARGIN),
    };
    let limits = format!(
        "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={}",
        statement.as_millis(),
        LOCK.min(statement / 2).as_millis(),
        asleep.as_millis(),
    );
    let limits = match config.get_options() {
        Some(own) => format!("{limits} {own}"),
        None => limits,
    };
    config.options(limits).application_name(options.application).connect_timeout(CONNECT);
    config.keepalives_idle(Duration::from_secs(30));
    Ok(config)
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

impl Connections {
    /// A pool; no connection is made yet.
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let config = configuration(options)?;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycle),
            _ => Manager::from_config(config, tls(options)?, recycle),
        };
        let waits = Timeouts { wait: Some(CONNECT), create: Some(CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(manager)
            .max_size(options.connections)
            .timeouts(waits)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let patience = Duration::from_secs(options.statement_seconds.into()) + MARGIN;
        Ok(Self { pool, patience, trouble: Arc::default() })
    }

    /// A connection.
    pub(super) async fn get(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| {
            let reason = match &error {
                deadpool_postgres::PoolError::Backend(error) => {
                    let told = told(error);
                    match told.contains("TLS handshake") {
                        true => format!("{told}{TLS_HINT}"),
                        false => told,
                    }
                }
                deadpool_postgres::PoolError::Timeout(_) => {
                    "no connection within 5 seconds; is the database there, and is store.connections \
                     enough?"
                        .to_owned()
                }
                other => other.to_string(),
            };
            StoreError::Unavailable(reason)
        })
    }

    /// How long a piece of work may take.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Does a piece of work, anew where it lost against another transaction or lost its connection.
    /// Everything that a store does may be done twice: the second time finds it done. `given` is what
    /// the work reads.
    pub(super) async fn work<G: Sync, T: Send>(
        &self,
        given: &G,
        work: impl for<'c> Fn(&'c mut Object, &'c G) -> BoxFuture<'c, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let done = self.attempt(given, work).await;
        match &done {
            Ok(_) => self.tell(None),
            Err(Failure::Store(error) | Failure::Lost(error)) => self.tell(Some(error)),
            Err(Failure::Slow(reason)) => self.tell(Some(reason)),
            Err(Failure::Raced | Failure::Refused(_)) => {}
        }
        done
    }

    /// Logs when trouble begins, when it becomes another, and when it is over: not once a request.
    fn tell(&self, trouble: Option<&dyn Display>) {
        let mut told = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.map(ToString::to_string) {
            None if told.take().is_some() => tracing::info!("the database takes requests again"),
            None => {}
            Some(error) if told.as_ref() == Some(&error) => {}
            Some(error) => {
                tracing::error!(error, "the store is in trouble");
                *told = Some(error);
            }
        }
    }

    async fn attempt<G: Sync, T: Send>(
        &self,
        given: &G,
        work: impl for<'c> Fn(&'c mut Object, &'c G) -> BoxFuture<'c, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.patience;
        let reason = || format!("no answer within {} seconds", self.patience.as_secs());
        let late = |_| StoreError::Unavailable(reason());
        let mut lost = 0;
        for tried in 0..ATTEMPTS {
            let mut client = timeout_at(deadline, self.get()).await.map_err(late)??;
            match timeout_at(deadline, work(&mut client, given)).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Failure::Raced)) => {
                    drop(client);
                    // Not in step with those it lost against.
                    let pause = Duration::from_millis(rand::random_range(0..=5 << tried.min(5)));
                    #[expect(clippy::disallowed_methods, reason = "a pause that time has to end")]
                    tokio::time::sleep(pause).await;
                }
                Ok(Err(Failure::Lost(error))) => {
                    drop(Object::take(client));
                    // What befell one has befallen all, or soon will.
                    self.pool.retain(|_, _| false);
                    lost += 1;
                    if lost == LOST_CONNECTIONS {
                        return Err(error.into());
                    }
                }
                Ok(Err(other)) => return Err(other),
                Err(elapsed) => {
                    // Whatever it is doing, nobody waits for it any more.
                    drop(Object::take(client));
                    self.pool.retain(|_, _| false);
                    return Err(late(elapsed).into());
                }
            }
        }
        let reason = format!("it lost against other transactions {ATTEMPTS} times");
        Err(StoreError::Unavailable(reason).into())
    }

    /// Lets all connections go.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) | Failure::Lost(error) => error,
            Failure::Raced => Self::Unavailable("it lost against other transactions".into()),
            Failure::Slow(reason) => Self::Unavailable(reason),
            Failure::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// TLS that trusts what the machine trusts, or one certificate authority alone.
fn tls(options: &PostgresOptions) -> Result<MakeRustlsConnect, StoreError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls_platform_verifier::BuilderVerifierExt;

    let wrong = |reason: String| StoreError::Unavailable(format!("TLS: {reason}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let Some(file) = &options.tls_ca else {
        let config = builder.with_platform_verifier().map_err(|error| wrong(error.to_string()))?;
        return Ok(MakeRustlsConnect::new(config.with_no_client_auth()));
    };
    let unreadable = |reason: String| wrong(format!("store.tls_ca: {}: {reason}", file.display()));
    let mut roots = rustls::RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file);
    for certificate in certificates.map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("it holds no certificate".into()));
    }
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
