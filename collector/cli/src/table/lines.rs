//! Hands its reader one line at a time, and so knows on which one it is.
//!
//! The CSV reader's own count falls behind on CRLF and on empty lines, and it takes a quote that is
//! never closed for the end of the input: rows would be missing from an answer without a word.

use std::io::{BufRead, Read, Result};

pub(super) struct Lines<R> {
    input: R,
    /// Lines of which something was handed out.
    count: u64,
    /// Whether the last byte handed out ended a line.
    at_start: bool,
    has_ended: bool,
}

impl<R> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, count: 0, at_start: true, has_ended: false }
    }

    /// The number of the line that was handed out last, from 1.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether the reader asked for more when there was none. Every line ends, the last one too, so
    /// it does not have to ask unless it waits for something.
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
