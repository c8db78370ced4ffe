//! The CSV that commands write: no cell of it, which a stranger may have sent, runs as a formula.

use anyhow::{Result, anyhow};
use std::borrow::Cow;
use std::io::Write;

/// What spreadsheets take a cell for a formula by. A tab or carriage return before it is skipped there.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Rows of CSV on their way out.
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

    /// Writes what waits, and gives the writer back.
    pub(crate) fn finish(self) -> Result<W> {
        self.0.into_inner().map_err(|error| anyhow!("{}", error.error()))
    }
}

/// A cell that a spreadsheet shows and does not run: with a quote in front where it could be a formula. A
/// plain number is not one, with a sign neither.
fn cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(FORMULA) && !is_number(text) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// Digits with a sign, a decimal point and an exponent, where it has them.
fn is_number(text: &str) -> bool {
    // `inf` and `nan` are numbers to Rust, and words to a spreadsheet.
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
