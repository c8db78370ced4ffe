//! What all stand-ins share: the time, ids and random numbers from a seed, and settings.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The start of a stand-in's fixed clock: Saturday, 21 November 2026, 10:00 UTC.
pub(crate) const START_MS: i64 = 1_795_255_200_000;

/// Settings of a stand-in. `POST /__test/settings` changes those that it names. Those marked with a
/// vendor have no effect on other vendors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The URL to which webhooks are sent, as set in the vendor's app.
    pub target_url: Option<String>,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret; HubSpot signs webhooks with it.
    pub client_secret: String,
    /// The refresh token that is valid at the start.
    pub refresh_token: String,
    /// The authorization code, valid once.
    pub authorization_code: String,
    /// Whether a refresh issues a new refresh token and ends the old one.
    pub rotate_refresh_tokens: bool,
    /// HubSpot: a service key, which does not expire.
    pub service_key: String,
    /// HubSpot: the scopes of tokens; `None` grants everything.
    pub scopes: Option<Vec<String>>,
    /// HubSpot: the limit of requests in ten seconds.
    pub burst: usize,
    /// HubSpot: the limit of searches in a second.
    pub searches_per_second: usize,
    /// The limit of requests in a day.
    pub daily: u64,
    /// How long every response takes.
    pub latency_ms: u64,
    /// Salesforce: the user that a signed assertion names.
    pub username: String,
    /// Salesforce: records per page of a query.
    pub page_size: usize,
    /// Salesforce: whether a new lead with a known e-mail is refused.
    pub duplicate_rule: bool,
    /// Salesforce: whether records have `CurrencyIsoCode`.
    pub multi_currency: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_url: None,
            client_id: "standin-client".to_owned(),
            client_secret: "standin-secret".to_owned(),
            refresh_token: "standin-refresh".to_owned(),
            authorization_code: "standin-code".to_owned(),
            rotate_refresh_tokens: true,
            service_key: "pat-standin".to_owned(),
            scopes: None,
            burst: 100,
            searches_per_second: 4,
            daily: 250_000,
            latency_ms: 0,
            username: "clew@example.com".to_owned(),
            page_size: 2000,
            duplicate_rule: true,
            multi_currency: false,
        }
    }
}

/// What vendors get with every request.
pub(crate) struct World {
    pub(crate) settings: Settings,
    /// `None` follows the machine's clock.
    fixed_ms: Option<i64>,
    offset_ms: i64,
    seed: u64,
    numbered: u64,
    drawn: u64,
}

impl World {
    pub(crate) const fn new(settings: Settings, fixed_ms: Option<i64>, seed: u64) -> Self {
        Self { settings, fixed_ms, offset_ms: 0, seed, numbered: 0, drawn: 0 }
    }

    /// The time, in milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        self.fixed_ms.unwrap_or_else(|| Timestamp::now().as_millisecond()) + self.offset_ms
    }

    /// Moves the clock to a time.
    pub(crate) fn set_now(&mut self, now_ms: i64) {
        self.offset_ms += now_ms - self.now_ms();
    }

    /// The next number of a series that depends on the seed, for ids.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.numbered += 1;
        self.seed.wrapping_mul(10_000) + 150 + self.numbered
    }

    /// 64 pseudo-random bits: splitmix64 of the seed and the number of draws.
    pub(crate) const fn random(&mut self) -> u64 {
        self.drawn += 1;
        let mut bits = (self.seed ^ 0x5DEE_CE66_D153_71C3)
            .wrapping_add(self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A UUID in its usual form.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFF,
            low >> 52,
            low & 0xFFFF_FFFF_FFFF
        )
    }
}

/// `2026-11-21T10:15:03.000Z`.
pub(crate) fn iso_ms(ms: i64) -> String {
    let stamp = Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{stamp:.3}")
}

/// Parses an ISO 8601 time with an offset.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Parses `YYYY-MM-DD` as midnight UTC.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    (text.len() == 10).then(|| parse_iso(&format!("{text}T00:00:00Z")))?
}
