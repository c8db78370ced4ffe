//! Reading leads with their histories, each as it stood at one moment.

use super::view::{LeadView, Moment, UnknownConversion};
use clew_store::{Leads, StoreError};
use shared::ids::LeadId;

/// Leads that are held in memory at once while a list is made; each may have page views of
/// [`shared::limits::LEAD_BYTES`].
pub const AT_ONCE: usize = 5;

/// Why a lead could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such lead.
    #[error("the lead is gone")]
    NoLead,
    /// It has no such conversion.
    #[error(transparent)]
    NoConversion(#[from] UnknownConversion),
}

/// Reads a lead as it was at a moment.
///
/// # Errors
/// [`LoadError`].
pub async fn load(
    store: &(impl Leads + ?Sized),
    lead: LeadId,
    moment: Moment,
) -> Result<LeadView, LoadError> {
    let dossier = store.dossiers(&[lead]).await?.pop().ok_or(LoadError::NoLead)?;
    Ok(LeadView::new(dossier, moment)?)
}

/// Reads leads as they are now and makes something of each, [`AT_ONCE`] at a time; those that are gone
/// are left out.
///
/// # Errors
/// The store's.
pub async fn load_each<T>(
    store: &(impl Leads + ?Sized),
    leads: &[LeadId],
    mut make: impl FnMut(&LeadView) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let mut made = Vec::with_capacity(leads.len());
    for some in leads.chunks(AT_ONCE) {
        for dossier in store.dossiers(some).await? {
            // Now is a moment that every history has.
            made.extend(LeadView::new(dossier, Moment::Now).ok().and_then(|view| make(&view)));
        }
    }
    Ok(made)
}
