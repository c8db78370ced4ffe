//! Reads what webhooks named, as it stands in the CRM.

use super::apply::apply;
use super::work::{FollowError, Work};
use crate::inbox::{Inbox, Waiting};
use clew_connect::CallError;
use clew_connect::crm::record::RecordRef;
use clew_store::StoreError;

/// Records that are read with one call.
const AT_ONCE: usize = 100;

/// Reads what is due; returns how many records.
pub(super) async fn read_due(work: &Work<'_>, inbox: &Inbox) -> Result<usize, FollowError> {
    let name = work.connection.name();
    let (mut looked, mut after) = (0, None);
    loop {
        let (waiting, next) = inbox.page(name, after, AT_ONCE).await?;
        let Some(next) = next else { return Ok(looked) };
        after = Some(next);
        let now_ms = work.core.now_ms();
        let due: Vec<Waiting> =
            waiting.into_iter().filter(|waiting| waiting.entry.is_due(now_ms)).collect();
        if !due.is_empty() {
            looked += due.len();
            read(work, inbox, &due).await?;
        }
    }
}

/// Reads what is due. Where the CRM refuses to read it together, each half is read by itself, so that
/// one record that cannot be read keeps no other waiting.
async fn read(work: &Work<'_>, inbox: &Inbox, due: &[Waiting]) -> Result<(), FollowError> {
    let Some(webhooks) = work.connection.crm.webhooks() else { return Ok(()) };
    let mut parts = vec![due];
    while let Some(part) = parts.pop() {
        let records: Vec<RecordRef> =
            part.iter().map(|waiting| waiting.entry.record.clone()).collect();
        match webhooks.read(&records).await {
            Ok(changes) => {
                apply(work, &changes).await?;
                for waiting in part {
                    inbox.remove(waiting).await?;
                }
            }
            Err(CallError::Invalid(_)) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(CallError::Invalid(error)) => {
                let connection = work.connection.name();
                tracing::warn!(connection, ?records, error, "a record could not be read");
                put_off(inbox, part, &error).await?;
            }
            // What has nothing to do with the records does not count against them.
            Err(error @ (CallError::Auth(_) | CallError::RateLimited { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                put_off(inbox, part, &error.to_string()).await?;
                return Err(error.into());
            }
        }
    }
    Ok(())
}

async fn put_off(inbox: &Inbox, part: &[Waiting], error: &str) -> Result<(), StoreError> {
    for waiting in part {
        inbox.put_off(waiting, error).await?;
    }
    Ok(())
}
