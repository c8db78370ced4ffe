//! File permissions, and the refusal to run as root.

use anyhow::{Result, ensure};
use collector::config::Source;
use rustix::fs::Mode;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Environment variable that, set to 1, has the same effect as `--allow-root`.
const ALLOW_ROOT: &str = "CLEW_ALLOW_ROOT";

/// Makes every file that the program creates from now on accessible only to its owner, regardless
/// of the shell's umask.
pub(crate) fn make_private_files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Refuses to run as root unless that is allowed: root can read and change everything on the
/// machine.
///
/// # Errors
/// If the process runs as root and that is not allowed; the error says what to do instead.
pub(crate) fn ensure_not_root(source: &Source, allowed: bool) -> Result<()> {
    let variable =
        source.environment.iter().any(|(name, value)| name == ALLOW_ROOT && value == "1");
    ensure_allowed(rustix::process::geteuid().is_root(), allowed || variable)
}

fn ensure_allowed(is_root: bool, allowed: bool) -> Result<()> {
    ensure!(
        !is_root || allowed,
        "will not run as root: run the collector as a dedicated user that owns the store's folder, \
         or, in a container that holds nothing else, use `clew serve --allow-root` ({ALLOW_ROOT}=1)"
    );
    Ok(())
}

/// Warns if other users can access the configuration.
pub(crate) fn warn_of_exposed(file: Option<&Path>) {
    let Some(file) = file else { return };
    let is_exposed = |mode: u32| mode & 0o077 != 0;
    if std::fs::metadata(file).is_ok_and(|metadata| is_exposed(metadata.permissions().mode())) {
        let remedy = format!("chmod 600 {}", file.display());
        tracing::warn!(
            remedy,
            "other users can read or change the configuration, which may hold secrets"
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
