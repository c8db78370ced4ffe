//! The settings as work with them goes: one configuration with everything that is computed from it.
//!
//! A snapshot: it never changes. A second reading of the configuration makes another one, and what
//! began with one ends with it.

use crate::config::{Config, DestinationConfig, InboundConfig, SiteConfig};
use crate::signing::{SecretError, SigningKey, SigningKeys};
use crate::token::Tokens;
use anyhow::{Context, Result};
use clew_connect::connection::Surroundings;
use clew_connect::crm::CrmConfig;
use clew_connect::{Connection, Connections};
use clew_core::seal::Seal;
use clew_core::{Quiet, Secret};
use clew_store::StoreError;
use shared::bot::Bots;
use shared::ids::SiteId;
use shared::lead::Country;
use shared::source::{OwnHosts, Rules};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

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
    /// By their names in the configuration.
    webhooks: HashMap<String, Arc<Webhook>>,
    inbound: Vec<Inbound>,
}

/// A webhook, ready to be sent.
pub struct Webhook {
    /// Its address.
    pub url: Url,
    /// Whether the address may lie in a private network.
    pub allow_private: bool,
    /// What it is signed with.
    pub keys: SigningKeys,
    /// What its body looks like.
    pub shape: BodyShape,
}

/// What a webhook's body looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyShape {
    /// `type`, `timestamp` and `data`, as Standard Webhooks has it.
    Enveloped,
    /// One object with all fields side by side, as Zapier and its like map it.
    Flat,
}

/// A sender of webhooks about leads.
pub struct Inbound {
    /// The settings.
    pub config: InboundConfig,
    /// What its webhooks are signed with; `None` where only an API key opens it.
    pub keys: Option<SigningKeys>,
    /// Those that were refused.
    pub refused: Quiet,
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
    /// A token key or webhook secret that cannot be used, or rules that cannot be read.
    pub fn new(config: Config) -> Result<Self> {
        let tokens = Tokens::new(&config.token_keys)?;
        let seal = Arc::new(Seal::new(&config.token_keys)?);
        let site = |site: &SiteConfig| {
            let hosts = OwnHosts::new(site.hosts.iter().map(String::as_str));
            (site.name.clone(), Site { config: site.clone(), hosts })
        };
        let sites = config.sites.iter().map(site).collect();
        let webhook = |config: &DestinationConfig| {
            let DestinationConfig { name, url, secret, previous_secret, allow_private, .. } =
                config;
            let keys = keys([Some(secret), previous_secret.as_ref()]);
            let webhook = Webhook {
                url: url.clone(),
                allow_private: *allow_private,
                keys: keys.with_context(|| format!("destination `{name}`"))?,
                shape: BodyShape::Enveloped,
            };
            Ok((name.clone(), Arc::new(webhook)))
        };
        let webhooks = config.destinations.iter().map(webhook).collect::<Result<_>>()?;
        let inbound = |config: &InboundConfig| {
            let InboundConfig { name, secret, previous_secret, .. } = config;
            let keys = keys([secret.as_ref(), previous_secret.as_ref()]);
            let keys = keys.with_context(|| format!("inbound `{name}`"))?;
            let keys = (!keys.0.is_empty()).then_some(keys);
            Ok(Inbound { config: config.clone(), keys, refused: Quiet::default() })
        };
        let inbound = config.inbound.iter().map(inbound).collect::<Result<_>>()?;
        let (rules, bots) = (config.rules.read()?, config.rules.read_bots()?);
        Ok(Self { rules, bots, tokens, seal, sites, webhooks, inbound, config })
    }

    /// A site by the name that a browser sent.
    pub fn site(&self, name: &str) -> Option<&Site> {
        SiteId::parse(name).and_then(|name| self.sites.get(&name))
    }

    /// The country of a site's phone numbers that do not name one.
    pub fn country(&self, site: &SiteId) -> Option<Country> {
        self.sites.get(site).and_then(|site| site.config.country)
    }

    /// A webhook of the configuration, by its name.
    pub fn webhook(&self, name: &str) -> Option<&Arc<Webhook>> {
        self.webhooks.get(name)
    }

    /// An inbound webhook by its name.
    pub fn inbound(&self, name: &str) -> Option<&Inbound> {
        self.inbound.iter().find(|inbound| inbound.config.name == name)
    }

    /// The settings of a connection to a CRM, by its name.
    pub fn crm(&self, name: &str) -> Option<&CrmConfig> {
        self.config.crm.iter().find(|crm| crm.name == name)
    }

    /// A connection to a CRM, ready to be called; `None` where there is no such connection.
    ///
    /// # Errors
    /// Where its settings cannot be used, which [`Self::check_connections`] rules out.
    pub fn connection(
        &self,
        connections: &Connections,
        name: &str,
    ) -> Result<Option<Arc<Connection>>, StoreError> {
        let Some(config) = self.crm(name) else { return Ok(None) };
        let connection = connections.get(config, &self.surroundings());
        let unusable = |error| StoreError::Closed(format!("{error:#}"));
        connection.map(Some).map_err(unusable)
    }

    /// Makes every connection, so that settings with one that cannot be used are refused.
    ///
    /// # Errors
    /// The first that cannot be made.
    pub fn check_connections(&self, connections: &Connections) -> Result<()> {
        let around = self.surroundings();
        self.config.crm.iter().try_for_each(|crm| connections.get(crm, &around).map(drop))
    }

    /// The longest call to somebody else's server.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.config.delivery.timeout_seconds.into())
    }

    fn surroundings(&self) -> Surroundings {
        Surroundings {
            prefix: self.config.field_prefix.clone(),
            public_url: self.config.public_url.clone(),
            timeout: self.timeout(),
            seal: Arc::clone(&self.seal),
        }
    }
}

/// The keys of the secrets that there are.
fn keys(secrets: [Option<&Secret>; 2]) -> Result<SigningKeys, SecretError> {
    secrets.into_iter().flatten().map(SigningKey::parse).collect::<Result<_, _>>().map(SigningKeys)
}

/// The settings in force. Work asks once when it begins and keeps the snapshot to its end, so that no
/// work sees two readings of the configuration.
pub struct CurrentSettings(watch::Sender<Arc<Settings>>);

impl CurrentSettings {
    /// Beginning with these.
    pub fn new(settings: Settings) -> Self {
        Self(watch::Sender::new(Arc::new(settings)))
    }

    /// The settings as they are now.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts other settings in force for all work that begins from now on.
    pub fn replace(&self, settings: Settings) {
        self.0.send_replace(Arc::new(settings));
    }

    /// Notifies of every change.
    pub fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.0.subscribe()
    }
}
