//! Database connections: how they are made, time limits, and the meaning of errors.

use super::address::{self, Address, POOLER};
use super::options::PostgresOptions;
use crate::error::StoreError;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::future::BoxFuture;
use std::error::Error as _;
use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, Error, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The longest time to make a connection, or to wait for a free one.
const CONNECT: Duration = Duration::from_secs(5);
/// How much longer than the statement timeout a piece of work may take: for getting a connection,
/// the network, and other statements.
const MARGIN: Duration = Duration::from_secs(2);
/// The longest wait for another transaction's lock; half the statement timeout if that is shorter.
/// It ends before the statement timeout does, so that the error shows which of the two it was.
const LOCK: Duration = Duration::from_secs(2);
/// How often a transaction is retried after it lost a race against another, or its connection.
const ATTEMPTS: usize = 10;
const LOST_CONNECTIONS: usize = 2;

/// The remedy if no encrypted connection can be made.
const TLS_HINT: &str = "; check that the server has TLS enabled and that store.tls_ca contains its \
                        certificate authority, or add ?sslmode=disable to store.url if you trust the \
                        network in between";

/// Why a piece of work failed.
#[derive(Debug)]
pub(super) enum PostgresError {
    /// It lost a race against another transaction and was rolled back.
    Raced,
    /// The connection is unusable. Either it broke, and it is unknown whether a running commit
    /// succeeded; or its session state is no longer valid, and nothing was committed.
    Lost(StoreError),
    /// The database refuses these values, whoever sends them.
    Refused(String),
    /// It took too long, perhaps because of another transaction's lock, and was rolled back.
    Slow(String),
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for PostgresError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Error> for PostgresError {
    fn from(error: Error) -> Self {
        let message = describe(&error);
        let lost = |message: String| Self::Lost(StoreError::Unavailable(message));
        let Some(code) = error.code() else {
            let of_connection = error.is_closed()
                || error.source().is_some_and(|cause| cause.is::<std::io::Error>());
            return match of_connection {
                true => lost(message),
                false => Self::Store(StoreError::Unavailable(message)),
            };
        };
        match code.code() {
            _ if *code == SqlState::T_R_SERIALIZATION_FAILURE => Self::Raced,
            _ if *code == SqlState::T_R_DEADLOCK_DETECTED => Self::Raced,
            // A connection stays read-only if the database was read-only when it was made.
            _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => lost(format!(
                "{message}; the database is read-only: is this a standby, or is it being moved?"
            )),
            _ if *code == SqlState::QUERY_CANCELED => {
                Self::Slow(format!("{message}; it took longer than store.statement_seconds"))
            }
            _ if *code == SqlState::LOCK_NOT_AVAILABLE => {
                Self::Slow(format!("{message}; another transaction holds a lock that it needs"))
            }
            _ if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                let hint = "; grant the missing privileges to the user in store.url, or make it the owner of the schema clew";
                Self::Store(StoreError::Unavailable(format!("{message}{hint}")))
            }
            // A prepared statement that no longer exists, or whose tables have changed since.
            "26000" => lost(message),
            "0A000" if message.starts_with("cached plan") => lost(message),
            // The server is shutting down, starting or gone, or has ended an idle transaction.
            code if ["57P", "08", "25P03"].iter().any(|class| code.starts_with(class)) => {
                lost(message)
            }
            // An unknown table, column or schema: it was changed while the collector was running.
            "42P01" | "42703" | "3F000" => Self::Store(StoreError::Schema(format!(
                "{message}; run `clew migrate`, or restore a backup of the database if that finds nothing \
                 to do"
            ))),
            code if code.starts_with("42") => Self::Store(StoreError::Schema(message)),
            // Data exceptions, violated constraints, program limits.
            code if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => {
                Self::Refused(message)
            }
            _ => Self::Store(StoreError::Unavailable(message)),
        }
    }
}

/// The message of the server or the network, with its causes.
pub(super) fn describe(error: &Error) -> String {
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

/// A shared pool of connections.
#[derive(Clone)]
pub(super) struct ConnectionPool {
    pool: Pool,
    patience: Duration,
    /// The current error, while the database is failing. Each error is logged once.
    trouble: Arc<Mutex<Option<String>>>,
}

/// The settings that every connection needs.
fn with_settings(mut config: Config, options: &PostgresOptions) -> Config {
    if config.get_ssl_mode() == SslMode::Prefer {
        // `Prefer` is the default if the URL does not say. An attacker on the network could
        // downgrade it, so TLS is either required and verified, or not used at all.
        let near = config.get_hosts().iter().all(is_near);
        config.ssl_mode(if near { SslMode::Disable } else { SslMode::Require });
    }
    // If a collector loses its connection during a transaction, its locks must not last until TCP
    // times out.
    let statement = Duration::from_secs(options.statement_seconds.into());
    let asleep = match statement.is_zero() {
        true => Duration::ZERO,
        false => 2 * (statement + MARGIN),
    };
    let limits = format!(
        "-c clew_pool.direct=1 -c statement_timeout={} -c lock_timeout={} -c \
         idle_in_transaction_session_timeout={}",
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
    config
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

impl ConnectionPool {
    /// Makes a pool. It does not connect yet.
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let Address { config, certificates } =
            address::read(&options.url, options.password.as_deref())?;
        let config = with_settings(config, options);
        let certificates = options.tls_ca.clone().or(certificates);
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match config.get_ssl_mode() {
            SslMode::Disable => Manager::from_config(config, NoTls, recycle),
            _ => Manager::from_config(config, tls(certificates.as_deref())?, recycle),
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

    /// Takes a connection from the pool.
    pub(super) async fn get(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| {
            let reason = match &error {
                deadpool_postgres::PoolError::Backend(error) => {
                    let message = describe(error);
                    match () {
                        () if message.contains("TLS handshake") => format!("{message}{TLS_HINT}"),
                        // PgBouncer's words.
                        () if message.contains("unsupported startup parameter") => {
                            format!("{message}; {POOLER}")
                        }
                        () => message,
                    }
                }
                deadpool_postgres::PoolError::Timeout(_) => {
                    "no connection within 5 seconds; is the database running, and is store.connections \
                     high enough?"
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

    /// Runs a piece of work, and retries it if it lost a race against another transaction or lost
    /// its connection. All work of a store is idempotent, so it may run twice. `given` is the
    /// work's input.
    pub(super) async fn work<G: Sync, T: Send>(
        &self,
        given: &G,
        work: impl for<'c> Fn(&'c mut Object, &'c G) -> BoxFuture<'c, Result<T, PostgresError>> + Send,
    ) -> Result<T, PostgresError> {
        let done = self.attempt(given, work).await;
        match &done {
            Ok(_) => self.log_trouble(None),
            Err(PostgresError::Store(error) | PostgresError::Lost(error)) => {
                self.log_trouble(Some(error))
            }
            Err(PostgresError::Slow(reason)) => self.log_trouble(Some(reason)),
            Err(PostgresError::Raced | PostgresError::Refused(_)) => {}
        }
        done
    }

    /// Logs when an error begins, when it changes, and when it is over, instead of once per
    /// request.
    fn log_trouble(&self, trouble: Option<&dyn Display>) {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble.map(ToString::to_string) {
            None if last.take().is_some() => tracing::info!("the database accepts requests again"),
            None => {}
            Some(error) if last.as_ref() == Some(&error) => {}
            Some(error) => {
                tracing::error!(error, "the database is failing");
                *last = Some(error);
            }
        }
    }

    async fn attempt<G: Sync, T: Send>(
        &self,
        given: &G,
        work: impl for<'c> Fn(&'c mut Object, &'c G) -> BoxFuture<'c, Result<T, PostgresError>> + Send,
    ) -> Result<T, PostgresError> {
        let deadline = Instant::now() + self.patience;
        let reason = || format!("no response within {} seconds", self.patience.as_secs());
        let late = |_| StoreError::Unavailable(reason());
        let mut lost = 0;
        for tried in 0..ATTEMPTS {
            let mut client = timeout_at(deadline, self.get()).await.map_err(late)??;
            match timeout_at(deadline, work(&mut client, given)).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(PostgresError::Raced)) => {
                    drop(client);
                    // A random pause, so that it does not run in step with the transactions it lost
                    // against.
                    let pause = Duration::from_millis(rand::random_range(0..=5 << tried.min(5)));
                    #[expect(clippy::disallowed_methods, reason = "a pause that time has to end")]
                    tokio::time::sleep(pause).await;
                }
                Ok(Err(PostgresError::Lost(error))) => {
                    drop(Object::take(client));
                    // What happened to one connection has happened to all of them, or soon will.
                    self.pool.retain(|_, _| false);
                    lost += 1;
                    if lost == LOST_CONNECTIONS {
                        return Err(error.into());
                    }
                }
                Ok(Err(other)) => return Err(other),
                Err(elapsed) => {
                    // Whatever it is doing, nobody is waiting for it any more.
                    drop(Object::take(client));
                    self.pool.retain(|_, _| false);
                    return Err(late(elapsed).into());
                }
            }
        }
        let reason = format!("it conflicted with other transactions {ATTEMPTS} times");
        Err(StoreError::Unavailable(reason).into())
    }

    /// Closes all connections.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

impl From<PostgresError> for StoreError {
    fn from(failure: PostgresError) -> Self {
        match failure {
            PostgresError::Store(error) | PostgresError::Lost(error) => error,
            PostgresError::Raced => {
                Self::Unavailable("it conflicted with another transaction".into())
            }
            PostgresError::Slow(reason) => Self::Unavailable(reason),
            PostgresError::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// TLS that trusts the system's certificates, or only those in a file.
fn tls(certificates: Option<&Path>) -> Result<MakeRustlsConnect, StoreError> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls_platform_verifier::BuilderVerifierExt;

    let wrong = |reason: String| StoreError::Unavailable(format!("TLS: {reason}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let Some(file) = certificates else {
        let config = builder.with_platform_verifier().map_err(|error| wrong(error.to_string()))?;
        return Ok(MakeRustlsConnect::new(config.with_no_client_auth()));
    };
    let unreadable =
        |reason: String| wrong(format!("the certificates in {}: {reason}", file.display()));
    let mut roots = rustls::RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file);
    for certificate in certificates.map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("it contains no certificate".into()));
    }
    Ok(MakeRustlsConnect::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
