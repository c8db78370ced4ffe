//! Names of persons, and the order of their parts.

/// The parts of a name as a CRM has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NameParts<'a> {
    /// The given names.
    pub first: Option<&'a str>,
    /// The family name, or the whole name if it cannot be divided.
    pub last: Option<&'a str>,
}

/// The full name. In Chinese, Japanese and Korean letters the family name comes first, and in Korean
/// nothing stands between the two.
pub(super) fn full(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let (Some(first), Some(last)) = (first, last) else {
        return first.or(last).map(str::to_owned);
    };
    Some(match script(first, last) {
        Script::Hangul => format!("{last}{first}"),
        Script::EastAsian => format!("{last} {first}"),
        Script::Other => format!("{first} {last}"),
    })
}

/// The parts of a full name. A Western name is divided in front of its last word, an East Asian one
/// behind its first; without a space it is not divided.
pub fn parts(full: &str) -> NameParts<'_> {
    let is_space = |letter: char| letter.is_whitespace();
    if script(full, full) == Script::Other {
        return match full.rsplit_once(is_space) {
            Some((first, last)) => NameParts { first: Some(first.trim_end()), last: Some(last) },
            None => NameParts { first: None, last: Some(full) },
        };
    }
    match full.split_once(is_space) {
        Some((last, first)) => NameParts { first: Some(first.trim_start()), last: Some(last) },
        None => NameParts { first: None, last: Some(full) },
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    EastAsian,
    Other,
}

/// The script of both parts of a name.
fn script(first: &str, last: &str) -> Script {
    let letters = || first.chars().chain(last.chars()).filter(|letter| letter.is_alphabetic());
    if letters().next().is_none() {
        Script::Other
    } else if letters().all(is_hangul) {
        Script::Hangul
    } else if letters().all(|letter| is_hangul(letter) || is_han_or_kana(letter)) {
        Script::EastAsian
    } else {
        Script::Other
    }
}

fn is_hangul(letter: char) -> bool {
    matches!(letter, '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7a3}')
}

fn is_han_or_kana(letter: char) -> bool {
    matches!(letter, '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        for (first, last, expected) in [
            (Some("Ann"), Some("Example"), Some("Ann Example")),
            (Some("太郎"), Some("山田"), Some("山田 太郎")),
            (Some("タロウ"), Some("ヤマダ"), Some("ヤマダ タロウ")),
            (Some("길동"), Some("홍"), Some("홍길동")),
            (Some("Taro"), Some("山田"), Some("Taro 山田")),
            (None, Some("山田"), Some("山田")),
            (Some("Ann"), None, Some("Ann")),
            (None, None, None),
        ] {
            assert_eq!(full(first, last).as_deref(), expected, "{first:?} {last:?}");
        }
    }

    #[test]
    fn divided_names() {
        for (name, first, last) in [
            ("Ann Example", Some("Ann"), Some("Example")),
            ("Ann Mary Example", Some("Ann Mary"), Some("Example")),
            ("Ann", None, Some("Ann")),
            ("山田 太郎", Some("太郎"), Some("山田")),
            ("山田\u{3000}太郎", Some("太郎"), Some("山田")),
            ("홍길동", None, Some("홍길동")),
            ("홍 길동", Some("길동"), Some("홍")),
        ] {
            assert_eq!(parts(name), NameParts { first, last }, "{name}");
        }
    }
}
