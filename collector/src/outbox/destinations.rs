//! Who is told of a lead: the webhooks of the configuration, the subscriptions made by API, the CRMs.

use super::sign::SigningKeys;
use crate::app::App;
use crate::settings::Settings;
use crate::store::{DeliveryKind, StoreError};
use crate::subscription;
use shared::ids::SiteId;
use url::Url;

/// A place that webhooks go to.
pub struct Destination {
    /// Its name in deliveries.
    pub name: String,
    /// The webhook's address.
    pub url: Url,
    /// Whether the address may lie in a private network.
    pub allow_private: bool,
    /// What its webhooks are signed with.
    pub keys: SigningKeys,
    /// What its bodies look like.
    pub form: Form,
}

/// What a webhook's body looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// `type`, `timestamp` and `data`, as Standard Webhooks has it.
    Enveloped,
    /// One object with all fields side by side, as Zapier and its like map it.
    Flat,
}

/// The names of all that are to be told of something that happened to a site's lead.
///
/// # Errors
/// The store's.
pub async fn destinations(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    kind: DeliveryKind,
) -> Result<Vec<String>, StoreError> {
    let mut names = settings.destinations(site, kind);
    let subscriptions = subscription::all(app).await?;
    let wanted = subscriptions.iter().filter(|one| one.site == *site && one.wants(kind));
    names.extend(wanted.map(|one| one.id.clone()));
    Ok(names)
}
