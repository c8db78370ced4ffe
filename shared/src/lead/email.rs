//! E-mail addresses as people type them.

use super::raw::RawReason;
use super::text::visible;
use crate::limits;
use icu_normalizer::ComposingNormalizerBorrowed;

/// What pasted links begin with.
const MAILTO: &str = "mailto:";
/// Carriers whose customers still have addresses that the standard forbids.
const ODD_CARRIERS: [&str; 3] = ["docomo.ne.jp", "ezweb.ne.jp", "au.com"];

/// Normalises an e-mail address to the form in [`super::Contact::identities`]; `None` if it is not valid.
pub fn email_identity(email: &str) -> Option<String> {
    normal_email(email).ok().map(|email| email.to_lowercase())
}

/// Dots and `+tags` of the local part stay: whether they matter depends on the mail server.
pub(super) fn normal_email(typed: &str) -> Result<String, RawReason> {
    let mut email = visible(typed);
    if email.chars().any(|letter| matches!(letter, '\u{ff01}'..='\u{ff5e}' | '\u{3002}')) {
        // As Japanese keyboards write it.
        email = ComposingNormalizerBorrowed::new_nfkc().normalize(&email).into_owned();
    }
    let is_link = email.get(..MAILTO.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAILTO));
    let email = if is_link { email[MAILTO.len()..].trim() } else { email.as_str() };
    if email.len() > limits::EMAIL_BYTES {
        return Err(RawReason::TooLong);
    }
    let (local, domain) = email.rsplit_once('@').ok_or(RawReason::NotAnEmail)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| RawReason::NotAnEmail)?;
    let domain = domain.trim_end_matches('.');
    let normal = format!("{local}@{domain}");
    if normal.len() > limits::EMAIL_BYTES {
        return Err(RawReason::TooLong);
    }
    // What is checked has no more of what some carriers allowed and the standard does not.
    let checked = match is_odd_carrier(domain) {
        true => format!("{}@{domain}", standard_dots(local)),
        false => format!("{}@{domain}", standard_letters(local)),
    };
    // As for public e-mail: a domain with a dot, no IP address, no display name.
    let options = email_address::Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    match email_address::EmailAddress::parse_with_options(&checked, options) {
        Ok(_) => Ok(normal),
        Err(_) => Err(RawReason::NotAnEmail),
    }
}

/// Whether a Japanese carrier gave out addresses with dots in a row or before the `@`.
fn is_odd_carrier(domain: &str) -> bool {
    ODD_CARRIERS.iter().any(|carrier| {
        domain.strip_suffix(carrier).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

fn standard_dots(local: &str) -> String {
    let parts: Vec<&str> = local.split('.').filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

/// The local part with a plain letter for every letter and mark of other scripts: the crate knows
/// letters, but not the marks that Indian scripts write on them.
fn standard_letters(local: &str) -> String {
    let is_other = |letter: char| !letter.is_ascii() && !letter.is_whitespace();
    local.chars().map(|letter| if is_other(letter) { 'x' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An e-mail as typed, as it is kept, and as it is found by.
    fn check(typed: &str, expected: Result<(&str, &str), RawReason>) {
        let kept = normal_email(typed);
        let identity = email_identity(typed);
        let found = match (&kept, &identity) {
            (Ok(kept), Some(identity)) => Ok((kept.as_str(), identity.as_str())),
            (Err(reason), None) => Err(*reason),
            _ => panic!("{typed}: {kept:?} {identity:?}"),
        };
        assert_eq!(found, expected, "{typed}");
    }

    #[test]
    fn emails() {
        check(" Lead@EXAMPLE.com ", Ok(("Lead@example.com", "lead@example.com")));
        check("\tlead@example.com\r\n", Ok(("lead@example.com", "lead@example.com")));
        check("\u{a0}lead@example.com\u{200b}", Ok(("lead@example.com", "lead@example.com")));
        check("lead@example.com.", Ok(("lead@example.com", "lead@example.com")));
        // nothing is folded that another person might have
        check("Lead+tag@example.com", Ok(("Lead+tag@example.com", "lead+tag@example.com")));
        check("l.e.ad@gmail.com", Ok(("l.e.ad@gmail.com", "l.e.ad@gmail.com")));
        check("lead@googlemail.com", Ok(("lead@googlemail.com", "lead@googlemail.com")));
        // one domain, however it is written
        let punycode = Ok(("lead@xn--bcher-kva.example", "lead@xn--bcher-kva.example"));
        check("lead@BÜCHER.example", punycode);
        check("lead@bücher.example", punycode);
        check("lead@bu\u{308}cher.example", punycode);
        check("lead@xn--bcher-kva.example", punycode);
        check("lead@bücher。example", punycode);
        check("Jörg@example.com", Ok(("Jörg@example.com", "jörg@example.com")));
        check("O'Neill@example.com", Ok(("O'Neill@example.com", "o'neill@example.com")));
        for bad in [
            "nobody",
            "a@b@c",
            "a@b",
            "a@[127.0.0.1]",
            "@example.com",
            "lead@",
            "lead @example.com",
            "lead@exam ple.com",
            "lead@example..com",
            "lead@.example.com",
            "lead..x@example.com",
            "lead@example.com, other@example.com",
            "Lead <lead@example.com>",
            "lead@-x.example",
        ] {
            check(bad, Err(RawReason::NotAnEmail));
        }
        // One address, however it is typed.
        check("ju\u{308}rgen@x.example", Ok(("jürgen@x.example", "jürgen@x.example")));
        check("user＠full.example", Ok(("user@full.example", "user@full.example")));
        check("ｕｓｅｒ@full.example", Ok(("user@full.example", "user@full.example")));
        check("mailto:lead@example.com", Ok(("lead@example.com", "lead@example.com")));
        check("उदाहरण.परीक्ष@x.example", Ok(("उदाहरण.परीक्ष@x.example", "उदाहरण.परीक्ष@x.example")));
        // Some Japanese carriers gave out what the standard forbids.
        for odd in ["t..t@docomo.ne.jp", "s.@docomo.ne.jp", ".a@ezweb.ne.jp"] {
            check(odd, Ok((odd, odd)));
        }
        check(&format!("{}@example.com", "x".repeat(300)), Err(RawReason::TooLong));
        // 250 bytes, and more in punycode
        let long = format!("lead@{}example", "bücher.".repeat(29));
        assert!(long.len() <= limits::EMAIL_BYTES);
        check(&long, Err(RawReason::TooLong));
    }
}
