//! Reads the parameters of addresses as links in the wild carry them: joined with `;` or a second
//! `?`, escaped twice, in the path, or in an old charset.
//!
//! A separator other than `&` only counts in front of a parameter that the caller knows, so that
//! `?q=a;b` stays one parameter.

use encoding_rs::Encoding;
use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A parameter of an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Parameter {
    /// The name in lower case, without an index such as `[0]`.
    pub(super) name: String,
    /// The value, decoded.
    pub(super) value: String,
}

/// What separates parameters besides `&`, if a known parameter follows.
const SEPARATORS: &[&str] = &["?", ";", "&", "%26", "%3f", "%3b", "%2526", "%253f"];
/// What separates a name from its value; the escaped forms only count in known parameters.
const ASSIGNMENTS: &[&str] = &["=", "%3d", "%253d"];
/// The charsets of old pages, tried if a value is not UTF-8.
const CHARSETS: &[&Encoding] = &[encoding_rs::EUC_KR, encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP];
/// What pages that escape their links twice write in front of a parameter.
const ESCAPED: &str = "amp;";
/// The longest name of a known parameter.
const NAME_BYTES: usize = 64;

/// Splits a query or fragment into its parameters as written.
pub(super) fn split<'a>(text: &'a str, is_known: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    let mut parts = Vec::new();
    for part in text.split('&') {
        let escaped = part.strip_prefix(ESCAPED);
        let escaped = escaped.filter(|rest| known_name(rest, is_known).is_some());
        let mut rest = escaped.unwrap_or(part);
        while let Some((at, after)) = next_known(rest, is_known) {
            parts.push(&rest[..at]);
            rest = &rest[after..];
        }
        parts.push(rest);
    }
    parts
}

/// Where parameters begin in a path, as in `/landing&utm_source=x`: the end of the path proper, and
/// the beginning of the first parameter.
pub(super) fn in_path(path: &str, is_known: &dyn Fn(&str) -> bool) -> Option<(usize, usize)> {
    next_known(path, is_known)
}

/// Reads one parameter.
pub(super) fn read(part: &str, is_known: &dyn Fn(&str) -> bool) -> Parameter {
    let (name, value) = match known_name(part, is_known) {
        Some((name, value)) => (name, &part[value..]),
        None => {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (plain_name(&decode(name)), value)
        }
    };
    Parameter { name, value: decode(value) }
}

/// The first separator in front of a known parameter: where it begins and ends.
fn next_known(text: &str, is_known: &dyn Fn(&str) -> bool) -> Option<(usize, usize)> {
    let candidates = text.match_indices(['?', ';', '&', '%']);
    candidates.map(|(at, _)| at).find_map(|at| {
        let rest = &text[at..];
        let found = SEPARATORS.iter().filter(|separator| begins(rest, separator));
        let after = at + found.map(|separator| separator.len()).max()?;
        known_name(&text[after..], is_known).map(|_| (at, after))
    })
}

/// The known parameter's name that a text begins with, and where its value begins.
fn known_name(text: &str, is_known: &dyn Fn(&str) -> bool) -> Option<(String, usize)> {
    let end = text.find(['=', '%', '[', ';', '?', '/']).filter(|end| *end <= NAME_BYTES)?;
    let name = plain_name(&text[..end]);
    if !is_known(&name) {
        return None;
    }
    let mut at = end;
    for (open, close) in [("[", "]"), ("%5b", "%5d")] {
        if begins(&text[at..], open) {
            at += text[at..].to_ascii_lowercase().find(close)? + close.len();
        }
    }
    let assignment = ASSIGNMENTS.iter().find(|sign| begins(&text[at..], sign))?;
    Some((name, at + assignment.len()))
}

fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}

/// A name in lower case, without what does not belong to it.
fn plain_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix(ESCAPED).unwrap_or(&name);
    name.split('[').next().unwrap_or_default().to_owned()
}

/// Decodes a name or a value.
fn decode(text: &str) -> String {
    let spaced: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    let bytes: Cow<'_, [u8]> = percent_decode_str(&spaced).into();
    match std::str::from_utf8(&bytes) {
        Ok(text) => normal(text).into_owned(),
        Err(_) => normal(&old_charset(&bytes)).into_owned(),
    }
}

/// A value that was escaped twice, as it was meant.
pub(crate) fn unescaped(value: &str) -> Cow<'_, str> {
    let is_escape = |at: usize| {
        value
            .as_bytes()
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    let mut signs = value.match_indices('%').peekable();
    if signs.peek().is_none() || !signs.all(|(at, _)| is_escape(at)) {
        return value.into();
    }
    let bytes: Cow<'_, [u8]> = percent_decode_str(value).into();
    String::from_utf8(bytes.into_owned())
        .map_or(value.into(), |text| normal(&text).into_owned().into())
}

/// Text whose letters are composed (NFC), without invisible ones, and with spaces in place of
/// control characters.
fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_control()) {
        return text.into();
    }
    let is_visible =
        |letter: &char| !matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let spaced = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let visible: String = spaced.filter(is_visible).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&visible).into_owned().into()
}

/// Text in a charset of old Korean and Japanese pages. All byte pairs of Korean lie above `A0`,
/// where `Shift_JIS` has only half-width letters.
fn old_charset(bytes: &[u8]) -> Cow<'_, str> {
    let high = bytes.iter().filter(|byte| !byte.is_ascii());
    let is_korean = high.clone().all(|byte| *byte > 0xa0);
    // Japanese in EUC has most of its letters in rows that Korean does not use.
    let kana = high.filter(|byte| matches!(byte, 0xa4 | 0xa5)).count();
    let order: [usize; 3] = match (is_korean, kana > 0) {
        (true, true) => [2, 0, 1],
        (true, false) => [0, 2, 1],
        (false, _) => [1, 0, 2],
    };
    let decoded = order.iter().find_map(|place| {
        CHARSETS[*place].decode_without_bom_handling_and_without_replacement(bytes)
    });
    decoded.unwrap_or_else(|| String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> bool {
        name.starts_with("utm_") || name == "gclid"
    }

    fn check(query: &str, expected: &[(&str, &str)]) {
        let parts = split(query, &known).into_iter().map(|part| read(part, &known));
        let found: Vec<_> = parts.map(|pair| (pair.name, pair.value)).collect();
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{query}");
    }

    #[test]
    fn separators() {
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a=1;b=2", &[("a", "1;b=2")]);
        check("a=1?b=2", &[("a", "1?b=2")]);
        check(
            "a=1;utm_source=x;utm_medium=y",
            &[("a", "1"), ("utm_source", "x"), ("utm_medium", "y")],
        );
        check("a=1?utm_source=x", &[("a", "1"), ("utm_source", "x")]);
        check("?utm_source=x", &[("", ""), ("utm_source", "x")]);
        check("%26utm_source%3Dx", &[("", ""), ("utm_source", "x")]);
        check("a=1%3Futm_source%3Dx%26gclid=7", &[("a", "1"), ("utm_source", "x"), ("gclid", "7")]);
        check("a=1%2526utm_source%253Dx", &[("a", "1"), ("utm_source", "x")]);
        check("utm_source[0]=x&UTM_Medium%5B%5D=y", &[("utm_source", "x"), ("utm_medium", "y")]);
        check("a=1&amp;utm_source=x", &[("a", "1"), ("utm_source", "x")]);
        check("a=1&amp;b=x", &[("a", "1"), ("b", "x")]);
        check("utm_source", &[("utm_source", "")]);
        check("q=50%25%3Futm", &[("q", "50%?utm")]);
        check("%75tm_source=x", &[("utm_source", "x")]);
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/landing&utm_source=x&utm_medium=y", Some(("/landing", "utm_source=x&utm_medium=y"))),
            ("/landing%3Futm_source=x", Some(("/landing", "utm_source=x"))),
            ("/landing;utm_source=x", Some(("/landing", "utm_source=x"))),
            ("/landing&more=x", None),
            ("/landing;jsessionid=1", None),
            ("/a%20b", None),
        ] {
            let found = in_path(path, &known).map(|(end, from)| (&path[..end], &path[from..]));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn charsets() {
        check("utm_term=%B9%AB%BD%C5%BB%E7", &[("utm_term", "무신사")]);
        check("utm_term=%83%8D%83%93%83%68%83%93", &[("utm_term", "ロンドン")]);
        check("utm_term=%C5%EC%B5%FE%A4%CE", &[("utm_term", "東京の")]);
        check("utm_term=%ff%fe", &[("utm_term", "\u{fffd}\u{fffd}")]);
        check("utm_term=e%CC%81te%CC%81", &[("utm_term", "été")]);
        check("utm_term=%E2%80%8Ba%EF%BB%BF", &[("utm_term", "a")]);
    }

    #[test]
    fn values_escaped_twice() {
        for (value, expected) in [
            ("a%20b", "a b"),
            ("50%", "50%"),
            ("50% off%20", "50% off%20"),
            ("%ff", "%ff"),
            ("a", "a"),
        ] {
            assert_eq!(unescaped(value), expected, "{value}");
        }
    }
}
