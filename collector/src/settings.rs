//! The settings in use: one configuration with everything that is computed from it.
//!
//! [`Settings`] are an immutable snapshot. Each reload of the configuration makes a new one, and
//! work that began with one snapshot ends with it.

use crate::config::{Config, DestinationConfig, InboundConfig, SiteConfig};
use crate::signing::{SecretError, SigningKey, SigningKeys};
use crate::token::VisitorTokens;
use anyhow::{Context, Result};
use clew_connect::connection::SharedSettings;
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

/// A configuration with everything that is computed from it.
pub struct Settings {
    /// The configuration as read.
    pub config: Config,
    /// The rules that label page views.
    pub rules: Rules,
    /// Detects bots by their user agents.
    pub bots: Bots,
    /// Makes and opens sealed tokens.
    pub tokens: VisitorTokens,
    /// Encrypts secrets that are kept in the store.
    pub seal: Arc<Seal>,
    sites: HashMap<SiteId, Site>,
    /// By name in the configuration.
    webhooks: HashMap<String, Arc<Webhook>>,
    inbound: Vec<Inbound>,
}

/// A webhook, ready to be sent.
pub struct Webhook {
    /// The receiver's URL.
    pub url: Url,
    /// Whether the URL may point to a private network.
    pub allow_private: bool,
    /// The keys that sign it.
    pub keys: SigningKeys,
    /// The shape of its body.
    pub shape: BodyShape,
}

/// The shape of a webhook's body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyShape {
    /// `type`, `timestamp` and `data`, as in Standard Webhooks.
    Enveloped,
    /// One flat object with all fields, for tools like Zapier.
    Flat,
}

/// An inbound webhook, ready to be received.
pub struct Inbound {
    /// Its settings.
    pub config: InboundConfig,
    /// The keys that verify its signatures; `None` if it needs an API key instead.
    pub keys: Option<SigningKeys>,
    /// Counts refused webhooks for the log.
    pub refused: Quiet,
}

/// A site with what is computed from its settings.
pub struct Site {
    /// Its settings.
    pub config: SiteConfig,
    /// Its hosts in normalised form.
    pub hosts: OwnHosts,
}

impl Settings {
    /// Computes the settings from a configuration.
    ///
    /// # Errors
    /// If a token key or webhook secret cannot be used, or a file of rules cannot be read.
    pub fn new(config: Config) -> Result<Self> {
        let tokens = VisitorTokens::new(&config.token_keys)?;
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

    /// Looks up a site by the name that a browser sent.
    pub fn site(&self, name: &str) -> Option<&Site> {
        SiteId::parse(name).and_then(|name| self.sites.get(&name))
    }

    /// The country of a site's phone numbers without a country code.
    pub fn country(&self, site: &SiteId) -> Option<Country> {
        self.sites.get(site).and_then(|site| site.config.country)
    }

    /// Looks up a configured webhook by its name.
    pub fn webhook(&self, name: &str) -> Option<&Arc<Webhook>> {
        self.webhooks.get(name)
    }

    /// Looks up an inbound webhook by its name.
    pub fn inbound(&self, name: &str) -> Option<&Inbound> {
        self.inbound.iter().find(|inbound| inbound.config.name == name)
    }

    /// Looks up the settings of a CRM connection by its name.
    pub fn crm(&self, name: &str) -> Option<&CrmConfig> {
        self.config.crm.iter().find(|crm| crm.name == name)
    }

    /// A CRM connection, ready to be called; `None` if it is not configured.
    ///
    /// # Errors
    /// If its settings cannot be used, which [`Self::check_connections`] rules out.
    pub fn connection(
        &self,
        connections: &Connections,
        name: &str,
    ) -> Result<Option<Arc<Connection>>, StoreError> {
        let Some(config) = self.crm(name) else { return Ok(None) };
        let connection = connections.get(config, &self.shared_settings());
        let unusable = |error| StoreError::Closed(format!("{error:#}"));
        connection.map(Some).map_err(unusable)
    }

    /// Creates every connection, to refuse settings with an unusable one.
    ///
    /// # Errors
    /// If a connection cannot be created.
    pub fn check_connections(&self, connections: &Connections) -> Result<()> {
        let common = self.shared_settings();
        self.config.crm.iter().try_for_each(|crm| connections.get(crm, &common).map(drop))
    }

    /// The timeout of calls to other servers.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.config.delivery.timeout_seconds.into())
    }

    fn shared_settings(&self) -> SharedSettings {
        SharedSettings {
            prefix: self.config.field_prefix.clone(),
            public_url: self.config.public_url.clone(),
            timeout: self.timeout(),
            seal: Arc::clone(&self.seal),
        }
    }
}

/// The signing keys of the secrets that are set.
fn keys(secrets: [Option<&Secret>; 2]) -> Result<SigningKeys, SecretError> {
    secrets.into_iter().flatten().map(SigningKey::parse).collect::<Result<_, _>>().map(SigningKeys)
}

/// The current settings. Work reads them once when it begins and keeps that snapshot, so that it
/// never mixes two versions of the configuration.
pub struct CurrentSettings(watch::Sender<Arc<Settings>>);

impl CurrentSettings {
    /// Starts with these settings.
    pub fn new(settings: Settings) -> Self {
        Self(watch::Sender::new(Arc::new(settings)))
    }

    /// The current snapshot.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    /// Replaces the settings for all work that begins from now on.
    pub fn replace(&self, settings: Settings) {
        self.0.send_replace(Arc::new(settings));
    }

    /// A receiver that is notified of every change.
    pub fn watch(&self) -> watch::Receiver<Arc<Settings>> {
        self.0.subscribe()
    }
}
