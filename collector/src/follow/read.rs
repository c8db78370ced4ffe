//! Reads the records that webhooks named from the CRM.

use super::apply::apply;
use super::work::{FollowError, Work};
use crate::inbox::{Inbox, Waiting};
use clew_connect::CallError;
use clew_connect::crm::record::RecordRef;
use clew_store::StoreError;

/// Records per call.
const AT_ONCE: usize = 100;

/// Reads the records in the inbox that are due; returns how many there were.
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

/// Reads records in one call. If the CRM refuses the call, each half is read on its own, so that
/// one unreadable record does not hold up the others.
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
            // These errors are not about the records, so they do not count as failures of them.
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
