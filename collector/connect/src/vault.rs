//! Where tokens are kept that a vendor granted at run time: sealed, in the store, so that they outlive
//! a restart and are there for every collector.

use clew_core::seal::{Seal, SealError};
use clew_core::{Core, Secret};
use clew_store::{MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One connection's place.
#[derive(Clone)]
pub struct Vault {
    core: Arc<Core>,
    seal: Arc<Seal>,
    connection: String,
}

/// Why tokens could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seal's.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What stands in its place is not a sealed token.
    #[error("what is kept in place of a token is not one")]
    NotSealed,
    /// What was kept is not what this version keeps.
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
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
    pub fn new(core: Arc<Core>, seal: Arc<Seal>, connection: &str) -> Self {
        Self { core, seal, connection: connection.to_owned() }
    }

    /// What is kept that was made from the configured refresh token.
    ///
    /// # Errors
    /// The store's or the seal's.
    pub(super) async fn load(&self, configured: &Secret) -> Result<Option<Kept>, VaultError> {
        let name = self.name(&hash(configured));
        let sealed = self.core.recall::<String>(MemoKind::Token, &name).await?;
        let sealed = match (sealed.value, sealed.stamp) {
            (Some(sealed), _) => sealed,
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(VaultError::NotSealed),
        };
        let text = self.seal.open(&self.label(), &sealed)?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Keeps it in place of what was kept before. Durable when it answers.
    ///
    /// # Errors
    /// The store's or the seal's.
    pub(super) async fn keep(&self, kept: &Kept) -> Result<(), VaultError> {
        let sealed = self.seal.seal(&self.label(), &serde_json::to_string(kept)?)?;
        let name = self.name(&kept.from);
        loop {
            let was = self.core.recall::<String>(MemoKind::Token, &name).await?.stamp;
            if self.core.remember(MemoKind::Token, &name, was, Some(&sealed)).await?.is_some() {
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
    base16ct::lower::encode_string(&Sha256::digest(secret.reveal())[..8])
}
