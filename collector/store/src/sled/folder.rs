//! Opens the store's folder. Detects damage, and keeps it from getting worse.
//!
//! ```text
//! FOLDER/lock             held by the one collector that has the store open
//! FOLDER/tree/            sled's own files
//! FOLDER/witness          how many commits were durable
//! FOLDER/before-opening/  while opening: the tree as it was found
//! FOLDER/set-aside/       the tree of an interrupted opening, until an opening succeeds
//! ```
//!
//! sled 0.34 truncates on disk what it cannot read, and opens with the rest. So a copy of the tree
//! is kept while sled opens it. Afterwards, the number of commits in the tree is compared with the
//! witness, which is written after each durable commit. If commits are missing, or the engine
//! fails, the copy replaces the tree. The copy is synced before it counts, and its removal is
//! synced before anything is acknowledged, so that a power cut cannot bring back an old copy.
//! Everything happens inside this one folder, which may be a mount point.

use super::keys;
use super::owner::{PrivacyError, make_private};
use super::transaction::{failed, is_full};
use super::upgrade::{self, UpgradeError};
use crate::error::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// The version of the key and value layout that this code reads and writes.
const LAYOUT: u32 = 8;

/// The folder of sled's files, and the file among them that holds the rows.
const TREE: &str = "tree";
const LOG: &str = "db";
/// The number of durable commits.
const WITNESS: &str = "witness";
/// A copy of the tree as it was found, kept while it is being opened.
const COPY: &str = "before-opening";
/// Access for the owner only.
const PRIVATE: u32 = 0o700;

/// A folder, and how the engine opens it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// The size of the engine's cache.
    pub(super) cache_bytes: u64,
}

/// An open folder.
pub(super) struct Folder {
    pub(super) db: sled::Db,
    pub(super) durability: Durability,
    /// Must be held for the lifetime of the store.
    pub(super) lock: File,
}

/// Makes commits durable and counts them in the witness.
pub(super) struct Durability {
    log: File,
    witness: File,
    commits: u64,
}

impl Durability {
    /// The number of the next commit; it must be part of the commit's batch.
    pub(super) fn next_commit(&self) -> u64 {
        self.commits + 1
    }

    /// Called once the batch is applied and flushed: syncs it to disk, then updates the witness.
    /// The witness itself is not synced. After a power cut it may lag behind, which never causes a
    /// false alarm.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        self.log.sync_data()?;
        self.commits += 1;
        self.witness.write_all_at(&self.commits.to_be_bytes(), 0)
    }
}

pub(super) fn open(place: &Place) -> Result<Folder, StoreError> {
    let path = place.path.as_path();
    let failed = |error: io::Error| refused(path, error.into());
    let mut lock = OpenOptions::new();
    lock.write(true);
    // If there was a store here, create nothing: the remains would look like a new store.
    if !is_gone(path) {
        fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(path).map_err(failed)?;
        lock.create(true);
    }
    let lock = match lock.open(path.join("lock")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(refused(path, gone())),
        opened => opened.map_err(failed)?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    if make_private(path).map_err(|error| refused(path, error.into()))? {
        tracing::warn!(folder = %path.display(), "other users had access to the store's files; removed it");
    }
    if is_gone(path) {
        return Err(refused(path, gone()));
    }
    if !path.join(TREE).exists() && !path.join(COPY).exists() {
        let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        tracing::info!(folder = %folder.display(), "created a new store");
    }
    let (db, durability) = open_tree(place)?;
    Ok(Folder { db, durability, lock })
}

/// Opens the tree of a folder whose lock this process holds.
pub(super) fn open_tree(place: &Place) -> Result<(sled::Db, Durability), StoreError> {
    let path = place.path.as_path();
    let failed = |error: io::Error| refused(path, error.into());
    let backup = TreeBackup::make(path).map_err(failed)?;
    match open_engine(place) {
        Ok(opened) => {
            backup.discard().map_err(failed)?;
            Ok(opened)
        }
        Err(refusal) => {
            backup.restore().map_err(failed)?;
            Err(refused(path, refusal))
        }
    }
}

/// Whether an engine that was shut has released the tree's files.
pub(super) fn is_released(place: &Place) -> bool {
    let log = File::open(place.path.join(TREE).join(LOG));
    log.is_ok_and(|log| log.try_lock().is_ok())
}

/// Whether commits were acknowledged here, but nothing is left that could contain them.
fn is_gone(path: &Path) -> bool {
    let is_there = |name: &Path| path.join(name).exists();
    let acknowledged = File::open(path.join(WITNESS)).is_ok_and(|witness| witnessed(&witness) > 0);
    acknowledged && !is_there(&Path::new(TREE).join(LOG)) && !is_there(Path::new(COPY))
}

fn gone() -> FolderError {
    FolderError::Damaged(format!("commits were acknowledged, and {TREE}/{LOG} is missing"))
}

fn refused(path: &Path, refusal: FolderError) -> StoreError {
    match (path.to_owned(), refusal) {
        (path, FolderError::Shut(reason, remedy)) => StoreError::Shut { path, reason, remedy },
        (path, FolderError::Damaged(reason)) => StoreError::Damaged { path, reason },
    }
}

/// Why a folder cannot be opened.
enum FolderError {
    /// The system's message and the remedy. The folder's contents are intact.
    Shut(String, String),
    /// Anything else.
    Damaged(String),
}

impl From<UpgradeError> for FolderError {
    fn from(error: UpgradeError) -> Self {
        match error {
            // A full disk does not mean that the folder is damaged.
            UpgradeError::Engine(sled::Error::Io(error)) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<PrivacyError> for FolderError {
    fn from(exposed: PrivacyError) -> Self {
        match exposed {
            PrivacyError::Io(error) => error.into(),
            PrivacyError::Foreign { path, owner, user } => Self::Shut(
                format!(
                    "{} belongs to user {owner}, but this process runs as user {user}",
                    path.display()
                ),
                format!(
                    "Run clew as user {owner}, or give the folder to user {user} with `chown -R`"
                ),
            ),
            PrivacyError::Open { path, mode } => Self::Shut(
                format!(
                    "other users have access to {} (mode {mode:o}), and that cannot be changed",
                    path.display()
                ),
                "Put the store on a file system that supports permissions".to_owned(),
            ),
        }
    }
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound};
        let remedy = match error.kind() {
            _ if is_full(&error) => "Free up space on its disk",
            io::ErrorKind::PermissionDenied => "Run clew as the folder's owner",
            io::ErrorKind::ReadOnlyFilesystem => "Make its file system writable",
            AlreadyExists | NotADirectory | NotFound => {
                "Nothing was changed; set store.url to a folder that exists or can be created"
            }
            _ => return Self::Damaged(error.to_string()),
        };
        Self::Shut(error.to_string(), remedy.to_owned())
    }
}

fn open_engine(place: &Place) -> Result<(sled::Db, Durability), FolderError> {
    let path = place.path.as_path();
    let config = sled::Config::new().path(path.join(TREE)).cache_capacity(place.cache_bytes);
    // sled panics on some kinds of damage; for the operator that is the same as an error.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
    let db = match opened {
        Ok(Ok(db)) => db,
        Ok(Err(sled::Error::Io(error))) => return Err(error.into()),
        Ok(Err(error)) => return Err(FolderError::Damaged(error.to_string())),
        Err(_) => return Err(FolderError::Damaged("the engine panicked while reading it".into())),
    };
    upgrade_layout(&db, path)?;
    let mut witness = OpenOptions::new();
    witness.read(true).write(true).create(true).truncate(false);
    let witness = witness.open(path.join(WITNESS))?;
    let witnessed = witnessed(&witness);
    let commits = commits(&db)?;
    if commits < witnessed {
        return Err(FolderError::Damaged(format!(
            "{} of {witnessed} acknowledged commits cannot be read",
            witnessed - commits
        )));
    }
    let log = File::open(path.join(TREE).join(LOG))?;
    // The engine creates its files with the process's umask.
    make_private(path)?;
    Ok((db, Durability { log, witness, commits }))
}

/// The number of commits in a witness; 0 if nothing has been written to it yet.
fn witnessed(witness: &File) -> u64 {
    let mut bytes = [0; 8];
    witness.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_be_bytes(bytes))
}

fn commits(db: &sled::Db) -> Result<u64, FolderError> {
    let value = db.get(keys::COMMITS).map_err(|error| FolderError::Damaged(error.to_string()))?;
    let Some(value) = value else { return Ok(0) };
    let unreadable = |_| FolderError::Damaged("the number of commits is unreadable".into());
    Ok(u64::from_be_bytes(value.as_ref().try_into().map_err(unreadable)?))
}

/// Marks a new folder with this layout, or upgrades the folder of an earlier version. Refuses a
/// folder with data but without a mark, and one with any other mark.
fn upgrade_layout(db: &sled::Db, folder: &Path) -> Result<(), FolderError> {
    let failed = |error| FolderError::Damaged(failed(error).to_string());
    let mark = || {
        db.insert(keys::VERSION, &LAYOUT.to_be_bytes()).map_err(failed)?;
        db.flush().map_err(failed).map(drop)
    };
    match db.get(keys::VERSION).map_err(failed)? {
        Some(mark) if *mark == LAYOUT.to_be_bytes() => Ok(()),
        Some(before) if let Some(layout) = older(&before) => {
            tracing::info!("upgrading the store to this version's layout");
            upgrade::upgrade(db, layout)?;
            db.flush().map_err(UpgradeError::from)?;
            // The mark must not reach the disk before the rows.
            File::open(folder.join(TREE).join(LOG))?.sync_data()?;
            mark()
        }
        None if db.is_empty() => mark(),
        None => Err(FolderError::Damaged("it contains data, but no layout mark".into())),
        Some(mark) => Err(FolderError::Shut(
            format!("its layout is {}, but this version reads {LAYOUT}", number(&mark)),
            "It was left as it is; use the version of clew that wrote it".to_owned(),
        )),
    }
}

/// The layout of a mark, if it is an older one that can be upgraded.
fn older(mark: &[u8]) -> Option<u32> {
    let layout = mark.try_into().map(u32::from_be_bytes).ok()?;
    (upgrade::OLDEST..LAYOUT).contains(&layout).then_some(layout)
}

/// A mark as shown in messages.
fn number(mark: &[u8]) -> String {
    match mark.try_into() {
        Ok(mark) => u32::from_be_bytes(mark).to_string(),
        Err(_) => mark.escape_ascii().to_string(),
    }
}

/// The tree as it was before the engine opened it.
struct TreeBackup {
    folder: PathBuf,
    tree: PathBuf,
    /// If it exists, it is complete and synced.
    copy: PathBuf,
    set_aside: PathBuf,
}

impl TreeBackup {
    fn make(folder: &Path) -> io::Result<Self> {
        let backup = Self {
            folder: folder.to_owned(),
            tree: folder.join(TREE),
            copy: folder.join(COPY),
            set_aside: folder.join("set-aside"),
        };
        let copying = folder.join("copying");
        remove(&copying)?;
        remove(&folder.join("leaving"))?;
        if backup.copy.exists() {
            backup.begin_anew()?;
            return Ok(backup);
        }
        if !backup.tree.exists() {
            return Ok(backup);
        }
        match copy_folder(&backup.tree, &copying) {
            Ok(()) => fs::rename(&copying, &backup.copy)?,
            // A full disk must not prevent an intact store from opening.
            Err(error) if is_full(&error) => {
                tracing::warn!("no space for a copy of the store; opening it without one");
                remove(&copying)?;
            }
            Err(error) => return Err(error),
        }
        sync(folder)?;
        Ok(backup)
    }

    /// The last opening was interrupted. Nothing has been acknowledged since the copy was made, so
    /// start again from the copy.
    fn begin_anew(&self) -> io::Result<()> {
        if self.set_aside.exists() {
            remove(&self.tree)?;
        } else if self.tree.exists() {
            fs::rename(&self.tree, &self.set_aside)?;
        }
        copy_folder(&self.copy, &self.tree)?;
        sync(&self.folder)
    }

    /// The engine opened the tree successfully. Each folder is renamed before it is removed, so
    /// that half a copy never counts as a copy.
    fn discard(self) -> io::Result<()> {
        let leaving = self.folder.join("leaving");
        for folder in [self.copy, self.set_aside] {
            if folder.exists() {
                fs::rename(folder, &leaving)?;
                sync(&self.folder)?;
                remove(&leaving)?;
            }
        }
        Ok(())
    }

    fn restore(self) -> io::Result<()> {
        if !self.copy.exists() {
            return Ok(());
        }
        remove(&self.tree)?;
        fs::rename(self.copy, self.tree)?;
        sync(&self.folder)
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Syncs a file's content, or a folder's entries, to disk.
fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Copies and syncs everything in a folder.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            sync(&target)?;
        }
    }
    sync(to)
}
