//! Phone numbers: converts them to E.164 where that is certain, with a port of Google's
//! libphonenumber.

use phonenumber::metadata::DATABASE;
use phonenumber::{Metadata, Mode, Type, country};
use serde::Deserialize;

/// How many equal digits at the end make a filler.
const FILLER_DIGITS: usize = 7;

/// Numbers that the crate's tables (libphonenumber 9.0.33) do not have yet: the country's code, the
/// length, and what they begin with. From libphonenumber 9.0.43.
const NEWER: &[(u16, usize, &[&str])] =
    &[(247, 5, &["2", "3", "7"]), (267, 7, &["210", "24", "26", "275", "276", "277", "29"])];

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
        let is_national = !plain.contains('+');
        country.filter(|_| is_national).and_then(|country| national(&plain, country))
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

/// Whether a number in E.164 cannot stand for one person: a service number that a company
/// advertises, or a filler such as 0000-0000.
pub(super) fn is_nobodys(e164: &str) -> bool {
    let Ok(number) = phonenumber::parse(None, e164) else { return true };
    let digits = number.national().value().to_string();
    is_filler(&digits)
        || matches!(
            number.number_type(&DATABASE),
            Type::TollFree
                | Type::PremiumRate
                | Type::SharedCost
                | Type::Uan
                | Type::Voicemail
                | Type::ShortCode
                | Type::StandardRate
                | Type::Emergency
        )
}

/// Whether the last digits are all the same.
fn is_filler(digits: &str) -> bool {
    let last =
        digits.len().checked_sub(FILLER_DIGITS).and_then(|from| digits.as_bytes().get(from..));
    last.is_some_and(|last| last.windows(2).all(|pair| pair[0] == pair[1]))
}

/// A number in the form of its country. The crate takes leading digits that equal the country's
/// code for that code, which is wrong if the number is only valid with them.
fn national(text: &str, country: Country) -> Option<String> {
    let meta = DATABASE.by_id(country.0.as_ref())?;
    let code = meta.country_code().to_string();
    let number = |digits: &str| is_number(meta, digits).then(|| format!("+{code}{digits}"));
    let digits = digits(text);
    let whole = digits.as_deref().filter(|digits| digits.starts_with(&code)).and_then(number);
    let behind_trunk = || {
        let digits = digits.as_deref()?.strip_prefix(meta.national_prefix()?)?;
        number(digits)
    };
    whole.or_else(|| certain(text, Some(country))).or_else(behind_trunk)
}

fn certain(text: &str, country: Option<Country>) -> Option<String> {
    let number = phonenumber::parse(country.map(|Country(id)| id), text).ok();
    let valid = number.filter(|number| number.is_valid() && number.extension().is_none());
    valid.map(|number| number.format().mode(Mode::E164).to_string()).or_else(|| whole(text))
}

/// A number with `+` that is valid as it stands. The crate may take off more than the country's
/// code: the same digits again, or what would be a trunk prefix at home.
fn whole(text: &str) -> Option<String> {
    let digits = digits(text.trim().strip_prefix('+')?)?;
    let code_and_rest = |length| Some((digits.get(..length)?, digits.get(length..)?));
    (1..=3).filter_map(code_and_rest).find_map(|(code, rest)| {
        let metas = DATABASE.by_code(&code.parse().ok()?)?;
        metas.into_iter().any(|meta| is_number(meta, rest)).then(|| format!("+{code}{rest}"))
    })
}

/// The digits of a text that has nothing else but what separates them.
fn digits(text: &str) -> Option<String> {
    let separates = |letter: char| letter.is_whitespace() || "-./()‐‑–—−".contains(letter);
    let is_plain = text.chars().all(|letter| letter.is_ascii_digit() || separates(letter));
    is_plain.then(|| text.chars().filter(char::is_ascii_digit).collect())
}

/// Whether a country has such a number, written without prefixes.
fn is_number(meta: &Metadata, national: &str) -> bool {
    let descriptors = meta.descriptors();
    let kinds = [
        descriptors.fixed_line(),
        descriptors.mobile(),
        descriptors.toll_free(),
        descriptors.premium_rate(),
        descriptors.shared_cost(),
        descriptors.personal_number(),
        descriptors.voip(),
        descriptors.pager(),
        descriptors.uan(),
        descriptors.voicemail(),
    ];
    let is_known = descriptors.general().is_match(national)
        && kinds.into_iter().flatten().any(|kind| kind.is_match(national));
    let is_newer = |(code, length, beginnings): &(u16, usize, &[&str])| {
        *code == meta.country_code()
            && *length == national.len()
            && beginnings.iter().any(|beginning| national.starts_with(beginning))
    };
    is_known || NEWER.iter().any(is_newer)
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

    /// Numbers of a country that begin with its own country code.
    #[test]
    fn numbers_that_begin_with_their_country_code() {
        for (phone, country, expected) in [
            ("24726", "AC", "+24724726"),
            ("376 860", "AD", "+376376860"),
            ("244 787 523", "AO", "+244244787523"),
            ("(55) 2475-5480", "BR", "+555524755480"),
            ("267 6506", "BW", "+2672676506"),
            ("501-5753", "BZ", "+5015015753"),
            ("5065 4697", "CR", "+50650654697"),
            ("238 51 76", "CV", "+2382385176"),
            ("45 92 92 57", "DK", "+4545929257"),
            ("50078", "FK", "+50050078"),
            ("29 82 02", "FO", "+298298202"),
            ("29 90 18", "GL", "+299299018"),
            ("220 0440", "GM", "+2202200440"),
            ("5026 7601", "GT", "+50250267601"),
            ("393 749 9380", "IT", "+393937499380"),
            ("9659 9220", "KW", "+96596599220"),
            ("37 77 05 87", "MC", "+37737770587"),
            ("8535 1975", "MO", "+85385351975"),
            ("6830", "NU", "+6836830"),
            ("507-5462", "PA", "+5075075462"),
            ("67732", "SB", "+67767732"),
            ("6509 0178", "SG", "+6565090178"),
            ("2 526002", "SO", "+2522526002"),
            ("5039 7850", "SV", "+50350397850"),
            ("21 668 633", "TN", "+21621668633"),
            ("99 886 44 27", "UZ", "+998998864427"),
            ("396 306 1697", "VA", "+393963061697"),
            ("68527", "WS", "+68568527"),
        ] {
            check(phone, country, expected);
        }
    }

    #[test]
    fn numbers_that_identify_nobody() {
        for (phone, country, expected) in [
            ("0120-000-111", "JP", true),
            ("1588-9999", "KR", true),
            ("080-123-4567", "KR", true),
            ("1-800-356-9377", "US", true),
            ("0800 123 4567", "GB", true),
            ("010-0000-0000", "KR", true),
            ("010-1111-1111", "KR", true),
            ("010-2345-6789", "KR", false),
            ("03-5555-0100", "JP", false),
            ("01 42 68 53 00", "FR", false),
        ] {
            let number = e164(phone, Country::parse(country)).unwrap();
            assert_eq!(is_nobodys(&number), expected, "{phone} {number}");
        }
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
