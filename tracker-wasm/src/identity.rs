//! The visitor's identity: the cookie, and the widest domain that it can be set on.
//!
//! The tracker has no list of public suffixes. Browsers refuse cookies on public suffixes, so it
//! tries the host's suffixes with a temporary cookie, shortest first, and uses the first one that
//! is accepted.

use crate::{
    browser::Browser,
    pieces::{cut_at, pieces},
};
use alloc::string::String;
use shared::{ids::VisitorId, limits, wire::encode::decimal};

const COOKIE: &str = "clew_id=";
const PROBE: &str = "clew_p=";

/// The visitor's identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    /// The visitor's id as text; the tracker needs no more.
    pub(crate) visitor: String,
    /// The cookie's domain; empty if the cookie is for the host alone.
    pub(crate) domain: String,
}

impl Identity {
    /// An identity that lasts as long as the page.
    pub(crate) fn passing(browser: &impl Browser) -> Self {
        Self {
            visitor: VisitorId::from_random(browser.random_bytes()).to_text(),
            domain: String::new(),
        }
    }

    /// Stores the identity in the cookie. If there is a cookie already, its visitor is used.
    pub(crate) fn keep(&mut self, browser: &impl Browser, host: &str, secure: bool) {
        if let Some(known) = read(&browser.cookies()) {
            self.visitor = known.to_text();
        }
        self.domain = widest_domain(browser, host);
        let age = i64::from(limits::COOKIE_SECONDS);
        browser.set_cookie(&cookie(COOKIE, &self.visitor, age, &self.domain, secure));
    }
}

/// The first valid visitor id among the cookies.
fn read(cookies: &str) -> Option<VisitorId> {
    values(cookies, COOKIE).find_map(VisitorId::parse)
}

/// The values of a cookie; there are several if it was set on several domains. `name` includes the
/// `=`, or is a prefix, and then the rest of the cookie's name is in front of the value.
pub(crate) fn values<'a>(cookies: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    pieces(cookies, b';')
        .filter_map(move |pair| pair.strip_prefix(" ").unwrap_or(pair).strip_prefix(name))
}

/// The domains to try: the host's suffixes of two or more labels, shortest first. IP addresses,
/// single labels and names that end in a dot have none.
fn candidates(host: &str) -> impl Iterator<Item = &str> {
    let is_name = host.bytes().last().is_some_and(|byte| byte.is_ascii_alphabetic())
        && cut_at(host, b':').1.is_none();
    let end = if is_name { host.len() } else { 0 };
    (0..end).rev().filter_map(move |start| {
        let begins = start == 0 || host.as_bytes().get(start - 1) == Some(&b'.');
        host.get(start..).filter(|suffix| begins && cut_at(suffix, b'.').1.is_some())
    })
}

fn widest_domain(browser: &impl Browser, host: &str) -> String {
    // The value is new each time, so that another tab's probe is not mistaken for this one.
    let value = VisitorId::from_random(browser.random_bytes()).to_text();
    for domain in candidates(host) {
        browser.set_cookie(&cookie(PROBE, &value, 10, domain, false));
        let stuck = values(&browser.cookies(), PROBE).any(|found| found == value);
        if stuck {
            browser.set_cookie(&cookie(PROBE, "", 0, domain, false));
            return String::from(domain);
        }
    }
    String::new()
}

fn cookie(name: &str, value: &str, age: i64, domain: &str, secure: bool) -> String {
    let mut text = String::from(name);
    text.push_str(value);
    text.push_str(";Path=/;SameSite=Lax;Max-Age=");
    text.push_str(&decimal(age));
    if !domain.is_empty() {
        text.push_str(";Domain=");
        text.push_str(domain);
    }
    if secure {
        text.push_str(";Secure");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const ID: &str = "0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11";

    #[test]
    fn cookies_are_read() {
        let check = |cookies: &str, expected: Option<&str>| {
            assert_eq!(read(cookies).map(VisitorId::to_text).as_deref(), expected, "{cookies}");
        };
        check("", None);
        check("a=1; clew_id=0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11; b=2", Some(ID));
        check("clew_id=0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11", Some(ID));
        check("xclew_id=0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11", None);
        check("clew_id=nonsense; clew_id=0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11", Some(ID));
        check("clew_id=; clew_id", None);
    }

    #[test]
    fn domains_to_try() {
        let check = |host: &str, expected: &[&str]| {
            assert_eq!(candidates(host).collect::<std::vec::Vec<_>>(), expected, "{host}");
        };
        check(
            "www.shop.example.co.uk",
            &["co.uk", "example.co.uk", "shop.example.co.uk", "www.shop.example.co.uk"],
        );
        check("example.com", &["example.com"]);
        check("localhost", &[]);
        check("127.0.0.1", &[]);
        check("[::1]", &[]);
        check("example.com.", &[]);
        check("", &[]);
        check("xn--p1ai", &[]);
        check("shop.xn--p1ai", &["shop.xn--p1ai"]);
    }

    #[test]
    fn the_widest_domain_is_kept() {
        let check = |host: &str, suffixes: &[&'static str], secure: bool, cookie: &str| {
            let browser = Fake::new();
            browser.state.borrow_mut().public_suffixes = suffixes.to_vec();
            let mut identity = Identity::passing(&browser);
            identity.keep(&browser, host, secure);
            let id = &identity.visitor;
            let expected =
                std::format!("clew_id={id};Path=/;SameSite=Lax;Max-Age=34560000{cookie}");
            assert_eq!(browser.state.borrow().last_cookie, expected, "{host}");
            assert!(!browser.cookies().contains("clew_p"), "the probe is taken away");
        };
        check("www.example.co.uk", &["co.uk", "uk"], true, ";Domain=example.co.uk;Secure");
        check("www.example.com", &["com"], false, ";Domain=example.com");
        check("a.github.io", &["github.io"], true, ";Domain=a.github.io;Secure");
        check("github.io", &["github.io"], true, ";Secure");
        check("127.0.0.1", &[], false, "");
    }

    #[test]
    fn a_known_visitor_stays() {
        let browser = Fake::new();
        browser.set_cookie(&std::format!("clew_id={ID}"));
        let mut identity = Identity::passing(&browser);
        identity.keep(&browser, "example.com", false);
        assert_eq!(identity.visitor, ID);
    }
}
