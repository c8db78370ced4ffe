//! Printing a command's output.

use std::io::{ErrorKind, Write};

/// Prints a line to standard output. A closed pipe is not an error: the reader has seen enough.
///
/// # Panics
/// If the write fails for any other reason, such as a full disk: missing output must not look like
/// success.
pub(crate) fn say(line: impl std::fmt::Display) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            panic!("cannot write to standard output: {error}")
        }
        _ => {}
    }
}
