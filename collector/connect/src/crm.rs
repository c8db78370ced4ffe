//! The CRMs that leads are handed off to: which vendors there are, the settings of a connection, and
//! what an adapter does.
//!
//! This file is the only one that names the vendors. Each has a folder below with its words, paths and
//! limits, and its own table of settings; the policy that all share stands in [`merge`] and [`note`].
//! `docs/adding-a-crm.md` walks through a new one.

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
use settings::{Adapter, Settings};
use shared::fields::catalogue;
use shared::fields::naming::Crm;
use shared::ids::SiteId;
use shared::lifecycle::Stage;
use shared::money::Currency;
use std::collections::BTreeMap;

/// One connection to a CRM. What does not depend on the vendor stands in `[[crm]]`, the rest in the
/// vendor's own table below it.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmConfig {
    /// Its name in deliveries, in `/hooks/NAME` and for `clew crm`.
    pub name: String,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// The currency of deals whose record names none.
    pub currency: Currency,
    /// The canonical fields that it gets; the core set where it is empty.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Whether the first click there is overwritten.
    #[serde(default)]
    pub overwrite_first_click: bool,
    /// Whether each conversion's journey is attached as a note.
    #[serde(default = "yes")]
    pub notes: bool,
    /// Our stage for the CRM's word for a person, over the vendor's usual ones.
    #[serde(default)]
    pub stages: BTreeMap<String, Stage>,
    /// Our stage for the CRM's word for an open deal.
    #[serde(default)]
    pub deal_stages: BTreeMap<String, Stage>,
    /// How often it is asked for what changed; 0 for never.
    #[serde(default = "five")]
    pub poll_minutes: u32,
    /// Whether its address may lie in a private network, and be plain http.
    #[serde(default)]
    pub allow_private: bool,
    /// HubSpot.
    #[serde(default)]
    pub hubspot: Option<HubspotConfig>,
    /// Salesforce.
    #[serde(default)]
    pub salesforce: Option<SalesforceConfig>,
}

/// A vendor with its settings.
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
    /// The vendor whose table it has.
    ///
    /// # Errors
    /// Where it has none, or several.
    pub fn vendor(&self) -> Result<Vendor<'_>> {
        // Every setting is named, so that the compiler shows a vendor's table that is left out.
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
        vendor.context("it needs one table of a vendor: [crm.hubspot] or [crm.salesforce]")
    }

    /// What the vendor calls our fields; `None` where [`Self::vendor`] fails.
    pub fn naming(&self) -> Option<Crm> {
        self.vendor().ok().map(Vendor::naming)
    }

    /// Replaces references to the environment.
    ///
    /// # Errors
    /// The variable that is not set.
    pub fn resolve_secrets(
        &mut self,
        lookup: impl Fn(&str) -> Option<String> + Copy,
    ) -> Result<(), Unset> {
        // Every setting is named, so that the compiler shows a vendor's table that is left out.
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

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn check(&self) -> Result<()> {
        ensure!(SiteId::parse(&self.name).is_some(), "a name is 1 to 32 of a-z, 0-9, '-' and '_'");
        for name in &self.fields {
            catalogue::find(name).with_context(|| {
                format!("fields: there is no field `{name}`; `GET /v1/fields` lists them")
            })?;
        }
        self.vendor()?.check(self.allow_private)
    }
}

impl Vendor<'_> {
    /// What it calls our fields.
    pub fn naming(self) -> Crm {
        match self {
            Self::Hubspot(_) => Crm::Hubspot,
            Self::Salesforce(_) => Crm::Salesforce,
        }
    }

    /// Makes its adapter; nothing is called yet.
    ///
    /// # Errors
    /// Where the settings cannot be used.
    pub fn connect(self, settings: Settings) -> Result<Adapter> {
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
