//! File permissions. The folder contains personal data, so only its owner may have access: the
//! process must run as the owner, and access is taken from everyone else.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The permissions that a folder and a file may have: all for the owner, none for others.
const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
const RIGHTS: u32 = 0o777;

/// Why a path cannot be made private.
#[derive(Debug)]
pub(super) enum PrivacyError {
    /// It belongs to another user.
    Foreign {
        path: PathBuf,
        owner: u32,
        user: u32,
    },
    /// Others have access, and that cannot be changed.
    Open {
        path: PathBuf,
        mode: u32,
    },
    Io(io::Error),
}

impl From<io::Error> for PrivacyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Removes everyone else's access to a folder and its contents. Returns whether there was any.
///
/// # Errors
/// [`PrivacyError`].
pub(super) fn make_private(folder: &Path) -> Result<bool, PrivacyError> {
    let mut was_open = close(folder, &fs::metadata(folder)?)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            // Another process has removed it in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if metadata.is_dir() {
            was_open |= make_private(&path)?;
        } else if !metadata.is_symlink() {
            was_open |= close(&path, &metadata)?;
        }
    }
    Ok(was_open)
}

fn close(path: &Path, metadata: &Metadata) -> Result<bool, PrivacyError> {
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(PrivacyError::Foreign { path: path.to_owned(), owner, user });
    }
    let wanted = if metadata.is_dir() { FOLDER } else { FILE };
    let mode = metadata.permissions().mode() & RIGHTS;
    if mode & !wanted == 0 {
        return Ok(false);
    }
    let open = |mode| PrivacyError::Open { path: path.to_owned(), mode };
    fs::set_permissions(path, Permissions::from_mode(wanted)).map_err(|_| open(mode))?;
    // Some file systems report success and change nothing.
    match fs::metadata(path)?.permissions().mode() & RIGHTS {
        mode if mode & !wanted == 0 => Ok(true),
        mode => Err(open(mode)),
    }
}
