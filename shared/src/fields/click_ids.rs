//! The fields for the ids that advertising and analytics platforms give a click or a browser.

use super::facts::{Facts, OfLead};
use super::kind::FieldKind;
use super::recent_click_ids::{FBCLID, NAMES, WINDOW_MS};
use super::row::{Row, row};
use crate::ad_cookies::{AdCookies, GaSession};
use crate::time::rfc3339;
use serde_json::Value;

/// The fields of the platforms.
pub(super) const CLICK_IDS: [Row<OfLead>; 13] = [
    row(
        NAMES[0],
        FieldKind::Text(512),
        "Google click id",
        "Google Ads' id of the last click that had one.",
        |facts| facts.click_id(0),
    ),
    row(
        NAMES[1],
        FieldKind::Text(512),
        "Google click id, web to app",
        "Google Ads' id of the last click that led from the web to an app.",
        |facts| facts.click_id(1),
    ),
    row(
        NAMES[2],
        FieldKind::Text(512),
        "Google click id, app to web",
        "Google Ads' id of the last click that led from an app to the web.",
        |facts| facts.click_id(2),
    ),
    row(
        NAMES[3],
        FieldKind::Text(512),
        "Microsoft click id",
        "Microsoft Advertising's id of the last click that had one.",
        |facts| facts.click_id(3),
    ),
    row(
        NAMES[FBCLID],
        FieldKind::Text(512),
        "Meta click id",
        "Meta's id of the last click that had one, paid or not.",
        |facts| facts.click_id(FBCLID),
    ),
    row(
        NAMES[5],
        FieldKind::Text(512),
        "LinkedIn click id",
        "LinkedIn's id of the last click that had one.",
        |facts| facts.click_id(5),
    ),
    row(
        NAMES[6],
        FieldKind::Text(512),
        "TikTok click id",
        "TikTok's id of the last click that had one.",
        |facts| facts.click_id(6),
    ),
    row(
        "fbc",
        FieldKind::Text(512),
        "Meta click cookie",
        "Meta's `_fbc` cookie if it is at most 90 days old and not of an earlier click than the last `fbclid`; otherwise the same value built from that `fbclid` and its time.",
        |facts| {
            let seen = facts.click_ids[FBCLID];
            let made = seen.map(|(at_ms, fbclid)| format!("fb.1.{at_ms}.{fbclid}"));
            let cookie = facts.ad_cookies().and_then(|cookies| cookies.fbc.clone());
            let cookie = cookie.filter(|cookie| is_of_now(cookie, seen, facts.converted_at_ms()));
            cookie.or(made).into()
        },
    ),
    row("fbp", FieldKind::Text(512), "Meta browser cookie", "Meta's `_fbp` cookie.", |facts| {
        facts.ad_cookies().and_then(|cookies| cookies.fbp.as_deref()).into()
    }),
    row(
        "click_id_at",
        FieldKind::Time,
        "Click id at",
        "When the newest of these click ids was seen.",
        |facts| facts.click_ids.iter().flatten().map(|(at_ms, _)| *at_ms).max().map(rfc3339).into(),
    ),
    row(
        "ga_client_id",
        FieldKind::Text(64),
        "Google Analytics client id",
        "The browser's client id in Google Analytics.",
        |facts| facts.ad_cookies().and_then(|cookies| cookies.ga_client_id.as_deref()).into(),
    ),
    row(
        "ga_session_id",
        FieldKind::Text(32),
        "Google Analytics session id",
        "The browser's session id in Google Analytics.",
        |facts| facts.ga_session().map(|session| session.id.as_str()).into(),
    ),
    row(
        "ga_session_number",
        FieldKind::Integer,
        "Google Analytics session number",
        "The number of that session among the browser's sessions.",
        |facts| facts.ga_session().and_then(|session| session.number).into(),
    ),
];

/// Whether a `_fbc` cookie falls into the window before the conversion and is not of an earlier
/// click than the last `fbclid` seen. The cookie may be outdated, because Meta's script may not
/// have seen later clicks. Its third part is its time, its fourth the click id.
fn is_of_now(cookie: &str, seen: Option<(i64, &str)>, converted_at_ms: i64) -> bool {
    let mut parts = cookie.splitn(4, '.').skip(2);
    let at_ms: Option<i64> = parts.next().and_then(|time| time.parse().ok());
    let Some(at_ms) = at_ms else { return false };
    let is_newest =
        seen.is_none_or(|(seen_at_ms, id)| at_ms >= seen_at_ms || parts.next() == Some(id));
    is_newest && converted_at_ms.saturating_sub(at_ms) <= WINDOW_MS
}

impl<'a> Facts<'a> {
    fn converted_at_ms(&self) -> i64 {
        self.conversion.map_or(i64::MAX, |last| last.at_ms)
    }

    fn ad_cookies(&self) -> Option<&'a AdCookies> {
        self.browser.map(|browser| &browser.ad_cookies)
    }

    fn ga_session(&self) -> Option<&'a GaSession> {
        self.ad_cookies()?.ga_session.as_ref()
    }

    fn click_id(&self, place: usize) -> Value {
        self.click_ids[place].map(|(_, value)| value).into()
    }
}
