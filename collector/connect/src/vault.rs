//! Stores the tokens that a vendor granted at run time. They are sealed in the store, so that they
//! survive a restart and all collectors share them.

use clew_core::seal::{Seal, SealError};
use clew_core::{Core, Secret};
use clew_store::{MemoKind, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The tokens of one connection.
#[derive(Clone)]
pub struct Vault {
    core: Arc<Core>,
    seal: Arc<Seal>,
    connection: String,
}

/// Why a token could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The token could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The stored value is not a sealed token.
    #[error("the stored value is not a sealed token")]
    NotSealed,
    /// The stored token is not in the format of this version.
    #[error(transparent)]
    Unreadable(#[from] serde_json::Error),
}

/// A stored token.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredToken {
    /// A hash of the configured refresh token that it was obtained with.
    pub(super) from: String,
    pub(super) refresh_token: String,
    pub(super) access_token: String,
    pub(super) instance: Option<String>,
    pub(super) expires_at_ms: Option<i64>,
}

impl StoredToken {
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
    /// The vault of a connection.
    pub fn new(core: Arc<Core>, seal: Arc<Seal>, connection: &str) -> Self {
        Self { core, seal, connection: connection.to_owned() }
    }

    /// Loads the token that was obtained with the configured refresh token.
    ///
    /// # Errors
    /// If the store or the seal fails.
    pub(super) async fn load(
        &self,
        configured: &Secret,
    ) -> Result<Option<StoredToken>, VaultError> {
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

    /// Stores a token in place of the previous one. It is durable when this returns.
    ///
    /// # Errors
    /// If the store or the seal fails.
    pub(super) async fn keep(&self, kept: &StoredToken) -> Result<(), VaultError> {
        let sealed = self.seal.seal(&self.label(), &serde_json::to_string(kept)?)?;
        let name = self.name(&kept.from);
        loop {
            let was = self.core.recall::<String>(MemoKind::Token, &name).await?.stamp;
            if self.core.remember(MemoKind::Token, &name, was, Some(&sealed)).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// One name for each refresh token that was ever configured: while a new one is being deployed,
    /// collectors with the old one still run.
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
