//! Salesforce: leads, contacts and opportunities through its REST API, and its outbound messages.
//!
//! A person is a Lead until someone converts it, and a Contact from then on. Our lead's id is
//! stored in an external id field of both. `docs/salesforce.md` explains how to connect an
//! organization.

mod config;
mod error;
mod usage;
mod soql;
mod organization;
mod person;
mod find;
mod push;
mod note;
mod declare;
mod record;
mod read;
mod outbound;

pub(super) use config::SalesforceConfig;

use super::adapter::{CrmAdapter, Declared, Fields, Notes, Page, Polling, Webhooks};
use super::note::Note;
use super::push::{Push, Pushed};
use super::record::{RecordRef, RecordState};
use super::settings::{AdapterSettings, ConnectedCrm};
use super::webhook::{Head, Received, Refused, Webhook};
use crate::error::CallError;
use anyhow::Result;
use async_trait::async_trait;
use organization::Salesforce;
use shared::fields::catalogue::Field;
use std::sync::Arc;

/// Creates the adapter. Makes no calls yet.
///
/// # Errors
/// If the settings cannot be used.
pub(super) fn connect(own: &SalesforceConfig, settings: AdapterSettings) -> Result<ConnectedCrm> {
    let organization = Salesforce::new(own, settings)?;
    Ok(ConnectedCrm { caller: Arc::clone(&organization.caller), crm: Box::new(organization) })
}

#[async_trait]
impl CrmAdapter for Salesforce {
    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CallError> {
        self.push_person(push).await
    }

    async fn probe(&self) -> Result<(), CallError> {
        // `/limits` would require a permission that nothing else needs.
        self.query("SELECT Id FROM Lead LIMIT 1").await?;
        Ok(())
    }

    fn notes(&self) -> Option<&dyn Notes> {
        Some(self)
    }

    fn fields(&self) -> Option<&dyn Fields> {
        Some(self)
    }

    fn polling(&self) -> Option<&dyn Polling> {
        Some(self)
    }

    fn webhooks(&self) -> Option<&dyn Webhooks> {
        Some(self)
    }
}

#[async_trait]
impl Notes for Salesforce {
    async fn attach(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CallError> {
        Ok(self.attach_note(record, note, look_first).await?)
    }
}

#[async_trait]
impl Fields for Salesforce {
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CallError> {
        Ok(self.declare_fields(wanted).await?)
    }
}

#[async_trait]
impl Polling for Salesforce {
    fn feeds(&self) -> &'static [&'static str] {
        // Leads first, so that a converted lead is known before the opportunity of its contact is
        // read.
        &["Lead", "Opportunity"]
    }

    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CallError> {
        Ok(self.changed_since(feed, since_ms).await?)
    }
}

#[async_trait]
impl Webhooks for Salesforce {
    fn admit(&self, head: &Head<'_>) -> Result<(), Refused> {
        outbound::admit(&self.own, head)
    }

    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        outbound::receive(&self.own, webhook)
    }

    async fn read(&self, records: &[RecordRef]) -> Result<Vec<RecordState>, CallError> {
        Ok(self.read_records(records).await?)
    }
}
