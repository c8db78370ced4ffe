//! The verbs `merge` and `undo_merge` on sled.

use super::keys;
use super::rows::put_lead;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::merge::{self, MergeRefused, NewMerge, Undone};
use shared::ids::LeadId;
use shared::lead::Lead;

pub(super) fn merge(
    transaction: &mut Transaction<'_>,
    new: NewMerge,
) -> Result<Result<Lead, MergeRefused>, StoreError> {
    let lead = |id| transaction.get::<Lead>(&keys::lead(id));
    let (Some(mut survivor), Some(mut merged)) = (lead(new.survivor)?, lead(new.merged)?) else {
        return Ok(Err(MergeRefused::NotVerified));
    };
    match merge::merge(&mut survivor, &mut merged, new) {
        Ok(true) => {
            put_lead(transaction, &survivor)?;
            put_lead(transaction, &merged)?;
        }
        Ok(false) => {}
        Err(refused) => return Ok(Err(refused)),
    }
    Ok(Ok(survivor))
}

pub(super) fn undo(
    transaction: &mut Transaction<'_>,
    survivor: LeadId,
    merged: LeadId,
    now_ms: i64,
) -> Result<Option<Lead>, StoreError> {
    let lead = |id| transaction.get::<Lead>(&keys::lead(id));
    let (Some(mut survivor), Some(mut merged)) = (lead(survivor)?, lead(merged)?) else {
        return Ok(None);
    };
    match merge::undo(&mut survivor, &mut merged, now_ms) {
        Undone::Never => return Ok(None),
        Undone::Before => {}
        Undone::Now => {
            put_lead(transaction, &survivor)?;
            put_lead(transaction, &merged)?;
        }
    }
    Ok(Some(merged))
}

/// A lead, or the one that answers for it.
pub(super) fn answering(transaction: &Transaction<'_>, lead: LeadId) -> Result<Lead, StoreError> {
    let mut lead: Lead = transaction.expect(&keys::lead(lead))?;
    while let Some(other) = lead.status.answered_by() {
        lead = transaction.expect(&keys::lead(other))?;
    }
    Ok(lead)
}
