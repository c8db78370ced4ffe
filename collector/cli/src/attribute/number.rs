//! Numbers as `clew attribute` reads and writes them. Output has no exponents and at least ten
//! significant digits.

use crate::table::{Column, Row, shortened};
use anyhow::{Context, Result, bail};
use shared::money::fixed::{self, NumberError};

/// Values are counted in units of 10^-20: finer than any input, so that the small shares of a long
/// path stay exact, while values up to 10^18 still fit.
const DECIMALS: u32 = 20;
const DIGITS: usize = 10;

/// Reads a value.
pub(super) fn units(text: &str) -> Result<i128> {
    match fixed::parse(text, DECIMALS) {
        Ok(units) if units < 0 => {
            bail!("is negative: subtract a refund from the value of its sale")
        }
        Ok(units) => Ok(units),
        Err(NumberError::NoNumber) => bail!("is not a number"),
        Err(NumberError::TooFine) => bail!("has more than {DECIMALS} decimal places"),
        Err(NumberError::TooLarge) => bail!("is too large"),
    }
}

/// Reads a cell's value. It may be empty if nothing converted.
pub(super) fn value(row: Row<'_>, column: Option<Column>, has_converted: bool) -> Result<i128> {
    let Some(column) = column else { return Ok(0) };
    let text = row.text(column);
    if text.is_empty() && !has_converted {
        return Ok(0);
    }
    units(text).with_context(|| format!("{} `{}`", column.name, shortened(text)))
}

/// Converts a value to a float for use as a weight.
pub(super) fn weight(units: i128) -> f64 {
    units as f64 / 10_f64.powi(DECIMALS as i32)
}

/// Writes a value exactly.
pub(super) fn write_units(units: i128) -> String {
    let text = fixed::write(units, DECIMALS);
    padded(text.trim_end_matches('0').trim_end_matches('.'))
}

/// Writes a number with enough digits to read the same number back.
pub(super) fn write(number: f64) -> String {
    padded(&number.to_string())
}

/// Pads a number with zeros to ten significant digits; 0 gets ten digits.
fn padded(text: &str) -> String {
    let digits = text.bytes().filter(u8::is_ascii_digit);
    let leading = digits.clone().take_while(|digit| *digit == b'0').count();
    let all = digits.count();
    let significant = if leading == all { all } else { all - leading };
    let mut padded = text.to_owned();
    if significant < DIGITS {
        if !padded.contains('.') {
            padded.push('.');
        }
        padded.extend(std::iter::repeat_n('0', DIGITS - significant));
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_at_least() {
        for (number, expected) in [
            (0.0, "0.000000000"),
            (1.0, "1.000000000"),
            (0.4, "0.4000000000"),
            (0.004, "0.004000000000"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1234.5, "1234.500000"),
            (12_345_678_901.0, "12345678901"),
            (1e-15, "0.000000000000001000000000"),
        ] {
            assert_eq!(write(number), expected);
        }
        for (value, expected) in [
            ("0", "0.000000000"),
            ("100", "100.0000000"),
            ("0.10", "0.1000000000"),
            ("1e-5", "0.00001000000000"),
            ("123456789012345678.12345678901234567891", "123456789012345678.12345678901234567891"),
        ] {
            assert_eq!(write_units(units(value).unwrap()), expected);
        }
    }
}
