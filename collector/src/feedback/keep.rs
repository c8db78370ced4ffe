//! Keeps what was reported of a lead, or of somebody whom no lead is known for.

use super::error::FeedbackError;
use crate::leads::{LeadView, LoadError, Moment, find_first, load};
use crate::recorder::Recorder;
use crate::settings::Settings;
use clew_core::Core;
use clew_store::{LeadKey, Recorded, Unmatched};
use shared::ids::{LeadId, SiteId};
use std::sync::Arc;

/// Takes what comes back of leads.
pub struct Feedback {
    pub(super) core: Arc<Core>,
    recorder: Arc<Recorder>,
}

impl Feedback {
    /// On a store.
    pub fn new(core: Arc<Core>, recorder: Arc<Recorder>) -> Self {
        Self { core, recorder }
    }

    /// Keeps a record of the lead that its keys name. Returns the lead as it stands with the record, and
    /// whether the record had been kept before. A record that matches no lead is kept as such.
    pub(super) async fn keep(
        &self,
        settings: &Settings,
        reported: Unmatched,
    ) -> Result<(LeadView, bool), FeedbackError> {
        let Some(lead) = self.find(settings, &reported.site, &reported.keys).await? else {
            self.core.store.keep_unmatched(reported).await?;
            return Err(FeedbackError::Unmatched);
        };
        let repeated = self.keep_of(settings, lead, reported).await?;
        let view = load(&*self.core.store, lead, Moment::Now).await;
        let view = view.map_err(|error| match error {
            LoadError::Store(error) => FeedbackError::Store(error),
            LoadError::NoLead | LoadError::NoConversion(_) => FeedbackError::NoLead,
        })?;
        Ok((view, repeated))
    }

    /// The lead by the first of the keys that is known.
    pub(super) async fn find(
        &self,
        settings: &Settings,
        site: &SiteId,
        keys: &[LeadKey],
    ) -> Result<Option<LeadId>, FeedbackError> {
        let found = find_first(&*self.core.store, site, settings.country(site), keys).await?;
        Ok(found.map(|lead| lead.id))
    }

    /// Keeps a record of a lead; whether it had been kept before.
    pub(super) async fn keep_of(
        &self,
        settings: &Settings,
        lead: LeadId,
        reported: Unmatched,
    ) -> Result<bool, FeedbackError> {
        let Unmatched { site, record, crm_record, .. } = reported;
        match self.recorder.record(settings, &site, lead, record, crm_record).await? {
            Recorded::Kept { repeated } => Ok(repeated),
            Recorded::NoLead => Err(FeedbackError::NoLead),
            Recorded::ReferenceUsed => Err(FeedbackError::ReferenceUsed),
            Recorded::Taken(kind, other) => Err(FeedbackError::Taken(kind, other)),
        }
    }
}
