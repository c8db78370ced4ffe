//! Phone numbers: converts them to E.164 where that is certain, with a port of Google's
//! libphonenumber.

use phonenumber::{Mode, country};
use serde::Deserialize;

/// A country, by its two-letter ISO 3166-1 code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Country(country::Id);

impl Country {
    /// Parses a code like `FR`; `None` if there is no such country.
    pub fn parse(code: &str) -> Option<Self> {
        code.parse().ok().map(Self)
    }
}

/// The error of an unknown country code.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a country; use a two-letter ISO 3166-1 code such as \"FR\"")]
pub struct CountryError(String);

impl TryFrom<String> for Country {
    type Error = CountryError;

    fn try_from(code: String) -> Result<Self, CountryError> {
        Self::parse(&code).ok_or(CountryError(code))
    }
}

/// Converts a number to E.164; `None` if that is not certain.
///
/// It is not certain if the number has no country code and `country` is `None`, if no such number
/// can exist, or if the number has an extension, because the people behind one switchboard are
/// different persons.
pub fn e164(phone: &str, country: Option<Country>) -> Option<String> {
    let plain: String = phone.chars().map(ascii).collect();
    // Most of the world dials `00` for international calls; other prefixes are parsed with the
    // country.
    let abroad = plain.strip_prefix("00").map(|number| format!("+{number}"));
    certain(abroad.as_ref().unwrap_or(&plain), None).or_else(|| {
        // Given a country, the crate would strip that country's trunk zero from numbers of other
        // countries.
        let national = !plain.contains('+');
        country.filter(|_| national).and_then(|country| certain(&plain, Some(country)))
    })
}

/// Whether the text is already a number in E.164 as [`e164`] returns it.
pub(super) fn is_e164(text: &str) -> bool {
    text.starts_with('+') && e164(text, None).as_deref() == Some(text)
}

/// Whether the character is a digit that [`e164`] accepts.
pub(super) fn is_digit(character: char) -> bool {
    ascii(character).is_ascii_digit()
}

fn certain(text: &str, country: Option<Country>) -> Option<String> {
    let number = phonenumber::parse(country.map(|Country(id)| id), text).ok()?;
    (number.is_valid() && number.extension().is_none())
        .then(|| number.format().mode(Mode::E164).to_string())
}

/// Converts full-width and Arabic digits, and the full-width plus, to ASCII.
fn ascii(character: char) -> char {
    let zeros = ['\u{ff10}', '\u{660}', '\u{6f0}'];
    let digit = |zero: char| u32::from(character).checked_sub(u32::from(zero)).filter(|d| *d < 10);
    match zeros.into_iter().find_map(digit) {
        Some(digit) => char::from_digit(digit, 10).unwrap_or(character),
        None if character == '\u{ff0b}' => '+',
        None => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number, the site's country (empty for none), and the number in E.164 (empty for none).
    fn check(phone: &str, country: &str, expected: &str) {
        let country = Country::parse(country);
        let found = e164(phone, country);
        assert_eq!(found.as_deref().unwrap_or_default(), expected, "{phone} {country:?}");
        assert_eq!(found.is_some_and(|found| is_e164(&found)), !expected.is_empty(), "{phone}");
    }

    #[test]
    fn numbers_with_their_country() {
        for country in ["", "FR", "US"] {
            check("+33 (0)1 42 68 53 00", country, "+33142685300");
            check("+33142685300", country, "+33142685300");
            check("0033 1 42 68 53 00", country, "+33142685300");
            check("tel:+33-1-42-68-53-00", country, "+33142685300");
            check("+1 (415) 555-2671", country, "+14155552671");
            check("+1.415.555.2671", country, "+14155552671");
            check("\u{ff0b}３３ １ ４２６８ ５３００", country, "+33142685300");
            check("+٣٣١٤٢٦٨٥٣٠٠", country, "+33142685300");
            // Italy dials its zero from abroad too
            check("+39 06 6982 1234", country, "+390669821234");
            check("+44 (0)7911 123456", country, "+447911123456");
            // letters of the keys, as companies advertise them
            check("+1 800 FLOWERS", country, "+18003569377");
        }
    }

    #[test]
    fn numbers_of_the_sites_country() {
        check("01 42 68 53 00", "", "");
        check("01 42 68 53 00", "FR", "+33142685300");
        check("０１ ４２ ６８ ５３ ００", "FR", "+33142685300");
        check("33142685300", "", "");
        check("33142685300", "FR", "+33142685300");
        check("(415) 555-2671", "US", "+14155552671");
        check("1-800-FLOWERS", "US", "+18003569377");
        check("030/123456", "DE", "+4930123456");
        check("06 6982 1234", "IT", "+390669821234");
        check("044 668 18 00", "CH", "+41446681800");
        // no number of that country
        check("01 42 68 53 00", "US", "");
    }

    #[test]
    fn numbers_that_are_nobodys() {
        for country in ["", "FR", "US"] {
            for phone in [
                "+999 123 456 789",
                "+99912345678",
                "+0142685300",
                "+33 1 42",
                "+33 1 42 68 53 00 00 00",
                "12",
                "112",
                "0000000000",
                "+",
                "",
                "call me",
                "+44 7911 123456 / +44 20 7946 0958",
                "+33 1 42 68 53 00 (office)",
                // colleagues behind one switchboard are not one person
                "+1 415 555 2671 x123",
                "+33 1 42 68 53 00 ext. 12",
            ] {
                check(phone, country, "");
            }
        }
        check("(415) 555-2671 x123", "US", "");
    }

    #[test]
    fn countries() {
        assert!(Country::parse("FR").is_some() && Country::parse("DE").is_some());
        for code in ["", "fr", "FRA", "XX", "33", "EU"] {
            assert_eq!(Country::parse(code), None, "{code}");
        }
        let error = Country::try_from("fr".to_owned()).unwrap_err();
        let expected = "`fr` is not a country; use a two-letter ISO 3166-1 code such as \"FR\"";
        assert_eq!(error.to_string(), expected);
    }
}
