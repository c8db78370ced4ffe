//! The stores that a test can give a collector, and the macro that runs a test on both backends.

use crate::postgres::{Database, Server};
use crate::settings::settings_for;
use clew_store::postgres::{self, COLLECTOR, PostgresOptions};
use clew_store::sled::Disk;
use clew_store::{Opener, Options, Store, StoreError};
use collector::config::Config;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A store's backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// A folder on this machine.
    Sled,
    /// A database on a PostgreSQL server.
    Postgres,
}

/// Where a store keeps its data. It outlives the collector, so that another can open it.
#[derive(Debug)]
pub enum Storage {
    /// The parent of the store's folder.
    Sled(TempDir),
    /// The database, with its tables.
    Postgres(Database),
}

impl Storage {
    /// An empty store.
    pub fn new(backend: Backend) -> Self {
        static TEMPLATE: OnceLock<Database> = OnceLock::new();
        match backend {
            Backend::Sled => Self::Sled(tempfile::tempdir().unwrap()),
            Backend::Postgres => {
                let server = Server::shared();
                let template = TEMPLATE.get_or_init(|| migrated_template(server));
                Self::Postgres(server.create_database(Some(template)))
            }
        }
    }

    /// An empty store on a server that the test may kill.
    pub fn on(server: &Server) -> Self {
        Self::Postgres(migrated_template(server))
    }

    /// The database's name, for [`Server::psql`].
    pub fn database(&self) -> &str {
        match self {
            Self::Sled(_) => panic!("sled has no database"),
            Self::Postgres(database) => database.name(),
        }
    }

    /// A database without Clew's tables.
    pub fn bare_database() -> Self {
        Self::Postgres(Server::shared().create_database(None))
    }

    /// Opens the store, without a collector.
    pub fn open(&self) -> Arc<dyn Store> {
        open_store(&Config::parse(&settings_for(&self.url()), &[]).unwrap())
    }

    /// The same database, for a second collector.
    pub fn again(&self) -> Self {
        match self {
            Self::Sled(_) => panic!("only one collector can open a folder"),
            Self::Postgres(database) => Self::Postgres(database.clone()),
        }
    }

    /// The folder of a sled store.
    pub fn folder(&self) -> PathBuf {
        self.url().strip_prefix("sled:").unwrap().into()
    }

    /// The value of a collector's `store.url`.
    pub fn url(&self) -> String {
        match self {
            Self::Sled(folder) => format!("sled:{}/store", folder.path().display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }
}

impl From<Backend> for Storage {
    fn from(backend: Backend) -> Self {
        Self::new(backend)
    }
}

/// Opens the store of a configuration, as a collector does.
pub fn open_store(config: &Config) -> Arc<dyn Store> {
    open_store_on(config, Disk::Real)
}

/// Like [`open_store`]; a sled store uses the given disk.
pub fn open_store_on(config: &Config, disk: Disk) -> Arc<dyn Store> {
    let options = Options { disk, ..config.store.options() };
    // A process that another test has just forked holds a copy of every open file, and so of a
    // folder's lock, until it executes its program.
    let patience = Instant::now() + Duration::from_secs(5);
    loop {
        match clew_store::open(&options, Opener::Collector) {
            Err(StoreError::InUse(_)) if Instant::now() < patience => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// A migrated database without rows. Copying it is much faster than migrating one for each test.
fn migrated_template(server: &Server) -> Database {
    let database = server.create_database(None);
    postgres::migrate(&postgres_options(database.url()), false).unwrap();
    database
}

/// The options with which a test opens a database without a collector.
pub fn postgres_options(url: &str) -> PostgresOptions {
    PostgresOptions {
        url: url.into(),
        password: None,
        connections: 10,
        statement_seconds: 10,
        tls_ca: None,
        queue: 1_000,
        application: COLLECTOR,
    }
}

/// Makes two tests of each `async fn(Backend)` that it names: `sled::name` and `postgres::name`. A
/// function that it does not name is dead code, which the compiler reports.
#[macro_export]
macro_rules! both_stores {
    ($($test:ident),+ $(,)?) => {
        mod sled {
            $(#[actix_web::test]
            async fn $test() {
                super::$test($crate::storage::Backend::Sled).await;
            })+
        }
        mod postgres {
            $(#[actix_web::test]
            async fn $test() {
                super::$test($crate::storage::Backend::Postgres).await;
            })+
        }
    };
}
