//! Converts decimal strings to whole numbers of a decimal unit, and back.

/// Why a text is not a whole number of units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NumberError {
    /// Not a decimal number.
    #[error("not a number")]
    NoNumber,
    /// It has decimals smaller than the unit.
    #[error("too many decimals")]
    TooFine,
    /// More units than 128 bits can hold.
    #[error("too large")]
    TooLarge,
}

/// Parses a decimal number to units of `10^-decimals`: `1.5`, `-3`, `.5`, `1.5e-3`. Trailing zeros
/// do not count as decimals.
///
/// # Errors
/// [`NumberError`]; it never rounds.
pub fn parse(text: &str, decimals: u32) -> Result<i128, NumberError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (number, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || whole.len() + fraction.len() == 0 {
        return Err(NumberError::NoNumber);
    }
    let exponent: i32 = exponent.parse().map_err(|_| NumberError::NoNumber)?;
    let mut digits = format!("{whole}{fraction}");
    digits.truncate(digits.trim_end_matches('0').len());
    if digits.is_empty() {
        return Ok(0);
    }
    // The power of ten of the last remaining digit.
    let last = i64::from(exponent) + whole.len() as i64 - digits.len() as i64;
    let zeros = last + i64::from(decimals);
    let zeros = u32::try_from(zeros).map_err(|_| match zeros < 0 {
        true => NumberError::TooFine,
        false => NumberError::TooLarge,
    })?;
    let digits = digits.trim_start_matches('0').parse::<i128>();
    let scale = 10_i128.checked_pow(zeros);
    let units = digits.ok().zip(scale).and_then(|(digits, scale)| digits.checked_mul(scale));
    let units = units.ok_or(NumberError::TooLarge)?;
    Ok(if negative { -units } else { units })
}

/// Formats units of `10^-decimals` with all their decimals.
pub fn write(units: i128, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let decimals = decimals as usize;
    let digits = format!("{:0width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers() {
        let check = |text: &str, decimals, expected| {
            assert_eq!(parse(text, decimals), expected, "{text} in 10^-{decimals}");
        };
        for (text, units) in [
            ("0", 0),
            ("-0.00", 0),
            ("1", 100),
            ("1.5", 150),
            ("+1.5", 150),
            (".5", 50),
            ("5.", 500),
            ("1.5000000000000000000000000000000000000000000000000", 150),
            ("0000000000000000000000000000000000000000000000001", 100),
            ("-12.34", -1234),
            ("1.5e1", 1500),
            ("150E-2", 150),
            ("0e99", 0),
        ] {
            check(text, 2, Ok(units));
        }
        for text in
            ["", "-", ".", "e5", "1e", "1e1.5", "--1", "1,5", " 1", "1 ", "inf", "NaN", "0x1", "١"]
        {
            check(text, 2, Err(NumberError::NoNumber));
        }
        for text in ["0.001", "1e-3", "0.0000000001", "1e-999"] {
            check(text, 2, Err(NumberError::TooFine));
        }
        for text in ["1e99", "1e2147483647", "9999999999999999999999999999999999999999"] {
            check(text, 2, Err(NumberError::TooLarge));
        }
        assert_eq!(write(-5, 2), "-0.05");
        assert_eq!(write(5, 0), "5");
        assert_eq!(write(i128::MIN, 20), "-1701411834604692317.31687303715884105728");
    }

    proptest! {
        #[test]
        fn there_and_back(units in -i128::MAX..=i128::MAX, decimals in 0..30_u32) {
            prop_assert_eq!(parse(&write(units, decimals), decimals), Ok(units));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,60}", decimals in 0..40_u32) {
            let _ = parse(&text, decimals);
        }
    }
}
