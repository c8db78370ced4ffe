//! The stores that a collector can be given, and the two tests that are made of each test.

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

/// The kind of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// A folder of this machine.
    Sled,
    /// A database of a server.
    Postgres,
}

/// What lives as long as a store; a collector after the other can stand on it.
#[derive(Debug)]
pub enum Storage {
    /// The folder's parent.
    Sled(TempDir),
    /// The database, with its tables.
    Postgres(Database),
}

impl Storage {
    /// An empty one.
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

    /// An empty database of a server that the test kills.
    pub fn on(server: &Server) -> Self {
        Self::Postgres(migrated_template(server))
    }

    /// The database, for [`Server::psql`].
    pub fn database(&self) -> &str {
        match self {
            Self::Sled(_) => panic!("a folder is no database"),
            Self::Postgres(database) => database.name(),
        }
    }

    /// A database that nothing has been done to.
    pub fn bare_database() -> Self {
        Self::Postgres(Server::shared().create_database(None))
    }

    /// The store itself, without a collector.
    pub fn open(&self) -> Arc<dyn Store> {
        open_store(&Config::parse(&settings_for(&self.url()), &[]).unwrap())
    }

    /// The same database for one more collector.
    pub fn again(&self) -> Self {
        match self {
            Self::Sled(_) => panic!("a folder lets in one collector"),
            Self::Postgres(database) => Self::Postgres(database.clone()),
        }
    }

    /// Where sled keeps it.
    pub fn folder(&self) -> PathBuf {
        self.url().strip_prefix("sled:").unwrap().into()
    }

    /// What a collector's `store.url` says.
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

/// The store of a configuration, as a collector opens it.
pub fn open_store(config: &Config) -> Arc<dyn Store> {
    open_store_on(config, Disk::Real)
}

/// The same on a disk of the test's own, where it is a folder.
pub fn open_store_on(config: &Config, disk: Disk) -> Arc<dyn Store> {
    let options = Options { disk, ..config.store.options() };
    // Until it executes its program, a process that another test has just forked holds a copy of every
    // file that is open here, and so of a folder's lock.
    let patience = Instant::now() + Duration::from_secs(5);
    loop {
        match clew_store::open(&options, Opener::Collector) {
            Err(StoreError::InUse(_)) if Instant::now() < patience => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}

/// A database with every table and no row, which copies are made of: so much faster than to
/// migrate one for each test.
fn migrated_template(server: &Server) -> Database {
    let database = server.create_database(None);
    postgres::migrate(&postgres_options(database.url()), false).unwrap();
    database
}

/// How a test reaches a database without a collector.
pub fn postgres_options(url: &str) -> PostgresOptions {
    PostgresOptions {
        url: url.into(),
        connections: 10,
        statement_seconds: 10,
        tls_ca: None,
        queue: 1_000,
        application: COLLECTOR,
    }
}

/// Makes two tests of each `async fn(Backend)` that is named: `sled::name` and `postgres::name`.
/// One that is not named is dead code, and the compiler says so.
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
