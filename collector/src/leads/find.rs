//! Looking up leads.

use clew_store::{LeadKey, Leads, StoreError};
use shared::ids::SiteId;
use shared::lead::{Country, Lead, LeadStatus};

/// Finds a lead of a site, without its history. A confirmed proposed lead resolves to the lead that
/// it became. A phone number without a country code gets that of `country`.
///
/// # Errors
/// The store's errors.
pub async fn find(
    store: &(impl Leads + ?Sized),
    site: &SiteId,
    country: Option<Country>,
    key: &LeadKey,
) -> Result<Option<Lead>, StoreError> {
    let id = match key.identity(country) {
        Some((kind, value)) => store.find_lead(site, kind, &value).await?,
        None => key.id(),
    };
    let Some(id) = id else { return Ok(None) };
    let mut found = store.lead(id).await?;
    if let Some(LeadStatus::Confirmed(lead)) = found.as_ref().map(|lead| lead.status) {
        found = store.lead(lead).await?;
    }
    Ok(found.filter(|lead| lead.site == *site))
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
