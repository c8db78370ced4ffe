//! What the work for one connection needs, and what keeps it from its end.

use crate::leads::find;
use crate::recorder::Recorder;
use crate::settings::Settings;
use clew_connect::crm::record::RecordRef;
use clew_connect::{CallError, Connection};
use clew_core::Core;
use clew_store::{LeadKey, Record, Recorded, StoreError};
use shared::ids::LeadId;
use shared::lead::Lead;

/// What keeps a connection from being followed for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The CRM.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the work for a connection needs.
pub(super) struct Work<'a> {
    pub(super) core: &'a Core,
    pub(super) settings: &'a Settings,
    pub(super) connection: &'a Connection,
    pub(super) recorder: &'a Recorder,
}

impl Work<'_> {
    /// The lead of a key.
    pub(super) async fn find(&self, key: &LeadKey) -> Result<Option<Lead>, StoreError> {
        let site = &self.connection.config.site;
        find(&*self.core.store, site, self.settings.country(site), key).await
    }

    /// The key of the lead that a record of the CRM is.
    pub(super) fn key_of(&self, record: &RecordRef) -> LeadKey {
        LeadKey::crm_record(self.connection.naming.as_str(), &record.object, &record.id)
    }

    /// Keeps a record of a lead, with the deliveries that report it.
    pub(super) async fn keep(&self, lead: LeadId, record: Record) -> Result<(), StoreError> {
        let site = &self.connection.config.site;
        match self.recorder.record(self.settings, site, lead, record, None).await? {
            Recorded::Kept { .. } => {}
            refused => {
                let (lead, connection) = (lead.to_text(), self.connection.name());
                // A record or a deal that is another lead's already: so it is at every look.
                tracing::debug!(
                    lead,
                    connection,
                    ?refused,
                    "what came back of a lead was not kept"
                );
            }
        }
        Ok(())
    }
}
