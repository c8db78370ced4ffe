//! `[rates]`: rate limits for clients, visitors, persons and sites.

use anyhow::{Result, ensure};
use serde::Deserialize;

/// Rate limits of all sites; `[sites.rates]` overrides them for one site. 0 means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RatesConfig {
    /// Sustained events per second of one client address.
    pub client_per_second: u32,
    /// Burst of events of one client address.
    pub client_burst: u32,
    /// Sustained events per second of one visitor.
    pub visitor_per_second: u32,
    /// Burst of events of one visitor.
    pub visitor_burst: u32,
    /// How many times per hour pages may name the same person.
    pub person_per_hour: u32,
    /// Events of the site per day (UTC).
    pub site_events_per_day: u64,
    /// MiB of batches of the site per day (UTC).
    pub site_mib_per_day: u64,
}

/// A site's overrides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRatesConfig {
    client_per_second: Option<u32>,
    client_burst: Option<u32>,
    visitor_per_second: Option<u32>,
    visitor_burst: Option<u32>,
    person_per_hour: Option<u32>,
    site_events_per_day: Option<u64>,
    site_mib_per_day: Option<u64>,
}

impl RatesConfig {
    /// Applies a site's overrides.
    pub fn of_site(self, site: SiteRatesConfig) -> Self {
        Self {
            client_per_second: site.client_per_second.unwrap_or(self.client_per_second),
            client_burst: site.client_burst.unwrap_or(self.client_burst),
            visitor_per_second: site.visitor_per_second.unwrap_or(self.visitor_per_second),
            visitor_burst: site.visitor_burst.unwrap_or(self.visitor_burst),
            person_per_hour: site.person_per_hour.unwrap_or(self.person_per_hour),
            site_events_per_day: site.site_events_per_day.unwrap_or(self.site_events_per_day),
            site_mib_per_day: site.site_mib_per_day.unwrap_or(self.site_mib_per_day),
        }
    }

    /// # Errors
    /// If a setting is not valid; the error names it.
    pub(super) fn check(&self) -> Result<()> {
        for (name, per_second, burst) in [
            ("client", self.client_per_second, self.client_burst),
            ("visitor", self.visitor_per_second, self.visitor_burst),
        ] {
            ensure!(
                per_second == 0 || burst >= per_second,
                "rates: {name}_burst should be at least {name}_per_second"
            );
        }
        Ok(())
    }
}
