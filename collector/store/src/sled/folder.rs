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
use super::owner::{Exposed, make_private};
use super::transaction::{failed, is_full};
use super::upgrade::{self, UpgradeError};
use crate::error::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};

/// The layout of keys and values that this code reads and writes.
const LAYOUT: u32 = 7;

/// Where sled's files lie, and the one that holds the rows.
const TREE: &str = "tree";
const LOG: &str = "db";
/// The number of durable commits.
const WITNESS: &str = "witness";
/// The tree as it was found, while it is being opened.
const COPY: &str = "before-opening";
/// A folder of its owner's alone.
const PRIVATE: u32 = 0o700;

/// Which folder, and how the engine opens it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Of the engine's cache.
    pub(super) cache_bytes: u64,
}

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

pub(super) fn open(place: &Place) -> Result<Folder, StoreError> {
    let path = place.path.as_path();
    let failed = |error: io::Error| refused(path, error.into());
    let mut lock = OpenOptions::new();
    lock.write(true);
    // Nothing is made where a store was: what is left of it would look like a new one.
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
        tracing::warn!(folder = %path.display(), "others had access to the store's files; now only their owner has");
    }
    if is_gone(path) {
        return Err(refused(path, gone()));
    }
    if !path.join(TREE).exists() && !path.join(COPY).exists() {
        let folder = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        tracing::info!(folder = %folder.display(), "a new store was made");
    }
    let (db, durability) = open_tree(place)?;
    Ok(Folder { db, durability, lock })
}

/// Opens the tree of a folder whose lock this process holds.
pub(super) fn open_tree(place: &Place) -> Result<(sled::Db, Durability), StoreError> {
    let path = place.path.as_path();
    let failed = |error: io::Error| refused(path, error.into());
    let aside = Aside::make(path).map_err(failed)?;
    match open_engine(place) {
        Ok(opened) => {
            aside.discard().map_err(failed)?;
            Ok(opened)
        }
        Err(refusal) => {
            aside.restore().map_err(failed)?;
            Err(refused(path, refusal))
        }
    }
}

/// Whether an engine that was shut has let go of the tree's files.
pub(super) fn is_let_go(place: &Place) -> bool {
    let log = File::open(place.path.join(TREE).join(LOG));
    log.is_ok_and(|log| log.try_lock().is_ok())
}

/// Whether commits were acknowledged here and nothing is left that could hold them.
fn is_gone(path: &Path) -> bool {
    let is_there = |name: &Path| path.join(name).exists();
    let acknowledged = File::open(path.join(WITNESS)).is_ok_and(|witness| witnessed(&witness) > 0);
    acknowledged && !is_there(&Path::new(TREE).join(LOG)) && !is_there(Path::new(COPY))
}

fn gone() -> Refusal {
    Refusal::Damaged(format!("commits were acknowledged, and {TREE}/{LOG} is missing"))
}

fn refused(path: &Path, refusal: Refusal) -> StoreError {
    match (path.to_owned(), refusal) {
        (path, Refusal::Shut(reason, remedy)) => StoreError::Shut { path, reason, remedy },
        (path, Refusal::Damaged(reason)) => StoreError::Damaged { path, reason },
    }
}

/// Why a folder does not open.
enum Refusal {
    /// What the system said, and what to do: the folder itself is sound.
    Shut(String, String),
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

impl From<Exposed> for Refusal {
    fn from(exposed: Exposed) -> Self {
        match exposed {
            Exposed::Io(error) => error.into(),
            Exposed::Foreign { path, owner, user } => Self::Shut(
                format!("{} belongs to user {owner}, and this runs as user {user}", path.display()),
                format!(
                    "Run this as user {owner}, or give the folder to user {user} with `chown -R`"
                ),
            ),
            Exposed::Open { path, mode } => Self::Shut(
                format!(
                    "others may read {} (mode {mode:o}), and that cannot be changed",
                    path.display()
                ),
                "Put the store on a file system that keeps permissions".to_owned(),
            ),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound};
        let remedy = match error.kind() {
            _ if is_full(&error) => "Make room on its disk",
            io::ErrorKind::PermissionDenied => "Run this as the folder's owner",
            io::ErrorKind::ReadOnlyFilesystem => "Make its file system writable",
            AlreadyExists | NotADirectory | NotFound => {
                "Nothing was changed; name in store.url a folder that is there or can be made"
            }
            _ => return Self::Damaged(error.to_string()),
        };
        Self::Shut(error.to_string(), remedy.to_owned())
    }
}

fn open_engine(place: &Place) -> Result<(sled::Db, Durability), Refusal> {
    let path = place.path.as_path();
    let config = sled::Config::new().path(path.join(TREE)).cache_capacity(place.cache_bytes);
    // sled answers some damage with a panic; to the operator both are the same news.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
    let db = match opened {
        Ok(Ok(db)) => db,
        Ok(Err(sled::Error::Io(error))) => return Err(error.into()),
        Ok(Err(error)) => return Err(Refusal::Damaged(error.to_string())),
        Err(_) => return Err(Refusal::Damaged("the engine panicked while reading it".into())),
    };
    bring_to_layout(&db, path)?;
    let mut witness = OpenOptions::new();
    witness.read(true).write(true).create(true).truncate(false);
    let witness = witness.open(path.join(WITNESS))?;
    let witnessed = witnessed(&witness);
    let commits = commits(&db)?;
    if commits < witnessed {
        return Err(Refusal::Damaged(format!(
            "{} of {witnessed} acknowledged commits cannot be read",
            witnessed - commits
        )));
    }
    let log = File::open(path.join(TREE).join(LOG))?;
    // The engine makes its files by the process's mask.
    make_private(path)?;
    Ok((db, Durability { log, witness, commits }))
}

/// How many commits a witness saw; 0 where nothing was written to it yet.
fn witnessed(witness: &File) -> u64 {
    let mut bytes = [0; 8];
    witness.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_be_bytes(bytes))
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
            File::open(folder.join(TREE).join(LOG))?.sync_data()?;
            mark()
        }
        None if db.is_empty() => mark(),
        None => Err(Refusal::Damaged("it holds data, but not this program's mark".into())),
        Some(mark) => Err(Refusal::Shut(
            format!("its layout is {}, this program reads {LAYOUT}", number(&mark)),
            "It was left as it is; use the version of clew that wrote it".to_owned(),
        )),
    }
}

/// Whether a mark is that of a layout that can be brought up to date.
fn is_older(mark: &[u8]) -> bool {
    mark.try_into().map(u32::from_be_bytes).is_ok_and(|it| (upgrade::OLDEST..LAYOUT).contains(&it))
}

/// A mark as it is told.
fn number(mark: &[u8]) -> String {
    match mark.try_into() {
        Ok(mark) => u32::from_be_bytes(mark).to_string(),
        Err(_) => mark.escape_ascii().to_string(),
    }
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
            copy: folder.join(COPY),
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
