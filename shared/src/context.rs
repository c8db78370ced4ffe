//! What a browser reports about itself: language, user agent, consent, and the ids that other tools
//! gave it.

use crate::ad_cookies::AdCookies;
use serde::{Deserialize, Serialize};

/// What a browser reports about itself. The visitor's record keeps the latest; a conversion keeps
/// the one of its time.
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
    /// The ids that other tools gave the browser; the latest of each.
    pub ad_cookies: AdCookies,
}

impl VisitorContext {
    /// Replaces everything with the newer report, but keeps ad cookies that the newer one lacks.
    pub fn renew(&mut self, newer: Self) {
        let mut ad_cookies = std::mem::take(&mut self.ad_cookies);
        ad_cookies.take(newer.ad_cookies);
        *self = Self { ad_cookies, ..newer };
    }
}
