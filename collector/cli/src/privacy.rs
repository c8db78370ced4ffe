//! Who may read what the program writes, and as whom it may run.

use anyhow::{Result, ensure};
use collector::config::Source;
use rustix::fs::Mode;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Set to 1, it allows what `--allow-root` does.
const ALLOW_ROOT: &str = "CLEW_ALLOW_ROOT";

/// From here on, every file that the program makes is its owner's alone, whatever the shell's mask was.
pub(crate) fn make_private_files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Refuses to run as root, who can read and change everything on the machine, unless that is allowed.
///
/// # Errors
/// Says what to do instead.
pub(crate) fn ensure_not_root(source: &Source, allowed: bool) -> Result<()> {
    let variable =
        source.environment.iter().any(|(name, value)| name == ALLOW_ROOT && value == "1");
    ensure_allowed(rustix::process::geteuid().is_root(), allowed || variable)
}

fn ensure_allowed(is_root: bool, allowed: bool) -> Result<()> {
    ensure!(
        !is_root || allowed,
        "a collector needs no rights of root: start it as a user of its own, to whom the store's folder \
         belongs, or say `clew serve --allow-root` ({ALLOW_ROOT}=1), as in a container with only this in it"
    );
    Ok(())
}

/// Warns where others can read the configuration.
pub(crate) fn warn_of_exposed(file: Option<&Path>) {
    let Some(file) = file else { return };
    let is_exposed = |mode: u32| mode & 0o077 != 0;
    if std::fs::metadata(file).is_ok_and(|metadata| is_exposed(metadata.permissions().mode())) {
        let remedy = format!("chmod 600 {}", file.display());
        tracing::warn!(
            remedy,
            "others can read or change the configuration, which may hold secrets"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_to_be_allowed() {
        let check = |is_root, allowed, expected| {
            assert_eq!(ensure_allowed(is_root, allowed).is_ok(), expected);
        };
        check(false, false, true);
        check(true, true, true);
        check(true, false, false);
    }
}
