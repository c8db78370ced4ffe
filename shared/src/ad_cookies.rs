//! The cookies of advertising and analytics tools, if the page's script tag lets the tracker read
//! them: they hold the ids by which those tools know the browser.
//!
//! The browser sends the raw values; this module parses them. Google Analytics keeps the client id
//! in `_ga` and the session in `_ga_` plus the property's name; Meta keeps the browser in `_fbp`
//! and the click in `_fbc`.

use crate::limits;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// A Google Analytics session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GaSession {
    /// Digits: the Unix time in seconds at which it began.
    pub id: String,
    /// Its number among the browser's sessions.
    pub number: Option<u32>,
}

/// The ids found in a browser.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AdCookies {
    /// Google Analytics' client id, such as `1234567890.1700000000`.
    pub ga_client_id: Option<String>,
    /// The Google Analytics session. Id and number belong together, so both change together.
    pub ga_session: Option<GaSession>,
    /// Meta's click id, such as `fb.1.1793606000000.AbCd`, at most `limits::CLICK_ID_BYTES`.
    pub fbc: Option<String>,
    /// Meta's browser id, such as `fb.1.1793600000000.1234567890`, at most
    /// `limits::CLICK_ID_BYTES`.
    pub fbp: Option<String>,
}

impl AdCookies {
    /// Parses the values of the cookies `_ga`, `_ga_…`, `_fbc` and `_fbp`. Values that do not have
    /// the tool's format are ignored.
    pub fn read(ga: &str, session: &str, fbc: &str, fbp: &str) -> Self {
        Self {
            ga_client_id: ga_client_id(ga),
            ga_session: ga_session(session),
            fbc: meta(fbc),
            fbp: meta(fbp),
        }
    }

    /// Takes the ids of a newer report; ids that it lacks stay.
    pub fn take(&mut self, newer: Self) {
        let Self { ga_client_id, ga_session, fbc, fbp } = newer;
        self.ga_client_id = ga_client_id.or_else(|| self.ga_client_id.take());
        self.ga_session = ga_session.or_else(|| self.ga_session.take());
        self.fbc = fbc.or_else(|| self.fbc.take());
        self.fbp = fbp.or_else(|| self.fbp.take());
    }
}

/// The longest client id and session id, which are also the lengths of their fields.
const GA_CLIENT_ID_BYTES: usize = 64;
const GA_SESSION_ID_BYTES: usize = 32;

/// The last two of at least four parts of `_ga`. The parts before them grow with the depth of the
/// domain.
fn ga_client_id(cookie: &str) -> Option<String> {
    let mut parts = cookie.rsplitn(4, '.');
    let (second, first) = (parts.next()?, parts.next()?);
    let is_whole = parts.count() == 2 && is_number(first) && is_number(second);
    let id = format!("{first}.{second}");
    (is_whole && id.len() <= GA_CLIENT_ID_BYTES).then_some(id)
}

/// The session in a `_ga_…` cookie, in the format used until 2025 (parts in a fixed order) or the
/// one since (parts marked by their first letter, in any order).
fn ga_session(cookie: &str) -> Option<GaSession> {
    let cookie = percent_decode_str(cookie).decode_utf8().ok()?;
    let mut parts = cookie.splitn(3, '.');
    let (version, _, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (id, number) = match version {
        "GS1" => {
            let mut parts = rest.split('.');
            (parts.next(), parts.next())
        }
        "GS2" => {
            let part = |letter| rest.split('$').find_map(|part| part.strip_prefix(letter));
            (part('s'), part('o'))
        }
        _ => return None,
    };
    let id = id.filter(|id| is_number(id) && id.len() <= GA_SESSION_ID_BYTES)?;
    let number = number.filter(|number| is_number(number)).and_then(|number| number.parse().ok());
    Some(GaSession { id: id.to_owned(), number })
}

/// Checks the format: `fb`, the depth of the domain, the time of creation in Unix milliseconds, and
/// the id.
fn meta(cookie: &str) -> Option<String> {
    let mut parts = cookie.splitn(4, '.');
    let has_form = parts.next() == Some("fb")
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(is_number)
        && parts
            .next()
            .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_graphic()));
    (has_form && cookie.len() <= limits::CLICK_ID_BYTES).then(|| cookie.to_owned())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients() {
        let check = |cookie: &str, expected: Option<&str>| {
            assert_eq!(ga_client_id(cookie).as_deref(), expected, "{cookie}");
        };
        check("GA1.1.1234567890.1700000000", Some("1234567890.1700000000"));
        check("GA1.2.1234567890.1700000000", Some("1234567890.1700000000"));
        check("GA1.3-2.1234567890.1700000000", Some("1234567890.1700000000"));
        check("GA1.1.a.1234567890.1700000000", Some("1234567890.1700000000"));
        check("1.1234567890.1700000000", None);
        check("GA1.1.1234567890.x", None);
        check("GA1.1..1700000000", None);
        check("deleted", None);
        check("", None);
        check(&format!("GA1.1.{}.1700000000", "1".repeat(60)), None);
    }

    #[test]
    fn sessions() {
        let check = |cookie: &str, expected: Option<(&str, Option<u32>)>| {
            let session = ga_session(cookie);
            let found = session.as_ref().map(|found| (found.id.as_str(), found.number));
            assert_eq!(found, expected, "{cookie}");
        };
        check("GS1.1.1700000123.4.1.1700000456.0.0.0", Some(("1700000123", Some(4))));
        check("GS2.1.s1700000123$o4$g1$t1700000456$j60$l0$h0", Some(("1700000123", Some(4))));
        check("GS2.1.s1700000123$o4$g1$t1700000456$j60$l0$h0$dx", Some(("1700000123", Some(4))));
        check("GS2.1.o4$t1700000456$s1700000123", Some(("1700000123", Some(4))));
        check("GS2.1.s1700000123%24o4%24g1", Some(("1700000123", Some(4))));
        check("GS2.1.s1700000123$o4", Some(("1700000123", Some(4))));
        check("GS2.1.s1700000123", Some(("1700000123", None)));
        check("GS1.1.1700000123", Some(("1700000123", None)));
        check("GS1.1.1700000123.99999999999", Some(("1700000123", None)));
        check("GS2.1.o4", None);
        check("GS2.1.sx$o4", None);
        check("GS3.1.s1700000123$o4", None);
        check("GS3.x", None);
        check("GS1.1.abc", None);
        check("GS1", None);
        check("%ff", None);
        check("", None);
        check(&format!("GS2.1.s{}", "1".repeat(33)), None);
    }

    #[test]
    fn metas() {
        let check = |cookie: &str, valid: bool| {
            assert_eq!(meta(cookie), valid.then(|| cookie.to_owned()), "{cookie}");
        };
        check("fb.1.1793600000000.1234567890", true);
        check("fb.1.1793606000000.AbCd", true);
        check("fb.2.1793606000000.IwAR0-x_y.Bg", true);
        check("fb.1.1793606000000.", false);
        check("fb.1.1793606000000", false);
        check("fb.x.1793606000000.AbCd", false);
        check("fb.1.today.AbCd", false);
        check("fa.1.1793606000000.AbCd", false);
        check("fb.1.1793606000000.a b", false);
        check("", false);
        check(&format!("fb.1.1793606000000.{}", "a".repeat(500)), false);
    }

    #[test]
    fn what_is_newer_wins_where_there_is_something() {
        let session = |id: &str, number| Some(GaSession { id: id.into(), number });
        let mut known = AdCookies {
            ga_client_id: Some("1.2".into()),
            ga_session: session("1", Some(1)),
            fbc: None,
            fbp: Some("fb.1.1.1".into()),
        };
        known.take(AdCookies {
            ga_session: session("2", None),
            fbc: Some("fb.1.2.c".into()),
            ..AdCookies::default()
        });
        let expected = AdCookies {
            ga_client_id: Some("1.2".into()),
            ga_session: session("2", None),
            fbc: Some("fb.1.2.c".into()),
            fbp: Some("fb.1.1.1".into()),
        };
        assert_eq!(known, expected);
    }
}
