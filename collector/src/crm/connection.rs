//! The connections of the configuration, ready to be called.

use super::Crm;
use super::hubspot::Hubspot;
use super::salesforce::Salesforce;
use super::vault::Vault;
use crate::clock::Clock;
use crate::config::CrmConfig;
use crate::outgoing::Outgoing;
use crate::settings::Settings;
use crate::store::Store;
use anyhow::{Context, Result};
use serde_json::Value;
use shared::fields::catalogue::{CORE, Field, find};
use shared::fields::naming;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Fields that a CRM did not take, although they were declared, are tried again after so long.
const LEFT_OUT_MS: i64 = 3_600_000;

/// Refused webhooks are told of in the log once in so long.
const REFUSALS_MS: i64 = 60_000;

/// One connection to a CRM.
pub struct Connection {
    /// The settings.
    pub config: CrmConfig,
    /// The vendor's module.
    pub crm: Box<dyn Crm>,
    /// The fields that it gets.
    pub fields: Vec<&'static Field>,
    /// The vendor's names of fields that it did not take, and until when they are left out.
    left_out: Mutex<HashMap<String, i64>>,
    /// Before this time nothing is read there, Unix milliseconds.
    rests_until_ms: AtomicI64,
    /// When a refused webhook was last told of in the log, Unix milliseconds.
    refusal_told_ms: AtomicI64,
}

/// What a vendor's module works with.
pub struct Means {
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// The time.
    pub clock: Clock,
    /// Where tokens are kept.
    pub vault: Vault,
    /// The longest call.
    pub timeout: Duration,
}

/// All connections, made when they are asked for, and kept for as long as their settings are the
/// same: with them their tokens, and the count of their calls.
pub struct Connections {
    outgoing: Outgoing,
    clock: Clock,
    store: Arc<dyn Store>,
    open: Mutex<HashMap<String, (Signature, Arc<Connection>)>>,
}

/// What a connection was made of.
#[derive(Clone, PartialEq)]
struct Signature {
    config: CrmConfig,
    prefix: String,
    public_url: String,
    timeout: Duration,
}

impl Connections {
    /// None yet.
    pub fn new(outgoing: Outgoing, clock: Clock, store: Arc<dyn Store>) -> Self {
        Self { outgoing, clock, store, open: Mutex::default() }
    }

    /// The connection of a name; `None` where the settings have none.
    ///
    /// # Errors
    /// Where its settings cannot be used.
    pub fn get(&self, settings: &Settings, name: &str) -> Result<Option<Arc<Connection>>> {
        let Some(config) = settings.config.crm.iter().find(|crm| crm.name == name) else {
            return Ok(None);
        };
        let signature = Signature {
            config: config.clone(),
            prefix: settings.config.field_prefix.to_string(),
            public_url: settings.config.public_url.to_string(),
            timeout: Duration::from_secs(settings.config.delivery.timeout_seconds.into()),
        };
        if let Some((same, connection)) = lock(&self.open).get(name)
            && *same == signature
        {
            return Ok(Some(Arc::clone(connection)));
        }
        let connection = self.connect(settings, &signature);
        let connection = Arc::new(connection.with_context(|| format!("crm `{name}`"))?);
        // Two may have made it at once: what came first stays, with its tokens.
        let mut open = lock(&self.open);
        let kept =
            open.get(name).filter(|(same, _)| *same == signature).map(|(_, kept)| Arc::clone(kept));
        let connection = kept.unwrap_or(connection);
        open.insert(name.to_owned(), (signature, Arc::clone(&connection)));
        drop(open);
        Ok(Some(connection))
    }

    /// Sees that every connection of the settings can be made.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self, settings: &Settings) -> Result<()> {
        settings.config.crm.iter().try_for_each(|crm| self.get(settings, &crm.name).map(drop))
    }

    fn connect(&self, settings: &Settings, signature: &Signature) -> Result<Connection> {
        let Signature { config, timeout, .. } = signature;
        let (prefix, public_url) = (&settings.config.field_prefix, &settings.config.public_url);
        let means = Means {
            outgoing: self.outgoing.clone(),
            clock: self.clock.clone(),
            vault: Vault::new(Arc::clone(&self.store), Arc::clone(&settings.seal), &config.name),
            timeout: *timeout,
        };
        let crm: Box<dyn Crm> = match config.vendor() {
            naming::Crm::Hubspot => Box::new(Hubspot::new(config, prefix, public_url, means)?),
            _ => Box::new(Salesforce::new(config, prefix, means)?),
        };
        let names: Vec<&str> = match config.fields.is_empty() {
            true => CORE.to_vec(),
            false => config.fields.iter().map(String::as_str).collect(),
        };
        let fields = names.into_iter().filter_map(find).collect();
        Ok(Connection {
            config: config.clone(),
            crm,
            fields,
            left_out: Mutex::default(),
            rests_until_ms: AtomicI64::new(i64::MIN),
            refusal_told_ms: AtomicI64::new(i64::MIN),
        })
    }
}

impl Connection {
    /// Its name in deliveries.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// What is to be written of these values: the fields of the connection that are known, without
    /// those that the CRM did not take lately.
    pub fn values(
        &self,
        settings: &Settings,
        mut known: serde_json::Map<String, Value>,
        now_ms: i64,
    ) -> Vec<(&'static Field, Value)> {
        let left_out = self.left_out(now_ms);
        let (vendor, prefix) = (self.config.vendor(), &settings.config.field_prefix);
        let taken = self
            .fields
            .iter()
            .filter(|field| !left_out.contains(&vendor.field_name(prefix, field)));
        let values = taken.filter_map(|field| Some((*field, known.remove(&field.name)?)));
        values.filter(|(_, value)| !value.is_null()).collect()
    }

    /// Leaves fields out for a while, given by the vendor's names; whether any of them was not left
    /// out before.
    pub fn leave_out(&self, names: &[String], now_ms: i64) -> bool {
        let mut left_out = lock(&self.left_out);
        let until_ms = now_ms + LEFT_OUT_MS;
        let added = names.iter().filter(|name| {
            let before = left_out.insert((*name).clone(), until_ms);
            before.is_none_or(|before_ms| before_ms <= now_ms)
        });
        added.count() > 0
    }

    /// Whether it is left alone by whoever reads there.
    pub fn rests(&self, now_ms: i64) -> bool {
        now_ms < self.rests_until_ms.load(Ordering::Relaxed)
    }

    /// Whether the log is to tell of a refused webhook now: once a minute.
    pub fn tells_refusal(&self, now_ms: i64) -> bool {
        let told_ms = self.refusal_told_ms.load(Ordering::Relaxed);
        let tells = now_ms.saturating_sub(told_ms) >= REFUSALS_MS;
        if tells {
            self.refusal_told_ms.store(now_ms, Ordering::Relaxed);
        }
        tells
    }

    /// Leaves it alone until a time.
    pub fn rest(&self, until_ms: i64) {
        self.rests_until_ms.store(until_ms, Ordering::Relaxed);
    }

    fn left_out(&self, now_ms: i64) -> HashSet<String> {
        let is_still =
            |(name, until_ms): (&String, &i64)| (*until_ms > now_ms).then(|| name.clone());
        lock(&self.left_out).iter().filter_map(is_still).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
