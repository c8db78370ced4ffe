//! A webhook as a target: its frozen body posted, and what the receiver's answer says of the delivery and
//! of the receiver. And the test of a webhook, which is posted at once.

use super::body;
use super::client::{Reply, post};
use crate::leads::LoadError;
use crate::outbox::target::{Attempt, Target};
use crate::receivers::Receivers;
use crate::settings::{BodyShape, Settings, Webhook};
use crate::subscription::Subscription;
use crate::subscriptions::Subscriptions;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clew_api::{FlatPing, HookTest, PingData, PingEvent, Timestamp};
use clew_connect::Outgoing;
use clew_core::{Core, Pause};
use clew_store::{Delivery, DestinationId, StoreError};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What all webhooks are delivered with.
pub struct WebhookServices {
    /// The store, the time, the dice.
    pub core: Arc<Core>,
    /// The HTTP clients.
    pub outgoing: Outgoing,
    /// How the receivers behave.
    pub receivers: Arc<Receivers>,
    /// The subscriptions.
    pub subscriptions: Arc<Subscriptions>,
}

/// A webhook with what it is delivered with.
pub struct WebhookTarget {
    services: Arc<WebhookServices>,
    settings: Arc<Settings>,
    owner: Owner,
    webhook: Arc<Webhook>,
}

/// Whose webhook it is, which decides how it is stopped.
pub enum Owner {
    /// A destination of the configuration, by its name: it is paused.
    Configuration(String),
    /// A subscription: it is disabled.
    Subscription(Box<Subscription>),
}

impl WebhookTarget {
    /// Of a webhook and its owner.
    pub fn new(
        services: Arc<WebhookServices>,
        settings: Arc<Settings>,
        owner: Owner,
        webhook: Arc<Webhook>,
    ) -> Self {
        Self { services, settings, owner, webhook }
    }

    /// Sends a `ping` now. If the receiver accepts it, deliveries resume.
    ///
    /// # Errors
    /// The store's.
    pub async fn test(&self) -> Result<HookTest, StoreError> {
        let WebhookServices { core, receivers, .. } = &*self.services;
        let now_ms = core.now_ms();
        let id = format!("ping_{}", URL_SAFE_NO_PAD.encode(core.random.bytes::<16>()));
        let (at, ping_id) = (Timestamp(now_ms), id.clone());
        let body = match self.webhook.shape {
            BodyShape::Enveloped => {
                json!(PingEvent { r#type: "ping", timestamp: at, data: PingData { id: ping_id } })
            }
            BodyShape::Flat => json!(FlatPing { id: ping_id, event: "ping", occurred_at: at }),
        };
        let begun = Instant::now();
        let reply = self.post(&id, body.to_string().into(), now_ms).await;
        let milliseconds = begun.elapsed().as_millis() as u64;
        let status = match reply {
            Reply::Answered { status, .. } => Some(status),
            _ => None,
        };
        let accepted = matches!(status, Some(200..300));
        if accepted {
            receivers.succeeded(&self.id()).await?;
            self.resume().await?;
        }
        let error = (!accepted).then(|| reply.to_string());
        Ok(HookTest { accepted, status, milliseconds, error, webhook_id: id })
    }

    fn id(&self) -> DestinationId {
        match &self.owner {
            Owner::Configuration(name) => DestinationId::Configured(name.clone()),
            Owner::Subscription(subscription) => DestinationId::Subscription(subscription.id),
        }
    }

    async fn post(&self, id: &str, body: Vec<u8>, now_ms: i64) -> Reply {
        let (outgoing, timeout) = (&self.services.outgoing, self.settings.timeout());
        post(outgoing, &self.webhook, id, body, now_ms, timeout).await
    }

    /// Tries it no more until a test of it succeeds; what waits for it waits.
    async fn stop(&self, reason: &str) -> Result<(), StoreError> {
        let WebhookServices { core, subscriptions, .. } = &*self.services;
        match &self.owner {
            Owner::Configuration(name) => Pause::begin(core, name, reason.to_owned(), false).await,
            Owner::Subscription(subscription) => subscriptions.disable(subscription, reason).await,
        }
    }

    /// Ends what [`Self::stop`] did.
    async fn resume(&self) -> Result<(), StoreError> {
        let WebhookServices { core, subscriptions, .. } = &*self.services;
        match &self.owner {
            Owner::Configuration(name) => Pause::end(core, name).await,
            Owner::Subscription(subscription) => subscriptions.enable(subscription).await,
        }
    }
}

#[async_trait]
impl Target for WebhookTarget {
    fn longest_attempt(&self) -> Duration {
        self.settings.timeout()
    }

    async fn capacity(&self, in_flight: usize) -> Result<usize, StoreError> {
        if self.services.receivers.is_held(&self.id()) {
            return Ok(0);
        }
        // A subscription that is disabled is not a target at all.
        if let Owner::Configuration(name) = &self.owner
            && Pause::of(&self.services.core, name).await?.is_some()
        {
            return Ok(0);
        }
        Ok(self.settings.config.delivery.concurrency.saturating_sub(in_flight))
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Attempt, StoreError> {
        let core = &self.services.core;
        let body = match core.store.delivery_body(delivery.id).await? {
            Some(frozen) => frozen,
            None => {
                let shape = self.webhook.shape;
                match body::build(&*core.store, &self.settings, delivery, shape).await {
                    Ok(body) => core.store.freeze_delivery(delivery.id, body).await?,
                    Err(LoadError::Store(error)) => return Err(error),
                    Err(gone) => return Ok(Attempt::Hopeless(gone.to_string())),
                }
            }
        };
        let now_ms = core.now_ms();
        let reply = self.post(&delivery.id.to_text(), body, now_ms).await;
        let said = reply.to_string();
        Ok(match reply {
            Reply::NotCalled(error) => Attempt::Hopeless(error),
            Reply::Answered { status: 200..300, .. } => Attempt::Accepted,
            Reply::Answered { status: 410, .. } => {
                Attempt::Refused(format!("{said}: it wants no more"))
            }
            Reply::Answered { status: 429, retry_at_ms } => {
                Attempt::Busy { until_ms: retry_at_ms, reason: said }
            }
            Reply::Answered { status, retry_at_ms } => {
                let overloaded = retry_at_ms.is_some() || matches!(status, 502 | 504);
                Attempt::Failed { error: said, not_before_ms: retry_at_ms, overloaded }
            }
            Reply::Silent(error) => {
                Attempt::Failed { error, not_before_ms: None, overloaded: false }
            }
        })
    }

    async fn after_attempt(&self, attempt: &Attempt) -> Result<Option<i64>, StoreError> {
        let (receivers, id) = (&self.services.receivers, self.id());
        let until_ms = match attempt {
            Attempt::Accepted => {
                receivers.succeeded(&id).await?;
                return Ok(None);
            }
            Attempt::Hopeless(_) => return Ok(None),
            Attempt::Refused(reason) => {
                self.stop(reason).await?;
                return Ok(None);
            }
            Attempt::Busy { until_ms, .. } => Some(receivers.slow_down(&id, *until_ms)),
            Attempt::Failed { not_before_ms, overloaded, .. } => {
                if *overloaded {
                    receivers.slow_down(&id, *not_before_ms);
                }
                *not_before_ms
            }
        };
        if receivers.failed(&id).await? {
            self.stop("it has taken nothing for five days").await?;
        }
        Ok(until_ms)
    }
}
