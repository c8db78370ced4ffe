//! What a store can fail with, in sentences that say what to do.

use std::path::PathBuf;

/// What a store can fail with.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The url names no backend.
    #[error("store.url: should be like \"sled:./data\" or \"postgres://user@host/database\"")]
    Address,
    /// The queue is full; the same request may succeed in a second.
    #[error("the store's queue is full")]
    Busy,
    /// The disk has too little room; the same request succeeds when it has more.
    #[error("{0}")]
    Full(String),
    /// The store is shut, or failed in a way after which it must not write.
    #[error("the store takes no writes: {0}")]
    Closed(String),
    /// Another process holds the folder.
    #[error(
        "the store's folder {} is in use by another process, a collector or a command: stop it, or wait for \
         its end", .0.display()
    )]
    InUse(PathBuf),
    /// The folder cannot be opened.
    #[error(
        "the store's folder {} cannot be opened: {reason}. It was left as it is. Keep a copy of it, then \
         restore a backup into another folder and point store.url there", path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
    /// The folder cannot be opened, and nothing is wrong with what is in it.
    #[error("the store's folder {} cannot be opened: {reason}. {remedy}", path.display())]
    Shut {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The database cannot be reached, or takes no writes, or an export was given up; the same request
    /// may succeed later.
    #[error("the store takes no requests: {0}")]
    Unavailable(String),
    /// The database's schema is not the one that this program works with.
    #[error("the database's schema does not fit: {0}")]
    Schema(String),
    /// No store takes these values, or this database does not; the same request will fail again.
    #[error("the store refused what it was to keep: {0}")]
    Refused(String),
    /// Another export of the same store has not ended.
    #[error("an export or a backup of this store is under way already; wait for its end")]
    Exporting,
    /// A row that this version cannot read.
    #[error("the store holds a row that cannot be read: {0}")]
    Corrupt(String),
}
