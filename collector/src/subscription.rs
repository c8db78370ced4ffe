//! One subscription: a webhook that a program ordered by API, as Zapier, Make and n8n do.

use crate::settings::{BodyShape, Webhook};
use crate::signing::{SecretError, SigningKey, SigningKeys};
use clew_core::seal::{Seal, SealError};
use clew_core::{Secret, is_ahead};
use clew_store::{DeliveryKind, SubscriptionId};
use serde::{Deserialize, Serialize};
use shared::ids::SiteId;
use shared::limits::DAY_MS;
use url::Url;

/// How long a secret signs that was replaced.
const BOTH_SIGN_MS: i64 = DAY_MS;

/// One subscription, as it is stored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// Where its webhooks go.
    pub target_url: Url,
    /// What it gets.
    pub events: Vec<DeliveryKind>,
    /// What it is for, in its maker's words.
    pub description: Option<String>,
    /// When it was made, Unix milliseconds.
    pub created_at_ms: i64,
    /// That it gets nothing, and why.
    pub disabled: Option<Disabled>,
    /// Sealed.
    secret: String,
    previous: Option<Previous>,
}

/// Why a subscription gets nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// What its receiver did; `None` where somebody asked for it.
    pub reason: Option<String>,
}

/// A secret that a new one has replaced.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Previous {
    /// Sealed.
    secret: String,
    until_ms: i64,
}

/// What a new subscription should be.
pub struct Order {
    /// Where its webhooks go.
    pub target_url: Url,
    /// What it gets.
    pub events: Vec<DeliveryKind>,
    /// What it is for.
    pub description: Option<String>,
}

/// A secret that cannot be used any more.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnusableSecret {
    /// It cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// It was opened and does not sign.
    #[error(transparent)]
    Form(#[from] SecretError),
}

impl Subscription {
    /// A new one; its secret is kept sealed.
    ///
    /// # Errors
    /// Where the secret cannot be sealed.
    pub(super) fn new(
        id: SubscriptionId,
        site: SiteId,
        order: Order,
        secret: &Secret,
        seal: &Seal,
        created_at_ms: i64,
    ) -> Result<Self, SealError> {
        let Order { target_url, events, description } = order;
        Ok(Self {
            id,
            site,
            target_url,
            events,
            description,
            created_at_ms,
            disabled: None,
            secret: sealed(seal, id, secret)?,
            previous: None,
        })
    }

    /// Replaces the secret by one that is sealed already; for a day the one before signs too.
    pub(super) fn rotate(&mut self, secret: String, now_ms: i64) {
        let until_ms = now_ms + BOTH_SIGN_MS;
        let before = std::mem::replace(&mut self.secret, secret);
        self.previous = Some(Previous { secret: before, until_ms });
    }

    /// Whether it gets this kind of delivery now.
    pub fn wants(&self, kind: DeliveryKind) -> bool {
        self.disabled.is_none() && self.events.contains(&kind)
    }

    /// Whether its receiver's behaviour disabled it, and nobody's request.
    pub(super) fn is_disabled_by_receiver(&self) -> bool {
        self.disabled.as_ref().is_some_and(|disabled| disabled.reason.is_some())
    }

    /// Its webhook, with what signs it now.
    ///
    /// # Errors
    /// Where its secret cannot be used any more.
    pub fn webhook(
        &self,
        seal: &Seal,
        allow_private: bool,
        now_ms: i64,
    ) -> Result<Webhook, UnusableSecret> {
        let key = |sealed: &String| -> Result<SigningKey, UnusableSecret> {
            let secret = seal.open(&label(self.id), sealed)?;
            Ok(SigningKey::parse(&Secret::new(secret))?)
        };
        let mut keys = vec![key(&self.secret)?];
        let previous = self
            .previous
            .as_ref()
            .filter(|previous| is_ahead(previous.until_ms, BOTH_SIGN_MS, now_ms));
        // One that cannot be opened any more is not one that a receiver can wait for.
        keys.extend(previous.and_then(|previous| key(&previous.secret).ok()));
        Ok(Webhook {
            url: self.target_url.clone(),
            allow_private,
            keys: SigningKeys(keys),
            shape: BodyShape::Flat,
        })
    }
}

/// A secret as it is stored.
///
/// # Errors
/// Where it cannot be sealed.
pub(super) fn sealed(
    seal: &Seal,
    id: SubscriptionId,
    secret: &Secret,
) -> Result<String, SealError> {
    seal.seal(&label(id), secret.reveal())
}

fn label(id: SubscriptionId) -> String {
    format!("subscription {id}")
}
