//! Looking up leads.

use clew_store::{LeadKey, Leads, StoreError};
use shared::ids::{LeadId, SiteId};
use shared::lead::{Country, Lead};

/// Finds a lead of a site, without its history. A lead that was confirmed or merged resolves to the
/// one that answers for it. A phone number without a country code gets that of `country`.
///
/// # Errors
/// The store's errors.
pub async fn find(
    store: &(impl Leads + ?Sized),
    site: &SiteId,
    country: Option<Country>,
    key: &LeadKey,
) -> Result<Option<Lead>, StoreError> {
    let Some(id) = named(store, site, country, key).await? else { return Ok(None) };
    let found = answering(store, id).await?;
    Ok(found.filter(|lead| lead.site == *site))
}

/// The lead that a key names, which another one may answer for.
///
/// # Errors
/// The store's errors.
pub async fn named(
    store: &(impl Leads + ?Sized),
    site: &SiteId,
    country: Option<Country>,
    key: &LeadKey,
) -> Result<Option<LeadId>, StoreError> {
    match key.identity(country) {
        Some((kind, value)) => store.find_lead(site, kind, &value).await,
        None => Ok(key.id()),
    }
}

/// A lead, or the one that answers for it.
///
/// # Errors
/// The store's errors.
pub async fn answering(
    store: &(impl Leads + ?Sized),
    lead: LeadId,
) -> Result<Option<Lead>, StoreError> {
    let mut found = store.lead(lead).await?;
    while let Some(other) = found.as_ref().and_then(|lead| lead.status.answered_by()) {
        found = store.lead(other).await?;
    }
    Ok(found)
}

/// Finds a lead of a site by the first key that is known.
///
/// # Errors
/// The store's errors.
pub async fn find_first(
    store: &(impl Leads + ?Sized),
    site: &SiteId,
    country: Option<Country>,
    keys: &[LeadKey],
) -> Result<Option<Lead>, StoreError> {
    for key in keys {
        if let Some(lead) = find(store, site, country, key).await? {
            return Ok(Some(lead));
        }
    }
    Ok(None)
}
