//! The verb `change_memo` on sled.

use super::keys;
use super::transaction::Transaction;
use crate::store::StoreError;
use crate::store::memo::{Memo, MemoChange};

pub(super) fn change(
    transaction: &mut Transaction<'_>,
    change: MemoChange,
) -> Result<bool, StoreError> {
    let key = keys::memo(change.kind, &change.name);
    let standing: Option<Memo> = transaction.get(&key)?;
    if !change.fits(standing.as_ref()) {
        return Ok(change.is_made(standing.as_ref()));
    }
    match change.memo() {
        Some(memo) => put_memo(transaction, &memo)?,
        None => transaction.remove_value(key)?,
    }
    Ok(true)
}

/// Something that was remembered.
pub(super) fn put_memo(transaction: &mut Transaction<'_>, memo: &Memo) -> Result<(), StoreError> {
    transaction.put(&keys::memo(memo.kind, &memo.name), memo)
}
