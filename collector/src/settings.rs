//! The settings as work with them goes: one configuration with everything that is computed from it.
//!
//! A snapshot: it never changes. A second reading of the configuration makes another one, and what
//! began with one ends with it.

use crate::config::{Config, DestinationConfig, InboundConfig, SiteConfig};
use crate::outbox::destinations::{Destination, Form};
use crate::outbox::sign::{SigningKey, SigningKeys};
use crate::seal::Seal;
use crate::secret::Secret;
use crate::store::DeliveryKind;
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
    inbound: Vec<Inbound>,
}

/// Somebody who tells of leads by webhook.
pub struct Inbound {
    /// The settings.
    pub config: InboundConfig,
    /// What its webhooks are signed with; `None` where only an API key opens it.
    pub keys: Option<SigningKeys>,
}

/// A site with what is computed from its settings once.
pub struct Site {
    /// The settings.
    pub config: SiteConfig,
    /// Its hosts in the form that they are compared in.
    pub hosts: OwnHosts,
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
            let DestinationConfig { name, url, secret, previous_secret, allow_private, .. } =
                config;
            let keys = keys([Some(secret), previous_secret.as_ref()]);
            Ok(Arc::new(Destination {
                name: name.clone(),
                url: url.clone(),
                allow_private: *allow_private,
                keys: keys.map_err(|error| anyhow!("destination `{name}`: {error}"))?,
                form: Form::Enveloped,
            }))
        };
        let destinations = config.destinations.iter().map(destination).collect::<Result<_>>()?;
        let inbound = |config: &InboundConfig| {
            let InboundConfig { name, secret, previous_secret, .. } = config;
            let keys = keys([secret.as_ref(), previous_secret.as_ref()]);
            let keys = keys.map_err(|error| anyhow!("inbound `{name}`: {error}"))?;
            let keys = (!keys.0.is_empty()).then_some(keys);
            Ok(Inbound { config: config.clone(), keys })
        };
        let inbound = config.inbound.iter().map(inbound).collect::<Result<_>>()?;
        let (rules, bots) = (config.rules.read()?, config.rules.read_bots()?);
        Ok(Self { rules, bots, tokens, seal, sites, destinations, inbound, config })
    }

    /// A site by the name that a browser sent.
    pub fn site(&self, name: &str) -> Option<&Site> {
        SiteId::parse(name).and_then(|name| self.sites.get(&name))
    }

    /// Where a site's phone numbers are from that do not say it.
    pub fn country(&self, site: &SiteId) -> Option<Country> {
        self.sites.get(site).and_then(|site| site.config.country)
    }

    /// The names of the destinations of a site's leads that are told of this. CRMs get leads alone.
    pub fn destinations(&self, site: &SiteId, kind: DeliveryKind) -> Vec<String> {
        let Config { destinations, crm, .. } = &self.config;
        let webhooks = destinations.iter().filter(|to| to.events.contains(&kind));
        let webhooks = webhooks.map(|to| (&to.site, &to.name));
        let crms = crm.iter().filter(|_| kind == DeliveryKind::Converted);
        let all = webhooks.chain(crms.map(|crm| (&crm.site, &crm.name)));
        all.filter(|(of, _)| *of == site).map(|(_, name)| name.clone()).collect()
    }

    /// The names of the destinations of all sites.
    pub fn every_destination(&self) -> Vec<String> {
        let Config { destinations, crm, .. } = &self.config;
        let webhooks = destinations.iter().map(|to| &to.name);
        webhooks.chain(crm.iter().map(|crm| &crm.name)).cloned().collect()
    }

    /// A webhook by its name in deliveries.
    pub fn destination(&self, name: &str) -> Option<&Arc<Destination>> {
        self.destinations.iter().find(|destination| destination.name == name)
    }
    /// An inbound webhook by its name.
    pub fn inbound(&self, name: &str) -> Option<&Inbound> {
        self.inbound.iter().find(|inbound| inbound.config.name == name)
    }
}

/// The keys of the secrets that there are.
fn keys(secrets: [Option<&Secret>; 2]) -> Result<SigningKeys, String> {
    secrets.into_iter().flatten().map(SigningKey::parse).collect::<Result<_, _>>().map(SigningKeys)
}
