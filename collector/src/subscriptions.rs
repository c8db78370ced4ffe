//! Subscriptions: creates, changes and deletes them, and lists them for deliveries.
//!
//! Each subscription is a memo named by its site and its id. The list is cached for two seconds, so
//! that conversions do not have to read it.

use crate::receivers::Receivers;
use crate::subscription::{Disabled, Order, Subscription, sealed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clew_core::seal::{Seal, SealError};
use clew_core::{Core, Secret};
use clew_store::{Claim, DestinationId, Memo, MemoKind, Settlement, StoreError, SubscriptionId};
use shared::ids::{LeadId, SiteId};
use shared::limits::DAY_MS;
use std::sync::{Arc, Mutex, PoisonError};

/// Subscriptions of one site, at most.
pub const MOST: usize = 100;
/// How long the cached list is used; changes by other collectors are seen with this delay.
const FRESH_MS: i64 = 2_000;
/// Memos per read.
const PAGE: usize = 500;
const HOUR_MS: i64 = DAY_MS / 24;
/// How many times a change is tried if others change the same subscription.
const TRIES: usize = 5;

/// Why a subscription was not created or changed.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The site has reached the limit of subscriptions.
    #[error("The site already has {MOST} subscriptions, the most allowed; delete one first.")]
    TooMany,
    /// Its secret cannot be sealed.
    #[error("{0}.")]
    Seal(#[from] SealError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The subscriptions of all sites.
pub struct Subscriptions {
    core: Arc<Core>,
    receivers: Arc<Receivers>,
    /// The cached list, and when it was read, Unix milliseconds.
    read: Mutex<Option<(i64, Arc<Vec<Subscription>>)>>,
}

impl Subscriptions {
    /// Creates the service.
    pub fn new(core: Arc<Core>, receivers: Arc<Receivers>) -> Self {
        Self { core, receivers, read: Mutex::default() }
    }

    /// The subscriptions of all sites, at most two seconds old.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn all(&self) -> Result<Arc<Vec<Subscription>>, StoreError> {
        let now_ms = self.core.now_ms();
        if let Some(fresh) = self.fresh(now_ms) {
            return Ok(fresh);
        }
        let all = Arc::new(self.read_all(None).await?);
        self.set(Some((now_ms, Arc::clone(&all))));
        Ok(all)
    }

    /// A subscription of any site, at most two seconds old.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn get(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        Ok(self.all().await?.iter().find(|one| one.id == id).cloned())
    }

    /// A site's current subscriptions, oldest first.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn of_site(&self, site: &SiteId) -> Result<Vec<Subscription>, StoreError> {
        self.read_all(Some(site)).await
    }

    /// The current state of a site's subscription.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn find(
        &self,
        site: &SiteId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let name = memo_name(site, id);
        Ok(self.core.store.memo(MemoKind::Hook, &name).await?.and_then(|memo| parse(&memo)))
    }

    /// Creates a subscription. Its secret is returned only here.
    ///
    /// # Errors
    /// If the site has too many subscriptions or the secret cannot be sealed, and the store's
    /// errors.
    pub async fn subscribe(
        &self,
        seal: &Seal,
        site: &SiteId,
        order: Order,
    ) -> Result<(Subscription, Secret), SubscribeError> {
        if self.of_site(site).await?.len() >= MOST {
            return Err(SubscribeError::TooMany);
        }
        let now_ms = self.core.now_ms();
        let id = SubscriptionId::new(LeadId::new(now_ms, self.core.random.bytes()).0);
        let secret = self.new_secret();
        let made = Subscription::new(id, site.clone(), order, &secret, seal, now_ms)?;
        match self.put(&made, None).await? {
            true => Ok((made, secret)),
            // The caller must not learn of a subscription that was not stored.
            false => Err(StoreError::Busy.into()),
        }
    }

    /// Changes a subscription; returns `None` if it does not exist.
    ///
    /// # Errors
    /// The store's errors; [`StoreError::Busy`] if others keep changing the same subscription.
    pub async fn change(
        &self,
        site: &SiteId,
        id: SubscriptionId,
        change: impl Fn(&mut Subscription) + Send + Sync,
    ) -> Result<Option<Subscription>, StoreError> {
        let name = memo_name(site, id);
        for _ in 0..TRIES {
            let memo = self.core.recall::<Subscription>(MemoKind::Hook, &name).await?;
            let Some(mut subscription) = memo.value else { return Ok(None) };
            change(&mut subscription);
            if self.put(&subscription, memo.stamp).await? {
                return Ok(Some(subscription));
            }
        }
        Err(StoreError::Busy)
    }

    /// Gives a subscription a new secret, which is returned only here. For a day, both secrets
    /// sign. Returns `None` if the subscription does not exist.
    ///
    /// # Errors
    /// If the secret cannot be sealed, and the store's errors.
    pub async fn rotate(
        &self,
        seal: &Seal,
        site: &SiteId,
        id: SubscriptionId,
    ) -> Result<Option<(Subscription, Secret)>, SubscribeError> {
        let secret = self.new_secret();
        let sealed = sealed(seal, id, &secret)?;
        let now_ms = self.core.now_ms();
        let rotated = self.change(site, id, |one| one.rotate(sealed.clone(), now_ms)).await?;
        Ok(rotated.map(|subscription| (subscription, secret)))
    }

    /// Disables a subscription that cannot be delivered to; its pending deliveries wait.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn disable(&self, one: &Subscription, reason: &str) -> Result<(), StoreError> {
        let subscription = one.id.to_string();
        tracing::warn!(subscription, reason, "a subscription was disabled");
        let since_ms = self.core.now_ms();
        let disabled = self.change(&one.site, one.id, |subscription| {
            let reason = Some(reason.to_owned());
            subscription.disabled.get_or_insert(Disabled { since_ms, reason });
        });
        disabled.await.map(drop)
    }

    /// Enables a subscription that [`Self::disable`] disabled. One that was disabled by request
    /// stays disabled.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn enable(&self, one: &Subscription) -> Result<(), StoreError> {
        if !one.is_disabled_by_receiver() {
            return Ok(());
        }
        let enabled = self.change(&one.site, one.id, |subscription| {
            if subscription.is_disabled_by_receiver() {
                subscription.disabled = None;
            }
        });
        enabled.await.map(drop)
    }

    /// Deletes a subscription and settles its pending deliveries as dead; returns `false` if it
    /// does not exist.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn unsubscribe(&self, site: &SiteId, id: SubscriptionId) -> Result<bool, StoreError> {
        // First it is disabled, then pending deliveries are settled, then it is deleted, so that an
        // interrupted caller can repeat the request.
        let asked_for = Disabled { since_ms: self.core.now_ms(), reason: None };
        let ending = self.change(site, id, |one| one.disabled = Some(asked_for.clone()));
        if ending.await?.is_none() {
            return Ok(false);
        }
        let destination = DestinationId::Subscription(id);
        self.receivers.forget(&destination).await?;
        self.give_up(&destination).await?;
        let name = memo_name(site, id);
        let stamp = self.core.recall::<Subscription>(MemoKind::Hook, &name).await?.stamp;
        if stamp.is_none() {
            return Ok(true);
        }
        let none: Option<&Subscription> = None;
        let removed = self.core.remember(MemoKind::Hook, &name, stamp, none).await?;
        self.set(None);
        removed.map_or(Err(StoreError::Busy), |_| Ok(true))
    }

    /// Settles the pending deliveries of a subscription that is being deleted. It claims them as of
    /// a time far in the future, later each round, so that deliveries queued behind another of
    /// their lead are reached too.
    async fn give_up(&self, destination: &DestinationId) -> Result<(), StoreError> {
        let at_ms = self.core.now_ms();
        for round in 1.. {
            let now_ms = at_ms + 3650 * DAY_MS + round * HOUR_MS;
            let lease_until_ms = now_ms + HOUR_MS / 2;
            let destination = destination.clone();
            let claim = Claim { destination, now_ms, lease_until_ms, limit: PAGE };
            let waiting = self.core.store.claim_deliveries(claim).await?;
            if waiting.is_empty() {
                break;
            }
            for delivery in waiting {
                let dead = Settlement::Dead { at_ms, error: "the subscription was deleted".into() };
                self.core.store.settle_delivery(delivery.id, delivery.claims, dead).await?;
            }
        }
        Ok(())
    }

    async fn read_all(&self, site: Option<&SiteId>) -> Result<Vec<Subscription>, StoreError> {
        let prefix = site.map(prefix).unwrap_or_default();
        let (mut found, mut after) = (Vec::new(), Some(prefix.clone()));
        loop {
            let memos = self.core.store.memos(MemoKind::Hook, after.take(), PAGE).await?;
            after = memos.last().map(|memo| memo.name.clone());
            let of_site: Vec<&Memo> =
                memos.iter().take_while(|memo| memo.name.starts_with(&prefix)).collect();
            found.extend(of_site.iter().filter_map(|memo| parse(memo)));
            if of_site.len() < PAGE {
                return Ok(found);
            }
        }
    }

    async fn put(&self, one: &Subscription, was: Option<u64>) -> Result<bool, StoreError> {
        let name = memo_name(&one.site, one.id);
        let kept = self.core.remember(MemoKind::Hook, &name, was, Some(one)).await;
        self.set(None);
        Ok(kept?.is_some())
    }

    fn new_secret(&self) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(self.core.random.bytes::<32>())))
    }

    fn fresh(&self, now_ms: i64) -> Option<Arc<Vec<Subscription>>> {
        let (read_at_ms, all) = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        (0..FRESH_MS).contains(&(now_ms - read_at_ms)).then_some(all)
    }

    fn set(&self, read: Option<(i64, Arc<Vec<Subscription>>)>) {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }
}

fn parse(memo: &Memo) -> Option<Subscription> {
    let read = serde_json::from_str(&memo.value);
    if let Err(error) = &read {
        tracing::error!(name = memo.name, %error, "a subscription cannot be read");
    }
    read.ok()
}

/// The prefix of a site's memos. Site names cannot contain a slash, so no prefix begins another.
fn prefix(site: &SiteId) -> String {
    format!("{}/", site.as_str())
}

fn memo_name(site: &SiteId, id: SubscriptionId) -> String {
    format!("{}{id}", prefix(site))
}
