//! The settings as work with them goes: one configuration with everything that is computed from it.
//!
//! A snapshot: it never changes. A second reading of the configuration makes another one, and what
//! began with one ends with it.

use crate::config::{Config, DestinationConfig, SiteConfig};
use crate::outbox::sign::SigningKey;
use crate::seal::Seal;
use crate::token::Tokens;
use anyhow::{Result, anyhow};
use shared::bot::Bots;
use shared::ids::SiteId;
use shared::lead::Country;
use shared::source::{OwnHosts, Rules};
use std::collections::HashMap;
use std::sync::Arc;

/// What a reading of the configuration came to.
pub struct Settings {
    /// As written.
    pub config: Config,
    /// The rules that label page views.
    pub rules: Rules,
    /// What tells programs from people.
    pub bots: Bots,
    /// Sealed tokens.
    pub tokens: Tokens,
    /// What seals secrets that the store keeps.
    pub seal: Arc<Seal>,
    sites: HashMap<SiteId, Site>,
    destinations: Vec<Arc<Destination>>,
}

/// A site with what is computed from its settings once.
pub struct Site {
    /// The settings.
    pub config: SiteConfig,
    /// Its hosts in the form that they are compared in.
    pub hosts: OwnHosts,
}

/// A place that leads are delivered to, with its key ready.
pub struct Destination {
    /// The settings.
    pub config: DestinationConfig,
    /// What its webhooks are signed with.
    pub key: SigningKey,
}

impl Destination {
    /// Its name in deliveries.
    pub fn name(&self) -> &str {
        &self.config.name
    }
}

impl Settings {
    /// Computes what a configuration comes to.
    ///
    /// # Errors
    /// A token key or destination secret that cannot be used, or rules that cannot be read.
    pub fn new(config: Config) -> Result<Self> {
        let tokens = Tokens::new(&config.token_keys).map_err(anyhow::Error::msg)?;
        let seal = Arc::new(Seal::new(&config.token_keys).map_err(anyhow::Error::msg)?);
        let site = |site: &SiteConfig| {
            let hosts = OwnHosts::new(site.hosts.iter().map(String::as_str));
            (site.name.clone(), Site { config: site.clone(), hosts })
        };
        let sites = config.sites.iter().map(site).collect();
        let destination = |config: &DestinationConfig| {
            let key = SigningKey::parse(&config.secret);
            let key = key.map_err(|error| anyhow!("destination `{}`: {error}", config.name))?;
            Ok(Arc::new(Destination { config: config.clone(), key }))
        };
        let destinations = config.destinations.iter().map(destination).collect::<Result<_>>()?;
        let (rules, bots) = (config.rules.read()?, config.rules.read_bots()?);
        Ok(Self { rules, bots, tokens, seal, sites, destinations, config })
    }

    /// A site by the name that a browser sent.
    pub fn site(&self, name: &str) -> Option<&Site> {
        SiteId::parse(name).and_then(|name| self.sites.get(&name))
    }

    /// Where a site's phone numbers are from that do not say it.
    pub fn country(&self, site: &SiteId) -> Option<Country> {
        self.sites.get(site).and_then(|site| site.config.country)
    }

    /// The names of the destinations of a site's leads.
    pub fn destinations(&self, site: &SiteId) -> Vec<String> {
        self.named(|of| of == site)
    }

    /// The names of the destinations of all sites.
    pub fn every_destination(&self) -> Vec<String> {
        self.named(|_| true)
    }

    fn named(&self, wanted: impl Fn(&SiteId) -> bool) -> Vec<String> {
        let webhooks = self.config.destinations.iter().map(|to| (&to.site, &to.name));
        let crms = self.config.crm.iter().map(|crm| (&crm.site, &crm.name));
        let wanted = webhooks.chain(crms).filter(|(site, _)| wanted(site));
        wanted.map(|(_, name)| name.clone()).collect()
    }

    /// A webhook by its name in deliveries.
    pub fn destination(&self, name: &str) -> Option<&Arc<Destination>> {
        self.destinations.iter().find(|destination| destination.name() == name)
    }
}
