//! CSV output of commands. A stranger may have sent a cell's text, so no cell runs as a spreadsheet
//! formula.

use anyhow::{Result, anyhow};
use std::borrow::Cow;
use std::io::Write;

/// First characters that make spreadsheets treat a cell as a formula. They skip a leading tab or
/// carriage return.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Writes rows of CSV.
pub(crate) struct Output<W: Write>(csv::Writer<W>);

impl<W: Write> Output<W> {
    pub(crate) fn new(output: W) -> Self {
        Self(csv::Writer::from_writer(output))
    }

    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> Result<()> {
        for text in cells {
            self.0.write_field(cell(text.as_ref()).as_bytes())?;
        }
        // Ends the row.
        Ok(self.0.write_record(None::<&[u8]>)?)
    }

    /// Flushes buffered rows and returns the inner writer.
    pub(crate) fn finish(self) -> Result<W> {
        self.0.into_inner().map_err(|error| anyhow!("{}", error.error()))
    }
}

/// Puts a quote before a cell that a spreadsheet would run as a formula. Plain numbers, signed or
/// not, stay as they are.
fn cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(FORMULA) && !is_number(text) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// Whether a cell is digits, with an optional sign, decimal point and exponent.
fn is_number(text: &str) -> bool {
    // `inf` and `nan` are numbers to Rust but words to a spreadsheet.
    text.parse::<f64>().is_ok() && text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(cell(text), expected, "{text:?}");
    }

    #[test]
    fn cells() {
        for formula in [
            "=1+1",
            "=HYPERLINK(\"https://a.example/\",\"x\")",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "-",
            "--1",
            "-inf",
            "+nan",
            "-1,5",
            "-12.5%",
            "+1 (555) 0100",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "-1\n",
        ] {
            check(formula, &format!("'{formula}"));
        }
        for plain in [
            "",
            "google",
            "(direct)",
            "a=b",
            "a-b",
            "'=1",
            " =1",
            "-12.5",
            "-0",
            "+3",
            "-1e-7",
            "+33142685300",
            "1",
            "gclid=Ab",
            "…",
        ] {
            check(plain, plain);
        }
    }
}
