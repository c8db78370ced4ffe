//! Stores records of leads (stages, deals, links) together with the deliveries that report them.

use crate::recipients::recipients;
use crate::settings::Settings;
use crate::subscriptions::Subscriptions;
use clew_core::Core;
use clew_store::{NewRecord, Record, Recorded, StoreError};
use shared::ids::{LeadId, SiteId};
use std::sync::Arc;

/// Stores records of leads.
pub struct Recorder {
    core: Arc<Core>,
    subscriptions: Arc<Subscriptions>,
}

impl Recorder {
    /// Creates the service.
    pub fn new(core: Arc<Core>, subscriptions: Arc<Subscriptions>) -> Self {
        Self { core, subscriptions }
    }

    /// Stores a record of a site's lead, and the CRM record (`PROVIDER:TYPE:ID`) that was reported
    /// with it.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn record(
        &self,
        settings: &Settings,
        site: &SiteId,
        lead: LeadId,
        record: Record,
        crm_record: Option<String>,
    ) -> Result<Recorded, StoreError> {
        let destinations = match record.delivered_as() {
            Some(kind) => recipients(settings, &self.subscriptions, site, kind).await?,
            None => Vec::new(),
        };
        let due_at_ms = self.core.now_ms();
        let new = NewRecord { lead, record, crm_record, destinations, due_at_ms };
        self.core.store.record(new).await
    }
}
