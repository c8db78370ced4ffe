//! The configured CRM connections, ready to be called.

use crate::call::Caller;
use crate::crm::CrmConfig;
use crate::crm::adapter::CrmAdapter;
use crate::crm::settings::{AdapterSettings, ConnectedCrm};
use crate::outgoing::Outgoing;
use crate::transport::Transport;
use crate::vault::Vault;
use anyhow::{Context, Result};
use clew_core::seal::Seal;
use clew_core::{Core, Quiet, is_ahead};
use serde_json::{Map, Value};
use shared::fields::catalogue::{CORE, Field, find};
use shared::fields::naming::{self, Prefix};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use url::Url;

/// How long fields are left out that a CRM refused although they were declared.
const LEFT_OUT_MS: i64 = 3_600_000;

/// How long a CRM that could not be read is left alone.
const REST_MS: i64 = 60_000;

/// A connection to one CRM.
pub struct Connection {
    /// The connection's configuration.
    pub config: CrmConfig,
    /// The vendor's adapter.
    pub crm: Box<dyn CrmAdapter>,
    /// Makes its calls.
    pub caller: Arc<Caller>,
    /// The vendor's naming scheme for our fields.
    pub naming: naming::Crm,
    /// The prefix of our fields' names.
    pub prefix: Prefix,
    /// The fields that this CRM receives.
    pub fields: Vec<&'static Field>,
    /// The vendor's names of fields that it refused, and until when they are left out.
    left_out: Mutex<HashMap<String, i64>>,
    /// Nothing is read from the CRM before this time, Unix milliseconds.
    rests_until_ms: AtomicI64,
    /// Limits the log lines about refused webhooks.
    pub refused: Quiet,
}

/// Settings that all connections share.
#[derive(Clone)]
pub struct SharedSettings {
    /// The prefix of our fields' names.
    pub prefix: Prefix,
    /// The collector's public URL, at which CRMs reach it.
    pub public_url: Url,
    /// The timeout of a call.
    pub timeout: Duration,
    /// Seals tokens.
    pub seal: Arc<Seal>,
}

/// All connections. A connection is made when it is first needed, and kept as long as its settings
/// do not change, together with its tokens and its rate limit.
pub struct Connections {
    core: Arc<Core>,
    outgoing: Outgoing,
    open: Mutex<HashMap<String, (Basis, Arc<Connection>)>>,
}

/// The settings that a connection was made from.
#[derive(Clone, PartialEq)]
struct Basis {
    config: CrmConfig,
    prefix: String,
    public_url: Url,
    timeout: Duration,
}

impl Connections {
    /// Starts without any connection.
    pub fn new(core: Arc<Core>, outgoing: Outgoing) -> Self {
        Self { core, outgoing, open: Mutex::default() }
    }

    /// Returns the connection for these settings.
    ///
    /// # Errors
    /// If the settings are invalid.
    pub fn get(&self, config: &CrmConfig, common: &SharedSettings) -> Result<Arc<Connection>> {
        let basis = Basis {
            config: config.clone(),
            prefix: common.prefix.to_string(),
            public_url: common.public_url.clone(),
            timeout: common.timeout,
        };
        let name = &config.name;
        if let Some((same, connection)) = lock(&self.open).get(name)
            && *same == basis
        {
            return Ok(Arc::clone(connection));
        }
        let made = self.connect(config, common).with_context(|| format!("crm `{name}`"))?;
        let made = Arc::new(made);
        // If two callers made it concurrently, the first one stays, with its tokens.
        let mut open = lock(&self.open);
        let kept = open.get(name).filter(|(same, _)| *same == basis);
        let connection = kept.map_or(made, |(_, kept)| Arc::clone(kept));
        open.insert(name.clone(), (basis, Arc::clone(&connection)));
        drop(open);
        Ok(connection)
    }

    fn connect(&self, config: &CrmConfig, common: &SharedSettings) -> Result<Connection> {
        let base = common.public_url.as_str().trim_end_matches('/');
        let vendor = config.vendor()?;
        let ConnectedCrm { crm, caller } = vendor.connect(AdapterSettings {
            name: config.name.clone(),
            prefix: common.prefix.clone(),
            hook_url: format!("{base}/hooks/{}", config.name).parse()?,
            stages: config.stages.clone(),
            deal_stages: config.deal_stages.clone(),
            transport: Transport {
                outgoing: self.outgoing.clone(),
                allow_private: config.allow_private,
                timeout: common.timeout,
                clock: self.core.clock.clone(),
            },
            vault: Vault::new(Arc::clone(&self.core), Arc::clone(&common.seal), &config.name),
        })?;
        let names: Vec<&str> = match config.fields.is_empty() {
            true => CORE.to_vec(),
            false => config.fields.iter().map(String::as_str).collect(),
        };
        Ok(Connection {
            config: config.clone(),
            crm,
            caller,
            naming: vendor.naming(),
            prefix: common.prefix.clone(),
            fields: names.into_iter().filter_map(find).collect(),
            left_out: Mutex::default(),
            rests_until_ms: AtomicI64::new(i64::MIN),
            refused: Quiet::default(),
        })
    }
}

impl Connection {
    /// The connection's name, which is its destination's id.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The vendor's name of one of our fields.
    pub fn field_name(&self, field: &Field) -> String {
        self.naming.field_name(&self.prefix, field)
    }

    /// The values to write: the connection's fields that have a value, except those that the CRM
    /// recently refused.
    pub fn values(
        &self,
        mut known: Map<String, Value>,
        now_ms: i64,
    ) -> Vec<(&'static Field, Value)> {
        let left_out = self.left_out(now_ms);
        let taken = self.fields.iter().filter(|field| !left_out.contains(&self.field_name(field)));
        let values = taken.filter_map(|field| Some((*field, known.remove(&field.name)?)));
        values.filter(|(_, value)| !value.is_null()).collect()
    }

    /// Leaves fields out for a while, given by the vendor's names. Returns whether any of them was
    /// not yet left out.
    pub fn leave_out(&self, names: &[String], now_ms: i64) -> bool {
        let mut left_out = lock(&self.left_out);
        let until_ms = now_ms + LEFT_OUT_MS;
        let added = names.iter().filter(|name| {
            let before = left_out.insert((*name).clone(), until_ms);
            before.is_none_or(|before_ms| !is_ahead(before_ms, LEFT_OUT_MS, now_ms))
        });
        added.count() > 0
    }

    /// Whether nothing should be read from the CRM for now.
    pub fn rests(&self, now_ms: i64) -> bool {
        is_ahead(self.rests_until_ms.load(Ordering::Relaxed), REST_MS, now_ms)
    }

    /// Stops reading from the CRM for a while.
    pub fn rest(&self, now_ms: i64) {
        self.rests_until_ms.store(now_ms + REST_MS, Ordering::Relaxed);
    }

    fn left_out(&self, now_ms: i64) -> HashSet<String> {
        let is_still = |(name, until_ms): (&String, &i64)| {
            is_ahead(*until_ms, LEFT_OUT_MS, now_ms).then(|| name.clone())
        };
        lock(&self.left_out).iter().filter_map(is_still).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
