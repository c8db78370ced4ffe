//! The subscriptions: made, changed, ended, and known to whoever hands leads off.
//!
//! Each is a memo under its site's name and its id. They are read at most every two seconds, so that a
//! conversion does not wait for it.

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
/// What was read is trusted for so long: a change by another collector is seen that much later.
const FRESH_MS: i64 = 2_000;
/// Memos that are read at a time.
const PAGE: usize = 500;
const HOUR_MS: i64 = DAY_MS / 24;
/// How often a change is tried where others change the same subscription.
const TRIES: usize = 5;

/// Why a subscription was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The site has as many as it may have.
    #[error(
        "The site has {MOST} subscriptions, which is as many as it may have; delete one first."
    )]
    TooMany,
    /// Its secret cannot be sealed.
    #[error("{0}.")]
    Seal(#[from] SealError),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The subscriptions of all sites.
pub struct Subscriptions {
    core: Arc<Core>,
    receivers: Arc<Receivers>,
    /// What was read, and when.
    read: Mutex<Option<(i64, Arc<Vec<Subscription>>)>>,
}

impl Subscriptions {
    /// Nothing is read yet.
    pub fn new(core: Arc<Core>, receivers: Arc<Receivers>) -> Self {
        Self { core, receivers, read: Mutex::default() }
    }

    /// The subscriptions of all sites, as they were two seconds ago at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn all(&self) -> Result<Arc<Vec<Subscription>>, StoreError> {
        let now_ms = self.core.now_ms();
        if let Some(fresh) = self.fresh(now_ms) {
            return Ok(fresh);
        }
        let all = Arc::new(self.read_all(None).await?);
        self.set(Some((now_ms, Arc::clone(&all))));
        Ok(all)
    }

    /// A subscription of any site, as it was two seconds ago at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        Ok(self.all().await?.iter().find(|one| one.id == id).cloned())
    }

    /// A site's subscriptions as they are now, the oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn of_site(&self, site: &SiteId) -> Result<Vec<Subscription>, StoreError> {
        self.read_all(Some(site)).await
    }

    /// One subscription of a site as it is now.
    ///
    /// # Errors
    /// The store's.
    pub async fn find(
        &self,
        site: &SiteId,
        id: SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        let name = memo_name(site, id);
        Ok(self.core.store.memo(MemoKind::Hook, &name).await?.and_then(|memo| parse(&memo)))
    }

    /// Makes a subscription. Its secret is returned here and never again.
    ///
    /// # Errors
    /// Where the site has too many, the secret cannot be sealed, or the store's.
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
        let id = SubscriptionId::new(LeadId::new(now_ms, self.core.dice.roll()).0);
        let secret = self.new_secret();
        let made = Subscription::new(id, site.clone(), order, &secret, seal, now_ms)?;
        match self.put(&made, None).await? {
            true => Ok((made, secret)),
            // Nobody may learn of one that is not kept.
            false => Err(StoreError::Busy.into()),
        }
    }

    /// Changes a subscription; `None` where there is no such one.
    ///
    /// # Errors
    /// The store's.
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

    /// Gives a subscription another secret, which is returned here and never again; for a day both sign.
    ///
    /// # Errors
    /// Where it cannot be sealed, or the store's.
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

    /// Disables what a receiver refuses or does not accept; what waits for it waits.
    ///
    /// # Errors
    /// The store's.
    pub async fn disable(&self, one: &Subscription, reason: &str) -> Result<(), StoreError> {
        let subscription = one.id.to_string();
        tracing::warn!(subscription, reason, "a subscription is disabled");
        let since_ms = self.core.now_ms();
        let disabled = self.change(&one.site, one.id, |subscription| {
            let reason = Some(reason.to_owned());
            subscription.disabled.get_or_insert(Disabled { since_ms, reason });
        });
        disabled.await.map(drop)
    }

    /// Ends what [`Self::disable`] did; what somebody asked for stays.
    ///
    /// # Errors
    /// The store's.
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

    /// Ends a subscription, and with it what waits for it; `false` where there is no such one.
    ///
    /// # Errors
    /// The store's.
    pub async fn unsubscribe(&self, site: &SiteId, id: SubscriptionId) -> Result<bool, StoreError> {
        // First it gets nothing more, then what waits is settled, and last it goes: a caller that is cut
        // off in between asks again.
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

    /// Settles whatever waits for a subscription that ends: as if it were long after it was due, and
    /// later with each round, so that what stands behind another of its lead has its turn.
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
                let dead = Settlement::Dead { at_ms, error: "it was unsubscribed".into() };
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
        Secret::new(format!("whsec_{}", STANDARD.encode(self.core.dice.roll::<32>())))
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

/// No site's name holds a slash, so that of two sites neither begins like the other.
fn prefix(site: &SiteId) -> String {
    format!("{}/", site.as_str())
}

fn memo_name(site: &SiteId, id: SubscriptionId) -> String {
    format!("{}{id}", prefix(site))
}
