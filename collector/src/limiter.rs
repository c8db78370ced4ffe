//! Rate limits for clients, visitors and persons, and daily limits for sites.
//!
//! The rates use GCRA by the crate `governor`, on this program's clock. Keys are hashes, and are
//! forgotten once their full allowance is restored, so memory is bounded by what was admitted. The
//! state is local to the process: each of several collectors grants the full limits.

mod day;
mod rate;

use crate::config::RatesConfig;
use crate::settings::Settings;
use clew_core::Clock;
use day::Day;
use rate::{Rate, Steady};
use shared::ids::{SiteId, VisitorId};
use shared::limits::DAY_MS;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// If the clock is set back by more than this, all limits start afresh, so that nobody waits longer.
const SET_BACK_MS: i64 = 1_000;
const HOUR_SECONDS: u32 = 3_600;
/// An event that names a person costs as much as this many events: parsing a phone number takes
/// milliseconds if its country's patterns are not loaded.
const PERSON_EVENTS: usize = 20;

/// The rate limiter of all sites.
pub struct Limiter {
    clock: Clock,
    sites: Mutex<HashMap<SiteId, Arc<SiteLimits>>>,
    latest_ms: AtomicI64,
}

/// A limit was exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limited {
    /// Which limit: `client`, `visitor`, `site_day` or `person`.
    pub by: &'static str,
    /// When to retry, in seconds.
    pub retry_after_s: u64,
}

/// One batch that asks for admission.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The client that sent it.
    pub client: Option<IpAddr>,
    /// Its visitor.
    pub visitor: VisitorId,
    /// Number of events.
    pub events: usize,
    /// Number of events that name a person and are processed.
    pub persons: usize,
    /// Size of the body.
    pub bytes: usize,
}

/// The state of one site.
struct SiteLimits {
    config: RatesConfig,
    clients: Option<Rate>,
    visitors: Option<Rate>,
    persons: Option<Rate>,
    day: Mutex<Day>,
}

impl Limiter {
    /// Creates a limiter with all allowances full.
    pub fn new(clock: Clock) -> Self {
        let latest_ms = AtomicI64::new(i64::MIN);
        Self { clock, sites: Mutex::default(), latest_ms }
    }

    /// Admits a batch or says when to retry. A batch refused by its visitor's rate still counts for
    /// its client; refused batches never count for the site's day.
    ///
    /// # Errors
    /// [`Limited`].
    pub fn batch(&self, settings: &Settings, site: &SiteId, load: Load) -> Result<(), Limited> {
        let limits = self.site(settings, site);
        let now_ms = self.clock.now_ms();
        let (events, bytes) = (load.events as u64, load.bytes as u64);
        let cost = load.events + load.persons * (PERSON_EVENTS - 1);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        limits.day_has_room(now_ms, events, bytes)?;
        if let Some(rate) = &limits.clients {
            // Clients without a known address share one allowance.
            let key = load.client.map_or(0, network);
            rate.take(key, cost).map_err(limited("client"))?;
        }
        if let Some(rate) = &limits.visitors {
            let key = xxh3_64(load.visitor.as_bytes());
            rate.take(key, cost).map_err(limited("visitor"))?;
        }
        limits.spend(site, now_ms, events, bytes);
        Ok(())
    }

    /// Whether pages may name this person again.
    pub fn person(&self, settings: &Settings, site: &SiteId, identity: &str) -> bool {
        let limits = self.site(settings, site);
        let key = xxh3_64(identity.as_bytes());
        limits.persons.as_ref().is_none_or(|rate| rate.is_small() && rate.take(key, 1).is_ok())
    }

    /// The state of a site; it starts afresh if the site's limits have changed.
    fn site(&self, settings: &Settings, site: &SiteId) -> Arc<SiteLimits> {
        let own = settings.site(site.as_str()).map(|site| site.config.rates).unwrap_or_default();
        let config = settings.config.rates.of_site(own);
        let now_ms = self.clock.now_ms();
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if self.latest_ms.swap(now_ms, Ordering::Relaxed) > now_ms.saturating_add(SET_BACK_MS) {
            sites.clear();
        }
        let known = sites.get(site).filter(|limits| limits.config == config);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        let new = Arc::new(SiteLimits::new(config, &Steady::of(&self.clock)));
        sites.insert(site.clone(), Arc::clone(&new));
        new
    }
}

impl SiteLimits {
    fn new(config: RatesConfig, clock: &Steady) -> Self {
        let per_second = |rate, burst| Rate::new(rate, 1, burst, clock.clone());
        Self {
            clients: per_second(config.client_per_second, config.client_burst),
            visitors: per_second(config.visitor_per_second, config.visitor_burst),
            persons: Rate::new(
                config.person_per_hour,
                HOUR_SECONDS,
                config.person_per_hour,
                clock.clone(),
            ),
            day: Mutex::default(),
            config,
        }
    }

    fn day_has_room(&self, now_ms: i64, events: u64, bytes: u64) -> Result<(), Limited> {
        let day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = day.has_room(&self.config, now_ms, events, bytes);
        drop(day);
        if has_room {
            return Ok(());
        }
        let retry_after_s = ((DAY_MS - now_ms.rem_euclid(DAY_MS)) / 1000).unsigned_abs();
        Err(Limited { by: "site_day", retry_after_s: retry_after_s.max(1) })
    }

    fn spend(&self, site: &SiteId, now_ms: i64, events: u64, bytes: u64) {
        let mut day = self.day.lock().unwrap_or_else(PoisonError::into_inner);
        let warns = day.spend(&self.config, now_ms, events, bytes);
        drop(day);
        if warns {
            tracing::warn!(
                %site,
                "the site has used more than 80 % of its daily limit (rates.site_events_per_day, \
                 rates.site_mib_per_day)"
            );
        }
    }
}

fn limited(by: &'static str) -> impl Fn(u64) -> Limited {
    move |retry_after_s| Limited { by, retry_after_s }
}

/// The key of a client: its IPv4 address, or the /64 of its IPv6 address, which is one household.
fn network(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => xxh3_64(&address.octets()),
        IpAddr::V6(address) => xxh3_64(&address.octets()[..8]),
    }
}

#[cfg(test)]
mod tests;
