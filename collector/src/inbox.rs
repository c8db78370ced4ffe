//! The inbox: CRM records that webhooks named and that are still to be read.
//!
//! An entry only says that a record has to be read again, so a hundred webhooks about one deal make
//! one entry. A webhook that arrives while the record is being read changes the entry's stamp, so
//! the entry stays.

use clew_connect::Connection;
use clew_connect::crm::record::RecordRef;
use clew_connect::crm::webhook::{Head, Received, Refused, Webhook};
use clew_core::{Core, Refusal, is_ahead};
use clew_store::{Memo, MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Waits between attempts, in milliseconds; the last one repeats until the record could be read.
const RETRY_MS: [i64; 5] = [5_000, 60_000, 300_000, 1_800_000, 7_200_000];

/// A record to be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The record.
    pub record: RecordRef,
    /// When a webhook last named it, Unix milliseconds.
    pub named_at_ms: i64,
    /// When it is due to be read, Unix milliseconds.
    pub due_at_ms: i64,
    /// How many times reading it failed.
    pub failures: u32,
    /// The last error.
    pub error: Option<String>,
}

impl Entry {
    /// Whether it is due to be read.
    pub fn is_due(&self, now_ms: i64) -> bool {
        !is_ahead(self.due_at_ms, RETRY_MS[RETRY_MS.len() - 1], now_ms)
    }
}

/// An entry as it was loaded, with the stamp that it had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The entry.
    pub entry: Entry,
    name: String,
    stamp: u64,
}

/// Why a CRM's webhook is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The vendor has no webhooks.
    #[error("the CRM sends no webhooks")]
    NoWebhooks,
    /// The adapter refused it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The inboxes of all connections.
pub struct Inbox {
    core: Arc<Core>,
}

impl Inbox {
    /// Creates the service.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Checks a webhook's path and headers, so that the body of a webhook that cannot have a valid
    /// signature is never read.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub fn admit(
        &self,
        connection: &Connection,
        secret_path: &str,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), ReceiveError> {
        let webhooks = connection.crm.webhooks().ok_or(ReceiveError::NoWebhooks)?;
        let head = Head { secret_path, header, now_ms: self.core.now_ms() };
        webhooks.admit(&head).map_err(|refused| self.refused(connection, refused))
    }

    /// Checks a webhook and puts the records that it names into the connection's inbox. Returns the
    /// response that the vendor expects, once the entries are durable.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub async fn receive(
        &self,
        connection: &Connection,
        secret_path: &str,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Received, ReceiveError> {
        let webhooks = connection.crm.webhooks().ok_or(ReceiveError::NoWebhooks)?;
        let head = Head { secret_path, header, now_ms: self.core.now_ms() };
        let received = webhooks.receive(&Webhook { head, body });
        let received = received.map_err(|refused| self.refused(connection, refused))?;
        self.put(connection.name(), &received.records).await?;
        Ok(received)
    }

    fn refused(&self, connection: &Connection, refused: Refused) -> ReceiveError {
        self.core.metrics.refused(Refusal::Webhook);
        if let Some(count) = connection.refused.note(self.core.now_ms()) {
            tracing::warn!(connection = connection.name(), count, %refused, "a webhook was refused");
        }
        refused.into()
    }

    /// Puts records into a connection's inbox. The entries are durable when it returns.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn put(&self, connection: &str, records: &[RecordRef]) -> Result<(), StoreError> {
        for record in records {
            let now_ms = self.core.now_ms();
            let entry = Entry {
                record: record.clone(),
                named_at_ms: now_ms,
                due_at_ms: now_ms,
                failures: 0,
                error: None,
            };
            let name = format!("{}{}/{}", prefix(connection), record.object, record.id);
            // A concurrent change means that the record is being read or was named again. Either
            // way, the entry needs a new stamp.
            loop {
                let was = self.core.recall::<Entry>(MemoKind::Inbox, &name).await?.stamp;
                let put = self.core.remember(MemoKind::Inbox, &name, was, Some(&entry)).await?;
                if put.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A page of a connection's inbox: at most `limit` entries after `after`, and the `after` of
    /// the next page; `None` after the last page.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn page(
        &self,
        connection: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Waiting>, Option<String>), StoreError> {
        let prefix = prefix(connection);
        let after = after.unwrap_or_else(|| prefix.clone());
        let mut memos = self.core.store.memos(MemoKind::Inbox, Some(after), limit).await?;
        memos.retain(|memo| memo.name.starts_with(&prefix));
        let next = memos.last().map(|memo| memo.name.clone());
        Ok((memos.into_iter().filter_map(parse).collect(), next))
    }

    /// Removes an entry whose record was read, unless it was named again in the meantime.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn remove(&self, read: &Waiting) -> Result<(), StoreError> {
        let none: Option<&Entry> = None;
        self.change(read, none).await
    }

    /// Postpones an entry whose record could not be read.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn put_off(&self, waiting: &Waiting, error: &str) -> Result<(), StoreError> {
        let entry = &waiting.entry;
        let wait_ms = RETRY_MS[(entry.failures as usize).min(RETRY_MS.len() - 1)];
        let later = Entry {
            due_at_ms: self.core.now_ms() + wait_ms,
            failures: entry.failures.saturating_add(1),
            error: Some(error.to_owned()),
            ..entry.clone()
        };
        self.change(waiting, Some(&later)).await
    }

    async fn change(&self, waiting: &Waiting, to: Option<&Entry>) -> Result<(), StoreError> {
        let Waiting { name, stamp, .. } = waiting;
        self.core.remember(MemoKind::Inbox, name, Some(*stamp), to).await.map(drop)
    }
}

fn parse(Memo { name, stamp, value, .. }: Memo) -> Option<Waiting> {
    match serde_json::from_str(&value) {
        Ok(entry) => Some(Waiting { entry, name, stamp }),
        Err(error) => {
            tracing::error!(name, %error, "an inbox entry cannot be read");
            None
        }
    }
}

fn prefix(connection: &str) -> String {
    format!("{connection}/")
}
