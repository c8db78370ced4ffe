//! The limit of open files, and how many connections it allows.

use collector::config::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for the store's files, listeners, the log and a command or two.
const OTHER_FILES: usize = 128;
/// Each connection uses its own descriptor and a second one that can shut it down.
const FILES_PER_CONNECTION: usize = 2;

/// Raises the limit of open files as far as allowed. If that fails, the limit stays as it is.
pub fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many connections may be open at once: `limits.connections`, or fewer if the limit of open
/// files is too low for that.
pub(crate) fn connections(config: &Config) -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = fit(usize::try_from(files).unwrap_or(usize::MAX), reserved(config));
    let wanted = config.limits.connections;
    if fit < wanted {
        tracing::warn!(
            wanted,
            connections = fit,
            files,
            "the limit of open files is too low for limits.connections; raise it (LimitNOFILE)"
        );
    }
    wanted.min(fit)
}

/// Descriptors that connections may not use.
fn reserved(config: &Config) -> usize {
    let destinations = config.destinations.len() + config.crm.len();
    OTHER_FILES + config.store.connections + destinations * config.delivery.concurrency
}

/// How many connections fit. At least half of all descriptors go to connections, whatever is
/// configured.
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
