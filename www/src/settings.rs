//! The demo's settings: where the collector is, and the two secrets shared with it.
//!
//! The binary reads the environment, not this module. The clock is a setting, so that tests can
//! move the time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The time of day in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The system clock.
pub fn system_clock() -> Clock {
    Arc::new(|| jiff::Timestamp::now().as_millisecond())
}

/// The settings of all four parts. [`Settings::new`] has the defaults; change the fields as needed.
#[derive(Clone)]
pub struct Settings {
    /// The demo site's name in the collector's configuration: the tag's `data-site`.
    pub site: String,
    /// The URL in front of `/s.js` and `/p.gif`, for example `http://127.0.0.1:8080/c`.
    pub tracker_url: String,
    /// The collector's URL, as the form handler reaches it; `/v1/leads` is appended.
    pub collector_url: String,
    /// The form handler's API key.
    pub api_key: String,
    /// The secret that the collector signs webhooks with: `whsec_` and base64.
    pub webhook_secret: String,
    /// The demo site's URL as browsers see it; by default the address of its listener.
    pub public_site_url: Option<String>,
    /// The Content-Security-Policy of the demo site's pages; by default none is sent.
    pub content_security_policy: Option<String>,
    /// How often submissions that the collector has not accepted are sent again. If `None`, they
    /// wait for [`Demo::retry_waiting`](crate::Demo::retry_waiting).
    pub retry_every: Option<Duration>,
    /// The clock for receipt times, and for the age of webhooks.
    pub now: Clock,
}

impl Settings {
    /// Default settings: the site `demo`, a tracker under `/c` of the collector, a retry every ten
    /// seconds.
    pub fn new(collector_url: &str, api_key: &str, webhook_secret: &str) -> Self {
        let collector_url = collector_url.trim_end_matches('/');
        Self {
            site: "demo".to_owned(),
            tracker_url: format!("{collector_url}/c"),
            collector_url: collector_url.to_owned(),
            api_key: api_key.to_owned(),
            webhook_secret: webhook_secret.to_owned(),
            public_site_url: None,
            content_security_policy: None,
            retry_every: Some(Duration::from_secs(10)),
            now: system_clock(),
        }
    }
}

/// Shows everything but the secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("site", &self.site)
            .field("tracker_url", &self.tracker_url)
            .field("collector_url", &self.collector_url)
            .field("public_site_url", &self.public_site_url)
            .field("content_security_policy", &self.content_security_policy)
            .field("retry_every", &self.retry_every)
            .finish_non_exhaustive()
    }
}
