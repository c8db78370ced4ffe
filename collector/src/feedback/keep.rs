//! Records what is reported about a lead, and keeps records that match no lead.

use super::error::FeedbackError;
use crate::leads::{LeadView, LoadError, Moment, find_first, load};
use crate::recorder::Recorder;
use crate::settings::Settings;
use clew_core::Core;
use clew_store::{LeadKey, Recorded, Unmatched};
use shared::ids::{LeadId, SiteId};
use std::sync::Arc;

/// Records stages, deals and links that programs and webhooks report about leads.
pub struct Feedback {
    pub(super) core: Arc<Core>,
    recorder: Arc<Recorder>,
}

impl Feedback {
    /// Creates the service.
    pub fn new(core: Arc<Core>, recorder: Arc<Recorder>) -> Self {
        Self { core, recorder }
    }

    /// Stores a record of the lead that its keys name. Returns the lead including the record, and
    /// whether the record had been stored before. A record that matches no lead is kept as
    /// unmatched.
    pub(super) async fn keep(
        &self,
        settings: &Settings,
        reported: Unmatched,
    ) -> Result<(LeadView, bool), FeedbackError> {
        let Some(lead) = self.find(settings, &reported.site, &reported.keys).await? else {
            self.core.store.keep_unmatched(reported).await?;
            return Err(FeedbackError::Unmatched);
        };
        let repeated = self.store_for_lead(settings, lead, reported).await?;
        let view = load(&*self.core.store, lead, Moment::Now).await;
        let view = view.map_err(|error| match error {
            LoadError::Store(error) => FeedbackError::Store(error),
            LoadError::NoLead | LoadError::NoConversion(_) => FeedbackError::NoLead,
        })?;
        Ok((view, repeated))
    }

    /// Finds the lead by the first key that is known.
    pub(super) async fn find(
        &self,
        settings: &Settings,
        site: &SiteId,
        keys: &[LeadKey],
    ) -> Result<Option<LeadId>, FeedbackError> {
        let found = find_first(&*self.core.store, site, settings.country(site), keys).await?;
        Ok(found.map(|lead| lead.id))
    }

    /// Stores a record of a lead; returns whether it had been stored before.
    pub(super) async fn store_for_lead(
        &self,
        settings: &Settings,
        lead: LeadId,
        reported: Unmatched,
    ) -> Result<bool, FeedbackError> {
        let Unmatched { site, record, crm_record, .. } = reported;
        match self.recorder.record(settings, &site, lead, record, crm_record).await? {
            Recorded::Stored { repeated } => Ok(repeated),
            Recorded::NoLead => Err(FeedbackError::NoLead),
            Recorded::ReferenceUsed => Err(FeedbackError::ReferenceUsed),
            Recorded::IdentityTaken(kind, other) => Err(FeedbackError::IdentityTaken(kind, other)),
        }
    }
}
