//! The verbs of `Memos` on PostgreSQL. A change is one statement, which changes nothing unless it
//! finds the expected stamp.

use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::{PostgresStore, statements as sql};
use crate::error::StoreError;
use crate::memo::{Memo, MemoChange, MemoKind};
use crate::verbs::Memos;
use async_trait::async_trait;
use deadpool_postgres::{GenericClient, Object};
use tokio_postgres::Row;

#[async_trait]
impl Memos for PostgresStore {
    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError> {
        // A text column cannot hold U+0000, so there is no such memo.
        if name.contains('\0') {
            return Ok(None);
        }
        self.query(&sql::MEMO, rows::memo_key(kind, name)).await?.first().map(read).transpose()
    }

    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError> {
        let key = rows::parameters![kind.as_str(), after.unwrap_or_default(), limit as i64];
        self.query(&sql::MEMOS, key).await?.iter().map(read).collect()
    }

    async fn change_memo(&self, wanted: MemoChange) -> Result<bool, StoreError> {
        wanted.check()?;
        let connections = self.connections.clone();
        self.run(async move { change(&connections, &wanted).await }).await
    }
}

async fn change(connections: &ConnectionPool, change: &MemoChange) -> Result<bool, PostgresError> {
    connections.work(change, |client, change| Box::pin(change_with(client, change))).await
}

async fn change_with(client: &mut Object, change: &MemoChange) -> Result<bool, PostgresError> {
    let key = rows::memo_key(change.kind, &change.name);
    let changed = match (change.was, change.clone().memo()) {
        (None, Some(memo)) => put_memos(&*client, [&memo]).await?,
        (None, None) => 0,
        (Some(was), Some(Memo { stamp, value, .. })) => {
            let parameters = key.clone().and(was as i64).and(stamp as i64).and(value);
            rows::execute(&*client, &sql::CHANGE_MEMO, &parameters).await?
        }
        (Some(was), None) => {
            rows::execute(&*client, &sql::REMOVE_MEMO, &key.clone().and(was as i64)).await?
        }
    };
    if changed > 0 {
        return Ok(true);
    }
    let stored = rows::query(&*client, &sql::MEMO, &key).await?;
    let stored = stored.first().map(read).transpose()?;
    Ok(change.is_made(stored.as_ref()))
}

/// Stores memos whose name is not in use yet. Returns how many.
pub(super) async fn put_memos<'a>(
    client: &impl GenericClient,
    memos: impl IntoIterator<Item = &'a Memo>,
) -> Result<u64, PostgresError> {
    let mut all = Parameters::default();
    for Memo { kind, name, stamp, value } in memos {
        all.append(rows::memo_key(*kind, name));
        all.push(*stamp as i64);
        all.push(value.clone());
    }
    rows::insert(client, &sql::PUT_MEMOS, &all).await
}

/// Reads a memo from the columns that all its statements return.
pub(super) fn read(row: &Row) -> Result<Memo, StoreError> {
    let kind: &str = rows::column(row, 0)?;
    let unknown = || StoreError::Corrupt(format!("`{kind}` is not a kind of memo"));
    let stamp: i64 = rows::column(row, 2)?;
    Ok(Memo {
        kind: MemoKind::parse(kind).ok_or_else(unknown)?,
        name: rows::column(row, 1)?,
        // The signed column holds the same bits.
        stamp: stamp as u64,
        value: rows::column(row, 3)?,
    })
}
