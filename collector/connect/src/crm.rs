//! The CRMs that leads are handed off to: the vendors, the configuration of a connection, and what
//! an adapter does.
//!
//! This is the only file that lists the vendors. Each vendor has a folder with its names, paths,
//! limits and its own configuration table. The policy that all vendors share is in [`merge`] and
//! [`note`]. `docs/adding-a-crm.md` explains how to add one.

pub mod record;
pub mod push;
pub mod note;
pub mod webhook;
pub mod adapter;
pub mod merge;
pub mod settings;
mod hubspot;
mod salesforce;

use anyhow::{Context, Result, ensure};
use clew_core::Secret;
use clew_core::secret::Unset;
use hubspot::HubspotConfig;
use salesforce::SalesforceConfig;
use serde::Deserialize;
use settings::{AdapterSettings, ConnectedCrm};
use shared::fields::catalogue;
use shared::fields::naming::Crm;
use shared::ids::SiteId;
use shared::lifecycle::Stage;
use shared::money::Currency;
use std::collections::BTreeMap;

/// The configuration of one connection to a CRM. Settings that do not depend on the vendor are in
/// `[[crm]]`, the others in the vendor's own table below it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmConfig {
    /// The connection's name in deliveries, in `/hooks/NAME` and for `clew crm`.
    pub name: String,
    /// The site whose leads are handed off to this CRM.
    pub site: SiteId,
    /// The currency of deals that name none.
    pub currency: Currency,
    /// The canonical fields to write; the core set if empty.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Whether the first click in the CRM is overwritten.
    #[serde(default)]
    pub overwrite_first_click: bool,
    /// Whether each conversion's journey is attached as a note.
    #[serde(default = "yes")]
    pub notes: bool,
    /// Maps the CRM's lifecycle stages of a person to our stages; overrides the vendor's defaults.
    #[serde(default)]
    pub stages: BTreeMap<String, Stage>,
    /// Maps the CRM's stages of an open deal to our stages.
    #[serde(default)]
    pub deal_stages: BTreeMap<String, Stage>,
    /// How often the CRM is polled for changes, in minutes; 0 for never.
    #[serde(default = "five")]
    pub poll_minutes: u32,
    /// Whether the CRM's address may be private and use plain http.
    #[serde(default)]
    pub allow_private: bool,
    /// HubSpot.
    #[serde(default)]
    pub hubspot: Option<HubspotConfig>,
    /// Salesforce.
    #[serde(default)]
    pub salesforce: Option<SalesforceConfig>,
}

/// A vendor and its settings.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Vendor<'a> {
    /// HubSpot.
    Hubspot(&'a HubspotConfig),
    /// Salesforce.
    Salesforce(&'a SalesforceConfig),
}

fn yes() -> bool {
    true
}

fn five() -> u32 {
    5
}

impl CrmConfig {
    /// The vendor whose table the connection has.
    ///
    /// # Errors
    /// If it has no vendor's table, or several.
    pub fn vendor(&self) -> Result<Vendor<'_>> {
        // Every setting is listed, so that the compiler reports a vendor's table that is missing
        // here.
        let Self {
            name: _,
            site: _,
            currency: _,
            fields: _,
            overwrite_first_click: _,
            notes: _,
            stages: _,
            deal_stages: _,
            poll_minutes: _,
            allow_private: _,
            hubspot,
            salesforce,
        } = self;
        let tables =
            [hubspot.as_ref().map(Vendor::Hubspot), salesforce.as_ref().map(Vendor::Salesforce)];
        let mut tables = tables.into_iter().flatten();
        let vendor = tables.next().filter(|_| tables.next().is_none());
        vendor.context("it needs exactly one vendor's table: [crm.hubspot] or [crm.salesforce]")
    }

    /// The vendor's naming scheme for our fields; `None` if [`Self::vendor`] fails.
    pub fn naming(&self) -> Option<Crm> {
        self.vendor().ok().map(Vendor::naming)
    }

    /// Replaces `env:` references with the values of environment variables.
    ///
    /// # Errors
    /// If a variable is not set.
    pub fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String> + Copy,
    ) -> Result<(), Unset> {
        // Every setting is listed, so that the compiler reports a vendor's table that is missing
        // here.
        let Self {
            name: _,
            site: _,
            currency: _,
            fields: _,
            overwrite_first_click: _,
            notes: _,
            stages: _,
            deal_stages: _,
            poll_minutes: _,
            allow_private: _,
            hubspot,
            salesforce,
        } = self;
        let hubspot = hubspot.iter_mut().flat_map(HubspotConfig::secrets);
        let salesforce = salesforce.iter_mut().flat_map(SalesforceConfig::secrets);
        let mut secrets: Vec<&mut Secret> = hubspot.chain(salesforce).collect();
        secrets.iter_mut().try_for_each(|secret| secret.resolve(lookup))
    }

    /// Checks that the settings are consistent.
    ///
    /// # Errors
    /// A message that names the setting at fault.
    pub fn check(&self) -> Result<()> {
        ensure!(
            SiteId::parse(&self.name).is_some(),
            "name: should be 1 to 32 characters of a-z, 0-9, '-' and '_'"
        );
        for name in &self.fields {
            catalogue::find(name).with_context(|| {
                format!("fields: there is no field `{name}`; `GET /v1/fields` lists them")
            })?;
        }
        self.vendor()?.check(self.allow_private)
    }
}

impl Vendor<'_> {
    /// The vendor's naming scheme for our fields.
    pub fn naming(self) -> Crm {
        match self {
            Self::Hubspot(_) => Crm::Hubspot,
            Self::Salesforce(_) => Crm::Salesforce,
        }
    }

    /// Creates the vendor's adapter. Makes no calls yet.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn connect(self, settings: AdapterSettings) -> Result<ConnectedCrm> {
        match self {
            Self::Hubspot(own) => hubspot::connect(own, settings),
            Self::Salesforce(own) => salesforce::connect(own, settings),
        }
    }

    fn check(self, allow_private: bool) -> Result<()> {
        match self {
            Self::Hubspot(own) => own.check(allow_private),
            Self::Salesforce(own) => own.check(allow_private),
        }
    }
}

#[cfg(test)]
mod tests;
