//! Which destinations get a delivery about a lead: the configured webhooks and CRMs, and the
//! subscriptions.

use crate::settings::Settings;
use crate::subscriptions::Subscriptions;
use clew_store::{DeliveryKind, DestinationId, StoreError};
use shared::ids::SiteId;

/// The destinations of a site's leads that get this kind of delivery. CRMs get only conversions.
///
/// # Errors
/// The store's errors.
pub async fn recipients(
    settings: &Settings,
    subscriptions: &Subscriptions,
    site: &SiteId,
    kind: DeliveryKind,
) -> Result<Vec<DestinationId>, StoreError> {
    let config = &settings.config;
    let webhooks = config.destinations.iter().filter(|to| to.events.contains(&kind));
    let webhooks = webhooks.filter(|to| to.site == *site).map(|to| &to.name);
    let crms = config.crm.iter().filter(|crm| kind == DeliveryKind::Converted && crm.site == *site);
    let configured = webhooks.chain(crms.map(|crm| &crm.name));
    let mut all: Vec<DestinationId> =
        configured.map(|name| DestinationId::Configured(name.clone())).collect();
    let subscribed = subscriptions.all().await?;
    let wanted = subscribed.iter().filter(|one| one.site == *site && one.wants(kind));
    all.extend(wanted.map(|one| DestinationId::Subscription(one.id)));
    Ok(all)
}

/// All active destinations of all sites.
///
/// # Errors
/// The store's errors.
pub async fn everyone(
    settings: &Settings,
    subscriptions: &Subscriptions,
) -> Result<Vec<DestinationId>, StoreError> {
    let config = &settings.config;
    let webhooks = config.destinations.iter().map(|to| &to.name);
    let configured = webhooks.chain(config.crm.iter().map(|crm| &crm.name));
    let mut all: Vec<DestinationId> =
        configured.map(|name| DestinationId::Configured(name.clone())).collect();
    let subscribed = subscriptions.all().await?;
    let working = subscribed.iter().filter(|one| one.disabled.is_none());
    all.extend(working.map(|one| DestinationId::Subscription(one.id)));
    Ok(all)
}
