//! The context for following one connection, and the errors that interrupt it.

use crate::leads::{find, named};
use crate::recorder::Recorder;
use crate::settings::Settings;
use clew_connect::crm::record::RecordRef;
use clew_connect::{CallError, Connection};
use clew_core::Core;
use clew_store::{LeadKey, Record, Recorded, StoreError};
use shared::ids::LeadId;
use shared::lead::Lead;

/// Why following a connection was interrupted.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// A call to the CRM failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is needed to follow one connection.
pub(super) struct Work<'a> {
    pub(super) core: &'a Core,
    pub(super) settings: &'a Settings,
    pub(super) connection: &'a Connection,
    pub(super) recorder: &'a Recorder,
}

impl Work<'_> {
    /// Finds a lead of the connection's site.
    pub(super) async fn find(&self, key: &LeadKey) -> Result<Option<Lead>, StoreError> {
        let site = &self.connection.config.site;
        find(&*self.core.store, site, self.settings.country(site), key).await
    }

    /// The key by which the lead of a CRM record is looked up.
    pub(super) fn key_of(&self, record: &RecordRef) -> LeadKey {
        LeadKey::crm_record(self.connection.naming.as_str(), &record.object, &record.id)
    }

    /// Of a lead and those merged into it, the one that a key names, so that what is reported of it
    /// stays with it if the merge is undone.
    pub(super) async fn place(&self, lead: &Lead, key: &LeadKey) -> Result<LeadId, StoreError> {
        let site = &self.connection.config.site;
        let named = named(&*self.core.store, site, self.settings.country(site), key).await?;
        Ok(named.filter(|named| lead.answers_for(*named)).unwrap_or(lead.id))
    }

    /// Stores a record of a lead, with the deliveries that report it.
    pub(super) async fn keep(&self, lead: LeadId, record: Record) -> Result<(), StoreError> {
        let site = &self.connection.config.site;
        match self.recorder.record(self.settings, site, lead, record, None).await? {
            Recorded::Stored { .. } => {}
            refused => {
                let (lead, connection) = (lead.to_text(), self.connection.name());
                // The record or deal may belong to another lead, and then does so at every reading.
                tracing::debug!(lead, connection, ?refused, "a record from the CRM was not stored");
            }
        }
        Ok(())
    }
}
