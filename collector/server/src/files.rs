//! How many files may be open, and how many connections that makes.

use collector::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the store's own files, listeners, the log and a command or two need.
const OTHER_FILES: usize = 128;
/// A connection, and a second descriptor that can end it.
const FILES_PER_CONNECTION: usize = 2;

/// Raises the limit of open files as far as the process may. A limit that cannot be raised stays.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// The connections that may be open at once: those of the settings, or fewer where the limit of open
/// files leaves no room for as many.
pub(crate) fn connections(config: &Config) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = fit(usize::try_from(files).unwrap_or(usize::MAX), reserved(config));
    let wanted = config.limits.connections;
    if fit < wanted {
        tracing::warn!(
            wanted,
            connections = fit,
            files,
            "fewer connections than limits.connections fit the limit of open files; raise it (LimitNOFILE)"
        );
    }
    wanted.min(fit)
}

/// The files that connections may not take.
fn reserved(config: &Config) -> usize {
    let destinations = config.destinations.len() + config.crm.len();
    OTHER_FILES + config.store.connections + destinations * config.delivery.concurrency
}

/// Half of the files at least are left to connections, whatever else is configured.
fn fit(files: usize, reserved: usize) -> usize {
    let left = files.saturating_sub(reserved).max(files / 2);
    (left / FILES_PER_CONNECTION).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_fit() {
        for (files, reserved, expected) in [
            (1_024, 200, 412),
            (1_024, 2_000, 256),
            (65_536, 200, 32_668),
            (usize::MAX, 200, (usize::MAX - 200) / 2),
            (0, 200, 1),
        ] {
            assert_eq!(fit(files, reserved), expected, "{files} {reserved}");
        }
    }
}
