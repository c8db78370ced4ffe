//! What a command prints.

use std::io::{ErrorKind, Write};

/// Prints a line that the command was asked for. Whoever closes the pipe has read enough.
///
/// # Panics
/// Where it cannot be written otherwise, as on a full disk: an answer that is not there must not look
/// like one that was given.
pub(crate) fn say(line: impl std::fmt::Display) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            panic!("the answer could not be written: {error}")
        }
        _ => {}
    }
}
