//! Loading leads with their histories, each as of one moment.

use super::view::{LeadView, Moment, UnknownConversion};
use clew_store::{Leads, StoreError};
use shared::ids::LeadId;

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
    let dossier = store.dossiers(&[lead]).await?.pop().ok_or(LoadError::NoLead)?;
    Ok(LeadView::new(dossier, moment)?)
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
        for dossier in store.dossiers(some).await? {
            // `Moment::Now` works for every history.
            made.extend(LeadView::new(dossier, Moment::Now).ok().and_then(|view| make(&view)));
        }
    }
    Ok(made)
}
