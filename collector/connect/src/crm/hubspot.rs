//! HubSpot: contacts with our properties, notes, deals, and signed webhooks.
//!
//! HubSpot's names appear only in the modules below. `docs/hubspot.md` explains how to connect an
//! account.

mod config;
mod words;
mod paths;
mod error;
mod stages;
mod walk;
mod signature;
mod webhook;
mod account;
mod values;
mod push;
mod fields;
mod note;
mod person;
mod deal;
mod read;
mod changed;

pub(super) use config::HubspotConfig;

use super::adapter::{CrmAdapter, Declared, Fields, Notes, Page, Polling, Webhooks};
use super::note::Note;
use super::push::{Push, Pushed};
use super::record::{RecordRef, RecordState};
use super::settings::{AdapterSettings, ConnectedCrm};
use super::webhook::{Head, Received, Refused, Webhook};
use crate::call::Request;
use crate::error::CallError;
use account::Hubspot;
use anyhow::Result;
use async_trait::async_trait;
use shared::fields::catalogue::Field;
use std::sync::Arc;
use words::{CONTACT, DEAL};

/// Creates the adapter. Makes no calls yet.
///
/// # Errors
/// If the settings cannot be used.
pub(super) fn connect(own: &HubspotConfig, settings: AdapterSettings) -> Result<ConnectedCrm> {
    let account = Hubspot::new(own, settings)?;
    Ok(ConnectedCrm { caller: Arc::clone(&account.caller), crm: Box::new(account) })
}

#[async_trait]
impl CrmAdapter for Hubspot {
    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CallError> {
        self.push_contact(push).await
    }

    async fn probe(&self) -> Result<(), CallError> {
        let path = format!("{}?limit=1", self.paths.objects("contacts"));
        self.ask(&Request::get(&path), "").await?;
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
impl Notes for Hubspot {
    async fn attach(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CallError> {
        if look_first && self.has_note(record, note.marker).await? {
            return Ok(());
        }
        self.make_note(record, note).await
    }
}

#[async_trait]
impl Fields for Hubspot {
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CallError> {
        self.declare_properties(wanted).await
    }
}

#[async_trait]
impl Polling for Hubspot {
    /// Contacts first, so that the people of a deal are known when the deal is read.
    fn feeds(&self) -> &'static [&'static str] {
        &[CONTACT, DEAL]
    }

    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CallError> {
        self.changed_since(feed, since_ms).await
    }
}

#[async_trait]
impl Webhooks for Hubspot {
    fn admit(&self, head: &Head<'_>) -> Result<(), Refused> {
        self.subscriber.admit(head)
    }

    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        self.subscriber.receive(webhook)
    }

    async fn read(&self, records: &[RecordRef]) -> Result<Vec<RecordState>, CallError> {
        self.read_records(records).await
    }
}
