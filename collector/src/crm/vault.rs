//! Where a connection's tokens are kept that the vendor gave at run time: sealed, in the store, so that
//! they outlive a restart and are there for every collector.

use crate::seal::Seal;
use crate::secret::Secret;
use crate::store::{MemoChange, MemoKind, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One connection's place.
#[derive(Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
    seal: Arc<Seal>,
    connection: String,
}

/// What is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What it was made from: the hash of the configured refresh token.
    pub(super) from: String,
    pub(super) refresh_token: String,
    pub(super) access_token: String,
    pub(super) instance: Option<String>,
    pub(super) expires_at_ms: Option<i64>,
}

impl Kept {
    pub(super) fn new(configured: &Secret, refresh_token: &Secret, access_token: &Secret) -> Self {
        Self {
            from: hash(configured),
            refresh_token: refresh_token.reveal().to_owned(),
            access_token: access_token.reveal().to_owned(),
            instance: None,
            expires_at_ms: None,
        }
    }
}

impl Vault {
    /// Of a connection.
    pub fn new(store: Arc<dyn Store>, seal: Arc<Seal>, connection: &str) -> Self {
        Self { store, seal, connection: connection.to_owned() }
    }

    /// What is kept that was made from the configured refresh token.
    ///
    /// # Errors
    /// The store's, or a sentence about the seal.
    pub(super) async fn load(&self, configured: &Secret) -> Result<Option<Kept>, String> {
        let memo = self.store.memo(MemoKind::Token, &self.name(&hash(configured))).await;
        let Some(memo) = memo.map_err(|error| error.to_string())? else { return Ok(None) };
        let sealed: String =
            serde_json::from_str(&memo.value).map_err(|error| error.to_string())?;
        let text = self.seal.open(&self.label(), &sealed)?;
        serde_json::from_str(&text).map(Some).map_err(|error| error.to_string())
    }

    /// Keeps it in place of what was kept before. Durable when it answers.
    ///
    /// # Errors
    /// The store's, or a sentence about the seal.
    pub(super) async fn keep(&self, kept: &Kept) -> Result<(), String> {
        let text = serde_json::to_string(kept).map_err(|error| error.to_string())?;
        let sealed = self.seal.seal(&self.label(), &text)?;
        let value = serde_json::to_string(&sealed).map_err(|error| error.to_string())?;
        let name = self.name(&kept.from);
        loop {
            let was = self.store.memo(MemoKind::Token, &name).await;
            let was = was.map_err(|error| error.to_string())?.map(|memo| memo.stamp);
            let change = MemoChange {
                kind: MemoKind::Token,
                name: name.clone(),
                was,
                stamp: rand::random(),
                value: Some(value.clone()),
            };
            let changed = self.store.change_memo(change).await;
            if changed.map_err(|error| error.to_string())? {
                return Ok(());
            }
        }
    }

    /// One place for each refresh token that was ever configured: while a new one is put in force,
    /// collectors with the old one are still at work.
    fn name(&self, from: &str) -> String {
        format!("{}/{from}", self.connection)
    }

    fn label(&self) -> String {
        format!("token of {}", self.connection)
    }
}

fn hash(secret: &Secret) -> String {
    let digest = Sha256::digest(secret.reveal().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
