//! Passes its input on line by line, and so knows the current line number.
//!
//! The CSV reader's own count is wrong for CRLF and empty lines, and it silently accepts a quote
//! that is never closed, which would swallow rows.

use std::io::{BufRead, Read, Result};

pub(super) struct Lines<R> {
    input: R,
    /// Lines of which at least a part was passed on.
    count: u64,
    /// Whether the last byte passed on ended a line.
    at_start: bool,
    has_ended: bool,
}

impl<R> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, count: 0, at_start: true, has_ended: false }
    }

    /// The number of the last line that was passed on, counted from 1.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the reader asked for more at the end of the input. Every line is passed on with a
    /// line break, even the last, so the reader asks for more only inside an open quote.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let input = self.input.fill_buf()?;
        if input.is_empty() {
            let Some(last) = buffer.first_mut().filter(|_| !self.at_start) else {
                self.has_ended = true;
                return Ok(0);
            };
            *last = b'\n';
            self.at_start = true;
            return Ok(1);
        }
        let end = input.iter().position(|byte| *byte == b'\n').map_or(input.len(), |end| end + 1);
        let length = end.min(buffer.len());
        buffer[..length].copy_from_slice(&input[..length]);
        if self.at_start {
            self.count += 1;
        }
        self.at_start = input[length - 1] == b'\n';
        self.input.consume(length);
        Ok(length)
    }
}
