//! The database schema: `clew migrate` updates it, and every collector checks it.

use super::address::POOLER;
use super::options::PostgresOptions;
use super::pool::{ConnectionPool, PostgresError, describe};
use super::statements as sql;
use super::threads::Threads;
use crate::error::StoreError;
use deadpool_postgres::Object;
use refinery::error::Kind;
use tokio_postgres::SimpleQueryMessage;

mod embedded {
    //! The migrations embedded in this binary. Each runs in its own transaction.
    refinery::embed_migrations!("src/postgres/migrations");
}

/// The table that records which migrations have run.
const HISTORY: &str = "clew.schema_history";
/// The advisory lock held while migrating. The number is arbitrary; nobody else should use it.
const LOCK: i64 = 0x636c_6577;

/// The oldest server version that the statements support.
const OLDEST_SERVER: i32 = 15;

/// The tables that are distributed on Citus, with their distribution column. They are all
/// co-located, bucket by bucket.
pub(super) const DISTRIBUTED: &[(&str, &str)] = &[
    ("clew.visitors", "vb"),
    ("clew.events", "vb"),
    ("clew.leads", "lb"),
    ("clew.conversions", "lb"),
    ("clew.records", "lb"),
    ("clew.deliveries", "lb"),
    ("clew.identities", "ib"),
    ("clew.used_keys", "kb"),
    ("clew.unmatched", "ub"),
    ("clew.memos", "mb"),
    ("clew.readiness", "rb"),
];
/// The reference tables: every node of a Citus cluster has a full copy.
pub(super) const REFERENCE: &[&str] = &["clew.importing", HISTORY];

/// What a run of `clew migrate` did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Migrated {
    /// The names of the migrations that ran.
    pub migrations: Vec<String>,
    /// The tables that were distributed.
    pub distributed: Vec<String>,
}

/// Updates the schema. With `citus`, also distributes the tables over the cluster. If another
/// process is migrating, waits for it. What is already done is not repeated. Blocks.
///
/// # Errors
/// [`StoreError::Unavailable`] or [`StoreError::Schema`].
pub fn migrate(options: &PostgresOptions, citus: bool) -> Result<Migrated, StoreError> {
    let options = PostgresOptions { connections: 1, statement_seconds: 0, ..options.clone() };
    Threads::start()?.wait(async move {
        let connections = ConnectionPool::new(&options)?;
        let mut client = connections.get().await?;
        migrate_with(&mut client, citus).await.map_err(StoreError::from)
    })
}

async fn migrate_with(client: &mut Object, citus: bool) -> Result<Migrated, PostgresError> {
    is_direct(client).await?;
    client.execute(sql::MIGRATE_ALONE.sql, &[&LOCK]).await?;
    can_hold_all(client).await?;
    client.batch_execute(sql::MAKE_SCHEMA.sql).await?;
    if let Some(applied) = applied(client).await?.filter(|applied| *applied > newest()) {
        compare(Some(applied), newest())?;
    }
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(&mut ***client).await.map_err(|error| schema(&error))?;
    complete(client).await?;
    let migrations = report.applied_migrations().iter().map(ToString::to_string).collect();
    let distributed = match citus {
        true => distribute(client).await?,
        false => Vec::new(),
    };
    Ok(Migrated { migrations, distributed })
}

/// Distributes all tables in one transaction: all or none.
async fn distribute(client: &mut Object) -> Result<Vec<String>, PostgresError> {
    let transaction = client.transaction().await?;
    if transaction.query_opt(sql::CITUS_VERSION.sql, &[]).await?.is_none() {
        let missing = "the extension citus is not installed in this database; run CREATE EXTENSION citus \
                       first, or omit --citus";
        return Err(StoreError::Schema(missing.into()).into());
    }
    let known = transaction.query(sql::CITUS_TABLES.sql, &[]).await?;
    let known: Vec<String> = known.iter().map(|row| row.get(0)).collect();
    let is_new = |table: &str| !known.iter().any(|known| known == table);
    transaction.batch_execute(sql::CITUS_SEQUENTIAL.sql).await?;
    let mut done = Vec::new();
    for table in REFERENCE.iter().filter(|table| is_new(table)) {
        transaction.execute(sql::CITUS_REFERENCE.sql, &[table]).await?;
        done.push((*table).to_owned());
    }
    for (table, column) in DISTRIBUTED.iter().filter(|(table, _)| is_new(table)) {
        let beside = match *table == DISTRIBUTED[0].0 {
            true => "none",
            false => DISTRIBUTED[0].0,
        };
        transaction.execute(sql::CITUS_DISTRIBUTE.sql, &[table, column, &beside]).await?;
        done.push((*table).to_owned());
    }
    transaction.commit().await?;
    Ok(done)
}

/// Checks that the schema is the one this binary needs.
///
/// # Errors
/// [`StoreError::Schema`] with the remedy.
pub(super) async fn check(connections: &ConnectionPool) -> Result<(), StoreError> {
    Ok(connections.work(&(), |client, ()| Box::pin(fits(client))).await?)
}

async fn fits(client: &Object) -> Result<(), PostgresError> {
    is_direct(client).await?;
    compare(applied(client).await?, newest())?;
    complete(client).await
}

/// Checks that no pooler is in between: it may hand each statement to another connection, or drop
/// the connection's settings. Nothing is prepared for this question, because another connection
/// may have prepared it.
async fn is_direct(client: &Object) -> Result<(), PostgresError> {
    let answer = client.simple_query(sql::SERVER.sql).await?;
    let is_direct = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(2) == Some("t"),
        _ => false,
    };
    match answer.iter().any(is_direct) {
        true => Ok(()),
        false => Err(StoreError::Unavailable(POOLER.into()).into()),
    }
}

/// Checks that all tables made by the migrations exist.
async fn complete(client: &Object) -> Result<(), PostgresError> {
    let tables = DISTRIBUTED.iter().map(|(table, _)| *table).chain(REFERENCE.iter().copied());
    let tables: Vec<&str> = tables.collect();
    let missing = client.query(sql::MISSING_TABLES.sql, &[&tables]).await?;
    let missing: Vec<String> = missing.iter().map(|row| row.get(0)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("{} is missing; restore a backup of the database", missing.join(", "));
    Err(StoreError::Schema(message).into())
}

/// With an encoding other than UTF-8, some page titles could never be stored.
async fn can_hold_all(client: &Object) -> Result<(), PostgresError> {
    let server = client.query_one(sql::SERVER.sql, &[]).await?;
    let (encoding, version): (&str, i32) = (server.get(0), server.get(1));
    let message = match (encoding, version / 10_000) {
        ("UTF8", OLDEST_SERVER..) => return Ok(()),
        ("UTF8", version) => {
            format!("the server is PostgreSQL {version}, but {OLDEST_SERVER} or newer is required")
        }
        (other, _) => format!(
            "the database's encoding is {other}; create one with ENCODING 'UTF8' TEMPLATE template0"
        ),
    };
    Err(StoreError::Schema(message).into())
}

/// The newest migration that has run; `None` if none has.
async fn applied(client: &Object) -> Result<Option<i32>, PostgresError> {
    if !client.query(sql::MISSING_TABLES.sql, &[&vec![HISTORY]]).await?.is_empty() {
        return Ok(None);
    }
    Ok(client.query_one(sql::NEWEST_MIGRATION.sql, &[]).await?.get(0))
}

/// The newest migration in this binary.
fn newest() -> i32 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| migration.version()).max().unwrap_or(0)
}

fn compare(applied: Option<i32>, newest: i32) -> Result<(), StoreError> {
    let message = match applied {
        Some(applied) if applied == newest => return Ok(()),
        None => "the database has no clew schema; run `clew migrate`".to_owned(),
        Some(applied) if applied < newest => {
            format!(
                "the database has version {applied}, but this program needs {newest}; run `clew migrate`"
            )
        }
        Some(applied) => format!(
            "the database has version {applied}, but this program needs {newest}; install a newer version of clew"
        ),
    };
    Err(StoreError::Schema(message))
}

/// Converts an error of the migrations. Each runs in a transaction, so a failed one changed
/// nothing.
fn schema(error: &refinery::Error) -> PostgresError {
    let message = match error.kind() {
        Kind::Connection(doing, cause) => match cause.downcast_ref::<tokio_postgres::Error>() {
            Some(cause) if cause.as_db_error().is_none() => {
                return StoreError::Unavailable(format!("{doing}: {}", describe(cause))).into();
            }
            Some(cause) => format!("{doing}: {}", describe(cause)),
            None => format!("{doing}: {cause}"),
        },
        Kind::DivergentVersion(applied, known) => format!(
            "the database was migrated by another program: its {applied} is not this program's {known}"
        ),
        Kind::MissingVersion(applied) => format!(
            "the database was migrated by another program: this one does not know {applied}"
        ),
        _ => error.to_string(),
    };
    StoreError::Schema(message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(applied: Option<i32>, expected: &str) {
        let message = compare(applied, 3).map_err(|error| error.to_string());
        match message {
            Ok(()) => assert_eq!(expected, ""),
            Err(message) => {
                assert!(!expected.is_empty() && message.contains(expected), "{message}")
            }
        }
    }

    #[test]
    fn schemas_that_fit_and_do_not() {
        check(Some(3), "");
        check(None, "run `clew migrate`");
        check(Some(2), "needs 3; run `clew migrate`");
        check(Some(4), "install a newer version of clew");
    }
}
