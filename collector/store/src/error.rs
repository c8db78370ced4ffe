//! Errors of a store. Their texts say what to do.

use std::path::PathBuf;

/// Why a store operation failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no backend.
    #[error("store.url: should be like \"sled:./data\" or \"postgres://user@host/database\"")]
    Address,
    /// The queue is full. The same request may succeed in a second.
    #[error("the store's queue is full")]
    Busy,
    /// The disk is too full. The same request will succeed once there is more space.
    #[error("{0}")]
    Full(String),
    /// The store is shut down, or has failed and must not write any more.
    #[error("the store accepts no writes: {0}")]
    Closed(String),
    /// Another process has the folder open.
    #[error(
        "the store's folder {} is in use by another process (a collector or a command): stop it, or wait \
         until it ends", .0.display()
    )]
    InUse(PathBuf),
    /// The folder cannot be opened because its contents are damaged.
    #[error(
        "the store's folder {} cannot be opened: {reason}. It was left as it is. Keep a copy of it, then \
         restore a backup into another folder and point store.url there", path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// The engine's message.
        reason: String,
    },
    /// The folder cannot be opened, but its contents are intact.
    #[error("the store's folder {} cannot be opened: {reason}. {remedy}", path.display())]
    Shut {
        /// The folder.
        path: PathBuf,
        /// The operating system's message.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// The database is unreachable or accepts no writes, or an export was abandoned. The same
    /// request may succeed later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database's schema is not the one this version needs.
    #[error("the database's schema does not match this version: {0}")]
    Schema(String),
    /// No store accepts these values, or this database does not. The same request will fail again.
    #[error("the store refused the data: {0}")]
    Refused(String),
    /// Another export of the same store is still running.
    #[error("another export or backup of this store is running; wait until it ends")]
    Exporting,
    /// A row cannot be read by this version.
    #[error("the store contains a row that cannot be read: {0}")]
    Corrupt(String),
}
