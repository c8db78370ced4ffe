//! Loading leads with their histories, each as of one moment.

use super::view::{LeadView, Moment, UnknownConversion};
use clew_store::{Dossier, Leads, Record, StoreError, absorb_records};
use shared::ids::LeadId;
use shared::lead::{Lead, LeadStatus};

/// Leads held in memory at once while a list is built; each may have up to
/// [`shared::limits::LEAD_BYTES`] of page views.
pub const AT_ONCE: usize = 5;

/// Why a lead could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lead does not exist.
    #[error("the lead is gone")]
    NoLead,
    /// The lead does not have the conversion.
    #[error(transparent)]
    NoConversion(#[from] UnknownConversion),
}

/// Loads a lead as of a moment.
///
/// # Errors
/// [`LoadError`].
pub async fn load(
    store: &(impl Leads + ?Sized),
    lead: LeadId,
    moment: Moment,
) -> Result<LeadView, LoadError> {
    let dossier = whole(store, &[lead]).await?.pop().ok_or(LoadError::NoLead)?;
    Ok(LeadView::new(dossier, moment)?)
}

/// The records of a lead and of the leads merged into it, in the order of time.
///
/// # Errors
/// The store's errors.
pub async fn records(
    store: &(impl Leads + ?Sized),
    lead: &Lead,
) -> Result<Vec<Record>, StoreError> {
    let mut records = store.records(lead.id).await?;
    for merged in lead.merged_leads() {
        absorb_records(lead, &mut records, merged, store.records(merged).await?);
    }
    Ok(records)
}

/// Leads, or those that answer for them, each together with the leads merged into it.
async fn whole(
    store: &(impl Leads + ?Sized),
    leads: &[LeadId],
) -> Result<Vec<Dossier>, StoreError> {
    let mut dossiers = store.dossiers(leads).await?;
    for dossier in &mut dossiers {
        while let LeadStatus::Merged(survivor) = dossier.lead.status {
            let Some(other) = store.dossiers(&[survivor]).await?.pop() else { break };
            *dossier = other;
        }
        let merged: Vec<LeadId> = dossier.lead.merged_leads().collect();
        for lead in &merged {
            for one in store.dossiers(&[*lead]).await? {
                dossier.absorb(one);
            }
        }
        if !merged.is_empty() {
            dossier.lead.created_at_ms = dossier.lead.first_converted_at_ms();
            dossier.lead.converted_at_ms = dossier.lead.last_converted_at_ms();
            dossier.lead.contact = dossier.lead.known_contact();
        }
    }
    Ok(dossiers)
}

/// Loads leads as of now, [`AT_ONCE`] at a time, and passes each to `make`. Leads that no longer
/// exist are left out.
///
/// # Errors
/// The store's errors.
pub async fn load_each<T>(
    store: &(impl Leads + ?Sized),
    leads: &[LeadId],
    mut make: impl FnMut(&LeadView) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let mut made = Vec::with_capacity(leads.len());
    for some in leads.chunks(AT_ONCE) {
        for dossier in whole(store, some).await? {
            // `Moment::Now` works for every history.
            made.extend(LeadView::new(dossier, Moment::Now).ok().and_then(|view| make(&view)));
        }
    }
    Ok(made)
}
