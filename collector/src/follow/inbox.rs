//! Records that webhooks named, until they were read.
//!
//! An entry says that a record is to be read again, and nothing else: a hundred webhooks about one
//! deal are one entry. One that comes while the record is being read gives the entry another stamp, and
//! it stays.

use super::{Failure, Work};
use crate::app::App;
use crate::crm::{CrmError, RecordRef};
use crate::store::{Memo, MemoChange, MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// Records that are read with one call.
const AT_ONCE: usize = 100;
/// Waits between attempts, in milliseconds; the last one is repeated for as long as it takes.
const RETRY_MS: [i64; 5] = [5_000, 60_000, 300_000, 1_800_000, 7_200_000];

/// A record to be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub record: RecordRef,
    /// When it was named last, Unix milliseconds.
    pub named_at_ms: i64,
    /// When it is to be read, Unix milliseconds.
    pub due_at_ms: i64,
    /// How often that failed.
    pub failures: u32,
    /// What went wrong last.
    pub error: Option<String>,
}

/// Puts records into a connection's inbox. Durable when it answers.
///
/// # Errors
/// The store's.
pub async fn put(app: &App, connection: &str, records: &[RecordRef]) -> Result<(), StoreError> {
    for record in records {
        let now_ms = app.clock.now_ms();
        let entry = Entry {
            record: record.clone(),
            named_at_ms: now_ms,
            due_at_ms: now_ms,
            failures: 0,
            error: None,
        };
        let name = format!("{}{}/{}", prefix(connection), record.object, record.id);
        // Whoever changes it meanwhile reads it, or names it as well; the stamp must be a new one.
        loop {
            let was = app.store.memo(MemoKind::Inbox, &name).await?.map(|memo| memo.stamp);
            if change(app, &name, was, Some(&entry)).await? {
                break;
            }
        }
    }
    Ok(())
}

/// What waits in a connection's inbox, at most so many behind a name.
///
/// # Errors
/// The store's.
pub async fn waiting(
    app: &App,
    connection: &str,
    after: Option<String>,
    limit: usize,
) -> Result<Vec<Memo>, StoreError> {
    let prefix = prefix(connection);
    let after = after.unwrap_or_else(|| prefix.clone());
    let mut memos = app.store.memos(MemoKind::Inbox, Some(after), limit).await?;
    memos.retain(|memo| memo.name.starts_with(&prefix));
    Ok(memos)
}

/// Reads what is due; how many records.
pub(super) async fn work(work: &Work<'_>) -> Result<usize, Failure> {
    let (app, name) = (work.app, work.connection.name());
    let (mut looked, mut after) = (0, None);
    loop {
        let memos = waiting(app, name, after, AT_ONCE).await?;
        let Some(last) = memos.last() else { return Ok(looked) };
        after = Some(last.name.clone());
        let now_ms = app.clock.now_ms();
        let due = memos.into_iter().filter_map(|memo| match serde_json::from_str::<Entry>(&memo.value) {
            Ok(entry) => (entry.due_at_ms <= now_ms).then_some((memo, entry)),
            Err(error) => {
                tracing::error!(name = memo.name, %error, "an entry of the inbox cannot be read");
                None
            }
        });
        let due: Vec<(Memo, Entry)> = due.collect();
        if !due.is_empty() {
            looked += due.len();
            read(work, &due).await?;
        }
    }
}

/// Reads what is due. Where the CRM refuses to read them together, each half is read for itself, so that
/// one record that cannot be read keeps no other waiting.
async fn read(work: &Work<'_>, due: &[(Memo, Entry)]) -> Result<(), Failure> {
    let mut parts = vec![due];
    while let Some(part) = parts.pop() {
        let records: Vec<RecordRef> = part.iter().map(|(_, entry)| entry.record.clone()).collect();
        match work.connection.crm.read(&records).await {
            Ok(changes) => {
                work.apply(&changes).await?;
                for (memo, _) in part {
                    change(work.app, &memo.name, Some(memo.stamp), None).await?;
                }
            }
            Err(CrmError::Invalid(_)) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(CrmError::Invalid(error)) => {
                let connection = work.connection.name();
                tracing::warn!(connection, ?records, error, "a record could not be read");
                put_off(work, part, &error).await?;
            }
            // What has nothing to do with the records does not count against them.
            Err(error @ (CrmError::Auth(_) | CrmError::RateLimited { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                put_off(work, part, &error.to_string()).await?;
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// Leaves what could not be read for later.
async fn put_off(work: &Work<'_>, due: &[(Memo, Entry)], error: &str) -> Result<(), StoreError> {
    for (memo, entry) in due {
        let wait = RETRY_MS[(entry.failures as usize).min(RETRY_MS.len() - 1)];
        let entry = Entry {
            due_at_ms: work.app.clock.now_ms() + wait,
            failures: entry.failures.saturating_add(1),
            error: Some(error.to_owned()),
            ..entry.clone()
        };
        change(work.app, &memo.name, Some(memo.stamp), Some(&entry)).await?;
    }
    Ok(())
}

/// Changes an entry where it has the stamp that the caller knows of.
async fn change(
    app: &App,
    name: &str,
    was: Option<u64>,
    entry: Option<&Entry>,
) -> Result<bool, StoreError> {
    let stamps = (was, u64::from_be_bytes(app.dice.roll()));
    let change = MemoChange::new(MemoKind::Inbox, name, stamps, entry)?;
    app.store.change_memo(change).await
}

fn prefix(connection: &str) -> String {
    format!("{connection}/")
}
