//! Records that webhooks of CRMs named, until they were read.
//!
//! An entry says that a record is to be read again, and nothing else: a hundred webhooks about one
//! deal are one entry. One that comes while the record is being read gives the entry another stamp, and
//! it stays.

use clew_connect::Connection;
use clew_connect::crm::record::RecordRef;
use clew_connect::crm::webhook::{Head, Received, Refused, Webhook};
use clew_core::{Core, Refusal, is_ahead};
use clew_store::{Memo, MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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

impl Entry {
    /// Whether it is to be read now.
    pub fn is_due(&self, now_ms: i64) -> bool {
        !is_ahead(self.due_at_ms, RETRY_MS[RETRY_MS.len() - 1], now_ms)
    }
}

/// An entry as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The entry.
    pub entry: Entry,
    name: String,
    stamp: u64,
}

/// Why a webhook of a CRM is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The vendor sends none.
    #[error("the CRM sends no webhooks")]
    NoWebhooks,
    /// The adapter's.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The inboxes of all connections.
pub struct Inbox {
    core: Arc<Core>,
}

impl Inbox {
    /// On a store.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Judges a webhook by what stands before its body, so that the body of one that cannot be signed
    /// is never read.
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

    /// Judges a webhook and puts the records that it names into the connection's inbox; returns the
    /// answer that the vendor expects. Durable when it answers.
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

    /// Puts records into a connection's inbox. Durable when it answers.
    ///
    /// # Errors
    /// The store's.
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
            // Whoever changes it meanwhile reads it, or names it as well; the stamp must be a new one.
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

    /// A page of what waits in a connection's inbox: at most `limit` entries behind one of them, and how
    /// the next page begins; `None` behind the last.
    ///
    /// # Errors
    /// The store's.
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

    /// Removes an entry whose record was read, unless it was named again meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove(&self, read: &Waiting) -> Result<(), StoreError> {
        let none: Option<&Entry> = None;
        self.change(read, none).await
    }

    /// Leaves an entry for later, because its record could not be read.
    ///
    /// # Errors
    /// The store's.
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
            tracing::error!(name, %error, "an entry of the inbox cannot be read");
            None
        }
    }
}

fn prefix(connection: &str) -> String {
    format!("{connection}/")
}
