//! The verbs of `Memos` on sled.

use super::read::{page, read};
use super::rows::put_memo;
use super::transaction::Transaction;
use super::{SledStore, keys};
use crate::error::StoreError;
use crate::memo::{Memo, MemoChange, MemoKind};
use crate::verbs::Memos;
use async_trait::async_trait;

#[async_trait]
impl Memos for SledStore {
    async fn memo(&self, kind: MemoKind, name: &str) -> Result<Option<Memo>, StoreError> {
        read(&self.tree()?, &keys::memo(kind, name))
    }

    async fn memos(
        &self,
        kind: MemoKind,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Memo>, StoreError> {
        let after = after.map(|after| keys::memo(kind, &after));
        page(&self.tree()?, &keys::memos(kind), after.as_deref(), limit)
    }

    async fn change_memo(&self, change_to: MemoChange) -> Result<bool, StoreError> {
        change_to.check()?;
        self.writer.write(move |transaction| change(transaction, change_to)).await
    }
}

fn change(transaction: &mut Transaction<'_>, change: MemoChange) -> Result<bool, StoreError> {
    let key = keys::memo(change.kind, &change.name);
    let stored: Option<Memo> = transaction.get(&key)?;
    if !change.fits(stored.as_ref()) {
        return Ok(change.is_made(stored.as_ref()));
    }
    match change.memo() {
        Some(memo) => put_memo(transaction, &memo)?,
        None => transaction.remove_value(key)?,
    }
    Ok(true)
}
