//! What a browser says of itself beside what it shows: language, name, consent, other tools' ids.

use crate::ad_cookies::AdCookies;
use serde::{Deserialize, Serialize};

/// What a browser says of itself. A visitor's record keeps the latest, a conversion what was the
/// latest then.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct VisitorContext {
    /// `navigator.language`, or empty.
    pub language: String,
    /// The `User-Agent` header, or empty.
    pub user_agent: String,
    /// `granted`, `denied` or empty.
    pub consent: String,
    /// Global Privacy Control.
    pub gpc: bool,
    /// Do Not Track.
    pub dnt: bool,
    /// What other tools know the browser by; each id is the latest that was told.
    pub ad_cookies: AdCookies,
}

impl VisitorContext {
    /// Takes what the browser says of itself now.
    pub fn renew(&mut self, newer: Self) {
        let mut ad_cookies = std::mem::take(&mut self.ad_cookies);
        ad_cookies.take(newer.ad_cookies);
        *self = Self { ad_cookies, ..newer };
    }
}
