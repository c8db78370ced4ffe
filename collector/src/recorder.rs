//! Keeps what was recorded of a lead after it converted, with the deliveries that report it.

use crate::recipients::recipients;
use crate::settings::Settings;
use crate::subscriptions::Subscriptions;
use clew_core::Core;
use clew_store::{NewRecord, Record, Recorded, StoreError};
use shared::ids::{LeadId, SiteId};
use std::sync::Arc;

/// Keeps records.
pub struct Recorder {
    core: Arc<Core>,
    subscriptions: Arc<Subscriptions>,
}

impl Recorder {
    /// On a store.
    pub fn new(core: Arc<Core>, subscriptions: Arc<Subscriptions>) -> Self {
        Self { core, subscriptions }
    }

    /// Keeps a record of a site's lead, and the record of a CRM that came with it
    /// (`PROVIDER:TYPE:ID`).
    ///
    /// # Errors
    /// The store's.
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
