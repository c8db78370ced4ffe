//! Finds the target of a destination; the only place that knows all kinds of targets.

use super::crm::CrmTarget;
use super::target::Target;
use super::webhook::{Owner, WebhookServices, WebhookTarget};
use crate::settings::Settings;
use crate::subscription::{Subscription, UnusableSecret};
use clew_connect::Connections;
use clew_store::{DestinationId, StoreError};
use std::sync::Arc;

/// Creates targets.
pub struct Targets {
    webhooks: Arc<WebhookServices>,
    connections: Arc<Connections>,
}

impl Targets {
    /// Creates the service.
    pub fn new(webhooks: Arc<WebhookServices>, connections: Arc<Connections>) -> Self {
        Self { webhooks, connections }
    }

    /// The target of a destination; `None` if the destination does not exist or is disabled.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn get(
        &self,
        settings: &Arc<Settings>,
        destination: &DestinationId,
    ) -> Result<Option<Box<dyn Target>>, StoreError> {
        match destination {
            DestinationId::Subscription(id) => {
                let subscriptions = &self.webhooks.subscriptions;
                let found = subscriptions.get(*id).await?.filter(|one| one.disabled.is_none());
                let Some(subscription) = found else { return Ok(None) };
                match self.subscription(settings, subscription.clone()) {
                    Ok(target) => Ok(Some(Box::new(target))),
                    Err(error) => {
                        subscriptions.disable(&subscription, &error.to_string()).await?;
                        Ok(None)
                    }
                }
            }
            DestinationId::Configured(name) => {
                if let Some(target) = self.webhook(settings, name) {
                    return Ok(Some(Box::new(target)));
                }
                let connection = settings.connection(&self.connections, name)?;
                Ok(connection.map(|connection| {
                    let core = Arc::clone(&self.webhooks.core);
                    Box::new(CrmTarget::new(core, Arc::clone(settings), connection)) as _
                }))
            }
        }
    }

    /// The target of a configured webhook.
    pub fn webhook(&self, settings: &Arc<Settings>, name: &str) -> Option<WebhookTarget> {
        let webhook = Arc::clone(settings.webhook(name)?);
        let owner = Owner::Configuration(name.to_owned());
        Some(WebhookTarget::new(Arc::clone(&self.webhooks), Arc::clone(settings), owner, webhook))
    }

    /// The target of a subscription.
    ///
    /// # Errors
    /// If its secret can no longer be used.
    pub fn subscription(
        &self,
        settings: &Arc<Settings>,
        subscription: Subscription,
    ) -> Result<WebhookTarget, UnusableSecret> {
        let allow_private = settings.config.hooks.allow_private;
        let now_ms = self.webhooks.core.now_ms();
        let webhook = Arc::new(subscription.webhook(&settings.seal, allow_private, now_ms)?);
        let owner = Owner::Subscription(Box::new(subscription));
        Ok(WebhookTarget::new(Arc::clone(&self.webhooks), Arc::clone(settings), owner, webhook))
    }
}
