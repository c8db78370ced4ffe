//! Opens the store's folder so that damage is seen and survives being looked at.
//!
//! ```text
//! FOLDER/lock             held by the one collector that has the store open
//! FOLDER/tree/            sled's own files
//! FOLDER/witness          how many commits were durable
//! FOLDER/before-opening/  while opening: the tree as it was found
//! FOLDER/set-aside/       the tree of an opening that was cut off, until the next one succeeds
//! ```
//!
//! sled 0.34 cuts off what it cannot read, on disk, and opens with what is left. So a copy stands
//! aside while it opens; then the number of commits that the tree knows of is held against the
//! witness, which is written after each durable commit. Where commits are missing, or the engine
//! fails, the copy takes the tree's place again. The copy is synced before it counts, and its removal
//! before anything is acknowledged, so that a power cut cannot bring an old one back. Everything
//! happens inside the one folder, which may
//! be a mount point.

use super::keys;
use super::transaction::failed;
use super::upgrade::{self, UpgradeError};
use crate::error::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// The layout of keys and values that this code reads and writes.
const LAYOUT: u32 = 7;

/// Where sled's files lie.
const TREE: &str = "tree";

/// An open folder.
pub(super) struct Folder {
    pub(super) db: sled::Db,
    pub(super) durability: Durability,
    /// To be held as long as the store lives.
    pub(super) lock: File,
}

/// What makes a commit durable and remembers that it was.
pub(super) struct Durability {
    log: File,
    witness: File,
    commits: u64,
}

impl Durability {
    /// The number of the commit that is being made; it belongs into its batch.
    pub(super) fn next_commit(&self) -> u64 {
        self.commits + 1
    }

    /// After the batch is applied and flushed: to the disk itself, then witnessed. The witness is
    /// not synced; after a power cut it may lag behind, which never makes a false alarm.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        self.log.sync_data()?;
        self.commits += 1;
        self.witness.write_all_at(&self.commits.to_be_bytes(), 0)
    }
}

pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Folder, StoreError> {
    let refused = |refusal| match (path.to_owned(), refusal) {
        (path, Refusal::Shut(reason, remedy)) => StoreError::Shut { path, reason, remedy },
        (path, Refusal::Damaged(reason)) => StoreError::Damaged { path, reason },
    };
    let failed_io = |error: io::Error| refused(error.into());
    // What is in it is about people: its owner's alone.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed_io)?;
    let lock = File::create(path.join("lock")).map_err(failed_io)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => return Err(failed_io(error)),
    }
    if !path.join(TREE).exists() && !path.join("before-opening").exists() {
        let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        tracing::info!(folder = %folder.display(), "a new store was made");
    }
    let aside = Aside::make(path).map_err(failed_io)?;
    match open_engine(path, cache_bytes) {
        Ok((db, durability)) => {
            aside.discard().map_err(failed_io)?;
            Ok(Folder { db, durability, lock })
        }
        Err(refusal) => {
            aside.restore().map_err(failed_io)?;
            Err(refused(refusal))
        }
    }
}

/// Why a folder does not open.
enum Refusal {
    /// What the system said, and what to do: the folder itself is sound.
    Shut(String, &'static str),
    /// Anything else.
    Damaged(String),
}

impl From<UpgradeError> for Refusal {
    fn from(error: UpgradeError) -> Self {
        match error {
            // A full disk says nothing of the folder.
            UpgradeError::Engine(sled::Error::Io(error)) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let remedy = match error.kind() {
            _ if is_full(&error) => "Make room on its disk",
            io::ErrorKind::PermissionDenied => "Run this as the folder's owner",
            _ => return Self::Damaged(error.to_string()),
        };
        Self::Shut(error.to_string(), remedy)
    }
}

fn open_engine(path: &Path, cache_bytes: u64) -> Result<(sled::Db, Durability), Refusal> {
    let config = sled::Config::new().path(path.join(TREE)).cache_capacity(cache_bytes);
    // sled answers some damage with a panic; to the operator both are the same news.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
    let db = match opened {
        Ok(Ok(db)) => db,
        Ok(Err(sled::Error::Io(error))) => return Err(error.into()),
        Ok(Err(error)) => return Err(Refusal::Damaged(error.to_string())),
        Err(_) => return Err(Refusal::Damaged("the engine panicked while reading it".into())),
    };
    bring_to_layout(&db, path)?;
    let witness = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join("witness"));
    let witness = witness?;
    let mut bytes = [0; 8];
    let witnessed = match witness.read_exact_at(&mut bytes, 0) {
        Ok(()) => u64::from_be_bytes(bytes),
        Err(_) => 0,
    };
    let commits = commits(&db)?;
    if commits < witnessed {
        return Err(Refusal::Damaged(format!(
            "{} of {witnessed} acknowledged commits cannot be read",
            witnessed - commits
        )));
    }
    let log = File::open(path.join(TREE).join("db"))?;
    Ok((db, Durability { log, witness, commits }))
}

fn commits(db: &sled::Db) -> Result<u64, Refusal> {
    let value = db.get(keys::COMMITS).map_err(|error| Refusal::Damaged(error.to_string()))?;
    let Some(value) = value else { return Ok(0) };
    let unreadable = |_| Refusal::Damaged("the number of commits is not a number".into());
    Ok(u64::from_be_bytes(value.as_ref().try_into().map_err(unreadable)?))
}

/// Marks a new folder with the layout, and brings that of an earlier version up to it. A folder
/// without a mark, or with a later one, is refused.
fn bring_to_layout(db: &sled::Db, folder: &Path) -> Result<(), Refusal> {
    let failed = |error| Refusal::Damaged(failed(error).to_string());
    let mark = || {
        db.insert(keys::VERSION, &LAYOUT.to_be_bytes()).map_err(failed)?;
        db.flush().map_err(failed).map(drop)
    };
    match db.get(keys::VERSION).map_err(failed)? {
        Some(mark) if *mark == LAYOUT.to_be_bytes() => Ok(()),
        Some(before) if is_older(&before) => {
            tracing::info!("the store is brought up to this version's layout");
            upgrade::upgrade(db)?;
            db.flush().map_err(UpgradeError::from)?;
            // The mark must not reach the disk before the rows do.
            File::open(folder.join(TREE).join("db"))?.sync_data()?;
            mark()
        }
        None if db.is_empty() => mark(),
        None => Err(Refusal::Damaged("it holds data, but not this program's mark".into())),
        Some(mark) => Err(Refusal::Shut(
            format!("its layout is {}, this program reads {LAYOUT}", mark.escape_ascii()),
            "It was left as it is; use the version of clew that wrote it",
        )),
    }
}

/// Whether a mark is that of a layout that can be brought up to date.
fn is_older(mark: &[u8]) -> bool {
    mark.try_into().map(u32::from_be_bytes).is_ok_and(|it| (upgrade::OLDEST..LAYOUT).contains(&it))
}

/// The tree as it was before the engine touched it.
struct Aside {
    folder: PathBuf,
    tree: PathBuf,
    /// Complete and synced wherever it exists.
    copy: PathBuf,
    set_aside: PathBuf,
}

impl Aside {
    fn make(folder: &Path) -> io::Result<Self> {
        let aside = Self {
            folder: folder.to_owned(),
            tree: folder.join(TREE),
            copy: folder.join("before-opening"),
            set_aside: folder.join("set-aside"),
        };
        let copying = folder.join("copying");
        remove(&copying)?;
        remove(&folder.join("leaving"))?;
        if aside.copy.exists() {
            aside.begin_anew()?;
            return Ok(aside);
        }
        if !aside.tree.exists() {
            return Ok(aside);
        }
        match copy_folder(&aside.tree, &copying) {
            Ok(()) => fs::rename(&copying, &aside.copy)?,
            // A full disk must not keep a sound store shut.
            Err(error) if is_full(&error) => {
                tracing::warn!("no room for a copy of the store; opening it without one");
                remove(&copying)?;
            }
            Err(error) => return Err(error),
        }
        sync(folder)?;
        Ok(aside)
    }

    /// The last opening was cut off, and nothing was acknowledged since its copy.
    fn begin_anew(&self) -> io::Result<()> {
        if self.set_aside.exists() {
            remove(&self.tree)?;
        } else if self.tree.exists() {
            fs::rename(&self.tree, &self.set_aside)?;
        }
        copy_folder(&self.copy, &self.tree)?;
        sync(&self.folder)
    }

    /// The engine read it all. What is no longer needed is renamed first, so that half a copy never
    /// counts as one.
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

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// To the disk itself: a file's content, or a folder's names.
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
