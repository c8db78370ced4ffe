//! Subscriptions: webhooks that a program orders by API, as Zapier, Make and n8n do it.
//!
//! Each is a memo under its site's name and its id. A subscription's id is its name in deliveries; no
//! destination of the configuration is as long. What all of them say is read at most every two seconds, so that
//! a conversion does not wait for it.

use crate::app::App;
use crate::outbox::destinations::{Destination, Form};
use crate::outbox::receivers;
use crate::outbox::sign::{SigningKey, SigningKeys};
use crate::secret::Secret;
use crate::settings::Settings;
use crate::store::{Claim, DeliveryKind, Memo, MemoChange, MemoKind, Settlement, StoreError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use shared::ids::{LeadId, SiteId};
use shared::limits::DAY_MS;
use std::sync::{Arc, Mutex, PoisonError};
use url::Url;

/// Subscriptions of one site, at most.
pub const MOST: usize = 100;
/// For so long after a new secret the one before signs too.
const BOTH_SIGN_MS: i64 = DAY_MS;
/// What was read is believed for so long: a change by another collector is seen that much later.
const FRESH_MS: i64 = 2_000;
/// Memos that are read at a time.
const PAGE: usize = 500;
const HOUR_MS: i64 = DAY_MS / 24;
/// How often a change is tried where others change the same one.
const TRIES: usize = 5;

/// One subscription.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// `hk_` and 32 hex digits.
    pub id: String,
    /// The site whose leads it gets.
    pub site: SiteId,
    /// Where its webhooks go.
    pub target_url: Url,
    /// What it is told of.
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

/// A secret that a new one has taken the place of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Previous {
    /// Sealed.
    secret: String,
    until_ms: i64,
}

/// What is asked for by whoever subscribes.
pub struct Order {
    /// Where its webhooks go.
    pub target_url: Url,
    /// What it is told of.
    pub events: Vec<DeliveryKind>,
    /// What it is for.
    pub description: Option<String>,
}

/// Why a subscription was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The site has as many as it may have.
    #[error(
        "The site has {MOST} subscriptions, which is as many as it may have; delete one first."
    )]
    TooMany,
    /// Its secret cannot be sealed, or not be opened any more.
    #[error("{0}.")]
    Sealed(String),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was read of them, and when.
#[derive(Default)]
pub struct Subscriptions(Mutex<Option<(i64, Arc<Vec<Subscription>>)>>);

impl Subscriptions {
    fn known(&self, now_ms: i64) -> Option<Arc<Vec<Subscription>>> {
        let (read_at_ms, all) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        (0..FRESH_MS).contains(&(now_ms - read_at_ms)).then_some(all)
    }

    fn set(&self, known: Option<(i64, Arc<Vec<Subscription>>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// The subscriptions of all sites, as they were two seconds ago at most.
///
/// # Errors
/// The store's.
pub async fn all(app: &App) -> Result<Arc<Vec<Subscription>>, StoreError> {
    let now_ms = app.clock.now_ms();
    if let Some(known) = app.subscriptions.known(now_ms) {
        return Ok(known);
    }
    let all = Arc::new(read(app, None).await?);
    app.subscriptions.set(Some((now_ms, Arc::clone(&all))));
    Ok(all)
}

/// A site's subscriptions as they are now, the oldest first.
///
/// # Errors
/// The store's.
pub async fn of_site(app: &App, site: &SiteId) -> Result<Vec<Subscription>, StoreError> {
    read(app, Some(site)).await
}

async fn read(app: &App, site: Option<&SiteId>) -> Result<Vec<Subscription>, StoreError> {
    let prefix = site.map(|site| memo_name(site, "")).unwrap_or_default();
    let (mut found, mut after) = (Vec::new(), Some(prefix.clone()));
    loop {
        let memos = app.store.memos(MemoKind::Hook, after.take(), PAGE).await?;
        let full = memos.len() == PAGE;
        after = memos.last().map(|memo| memo.name.clone());
        let of_site = memos.iter().take_while(|memo| memo.name.starts_with(&prefix));
        let before = found.len();
        found.extend(of_site.filter_map(opened));
        if !full || found.len() - before < PAGE {
            return Ok(found);
        }
    }
}

fn opened(memo: &Memo) -> Option<Subscription> {
    let read = serde_json::from_str(&memo.value);
    if let Err(error) = &read {
        tracing::error!(name = memo.name, %error, "a subscription cannot be read");
    }
    read.ok()
}

/// One subscription of a site as it is now.
///
/// # Errors
/// The store's.
pub async fn find(app: &App, site: &SiteId, id: &str) -> Result<Option<Subscription>, StoreError> {
    Ok(find_memo(app, site, id).await?.and_then(|memo| opened(&memo)))
}

async fn find_memo(app: &App, site: &SiteId, id: &str) -> Result<Option<Memo>, StoreError> {
    match is_id(id) {
        true => app.store.memo(MemoKind::Hook, &memo_name(site, id)).await,
        false => Ok(None),
    }
}

/// Makes a subscription; with it its secret, which nobody is told again.
///
/// # Errors
/// Where the site has too many, the secret cannot be sealed, or the store's.
pub async fn subscribe(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    order: Order,
) -> Result<(Subscription, Secret), SubscribeError> {
    if of_site(app, site).await?.len() >= MOST {
        return Err(SubscribeError::TooMany);
    }
    let created_at_ms = app.clock.now_ms();
    let id = format!("hk_{}", LeadId::new(created_at_ms, app.dice.roll()).0.simple());
    let secret = new_secret(app);
    let Order { target_url, events, description } = order;
    let made = Subscription {
        secret: seal(settings, &id, &secret)?,
        id,
        site: site.clone(),
        target_url,
        events,
        description,
        created_at_ms,
        disabled: None,
        previous: None,
    };
    match put(app, &made, None).await? {
        true => Ok((made, secret)),
        // Nobody may be told of one that is not kept.
        false => Err(StoreError::Busy.into()),
    }
}

/// Changes a subscription; `None` where there is none.
///
/// # Errors
/// The store's.
pub async fn change(
    app: &App,
    site: &SiteId,
    id: &str,
    change: impl Fn(&mut Subscription) + Send + Sync,
) -> Result<Option<Subscription>, StoreError> {
    for _ in 0..TRIES {
        let Some(memo) = find_memo(app, site, id).await? else { return Ok(None) };
        let Some(mut subscription) = opened(&memo) else { return Ok(None) };
        change(&mut subscription);
        if put(app, &subscription, Some(memo.stamp)).await? {
            return Ok(Some(subscription));
        }
    }
    Err(StoreError::Busy)
}

/// Gives a subscription another secret; for a day both sign.
///
/// # Errors
/// Where it cannot be sealed, or the store's.
pub async fn rotate(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    id: &str,
) -> Result<Option<(Subscription, Secret)>, SubscribeError> {
    let secret = new_secret(app);
    let sealed = seal(settings, id, &secret)?;
    let until_ms = app.clock.now_ms() + BOTH_SIGN_MS;
    let rotated = change(app, site, id, |subscription| {
        let before = std::mem::replace(&mut subscription.secret, sealed.clone());
        subscription.previous = Some(Previous { secret: before, until_ms });
    });
    Ok(rotated.await?.map(|subscription| (subscription, secret)))
}

/// Stops what a receiver does not want or take; what waits for it waits.
///
/// # Errors
/// The store's.
pub async fn disable(
    app: &App,
    subscription: &Subscription,
    reason: &str,
) -> Result<(), StoreError> {
    let Subscription { site, id, .. } = subscription;
    tracing::warn!(subscription = id, reason, "a subscription is disabled");
    let since_ms = app.clock.now_ms();
    let disabled = change(app, site, id, |subscription| {
        let reason = Some(reason.to_owned());
        subscription.disabled.get_or_insert(Disabled { since_ms, reason });
    });
    disabled.await.map(drop)
}

/// Ends what [`disable`] did; what somebody asked for stays.
///
/// # Errors
/// The store's.
pub async fn enable(app: &App, subscription: &Subscription) -> Result<(), StoreError> {
    let by_itself =
        |one: &Subscription| one.disabled.as_ref().is_some_and(|it| it.reason.is_some());
    if !by_itself(subscription) {
        return Ok(());
    }
    let enabled = change(app, &subscription.site, &subscription.id, |one| {
        if by_itself(one) {
            one.disabled = None;
        }
    });
    enabled.await.map(drop)
}

/// Ends a subscription, and with it what waits for it; `false` where there is none.
///
/// # Errors
/// The store's.
pub async fn unsubscribe(app: &App, site: &SiteId, id: &str) -> Result<bool, StoreError> {
    // It is told of nothing more, then what waits is settled, and last it goes: whoever is cut off in
    // between asks again.
    let asked_for = Disabled { since_ms: app.clock.now_ms(), reason: None };
    let ending = change(app, site, id, |one| one.disabled = Some(asked_for.clone()));
    if ending.await?.is_none() {
        return Ok(false);
    }
    receivers::forget(app, id).await?;
    give_up(app, id).await?;
    let Some(memo) = find_memo(app, site, id).await? else { return Ok(true) };
    let gone = MemoChange {
        kind: MemoKind::Hook,
        name: memo.name,
        was: Some(memo.stamp),
        stamp: u64::from_be_bytes(app.dice.roll()),
        value: None,
    };
    let is_gone = app.store.change_memo(gone).await?;
    app.subscriptions.set(None);
    if is_gone { Ok(true) } else { Err(StoreError::Busy) }
}

/// Settles whatever waits for a subscription that is no more: as if it were long after it was due, and
/// later with each round, so that what stands behind another of its lead has its turn.
async fn give_up(app: &App, id: &str) -> Result<(), StoreError> {
    let at_ms = app.clock.now_ms();
    for round in 1.. {
        let now_ms = at_ms + 3650 * DAY_MS + round * HOUR_MS;
        let lease_until_ms = now_ms + HOUR_MS / 2;
        let claim = Claim { destination: id.to_owned(), now_ms, lease_until_ms, limit: PAGE };
        let waiting = app.store.claim_deliveries(claim).await?;
        if waiting.is_empty() {
            break;
        }
        for delivery in waiting {
            let dead = Settlement::Dead { at_ms, error: "it was unsubscribed".into() };
            app.store.settle_delivery(delivery.id, delivery.claims, dead).await?;
        }
    }
    Ok(())
}

impl Subscription {
    /// Whether it is to be told of this now.
    pub fn wants(&self, kind: DeliveryKind) -> bool {
        self.disabled.is_none() && self.events.contains(&kind)
    }

    /// Where its webhooks go, with what they are signed with now.
    ///
    /// # Errors
    /// Where its secret cannot be opened any more.
    pub fn destination(&self, settings: &Settings, now_ms: i64) -> Result<Destination, String> {
        let previous = self.previous.as_ref().filter(|previous| previous.until_ms > now_ms);
        let key = |sealed: &String| {
            let secret = settings.seal.open(&label(&self.id), sealed)?;
            SigningKey::parse(&Secret::new(secret))
        };
        let mut keys = vec![key(&self.secret)?];
        // One that cannot be opened any more is none that a receiver can wait for.
        keys.extend(previous.and_then(|previous| key(&previous.secret).ok()));
        Ok(Destination {
            name: self.id.clone(),
            url: self.target_url.clone(),
            allow_private: settings.config.hooks.allow_private,
            keys: SigningKeys(keys),
            form: Form::Flat,
        })
    }
}

/// Whether a destination's name in deliveries is that of a subscription.
pub fn is_id(name: &str) -> bool {
    let digits = name.strip_prefix("hk_").unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn put(app: &App, subscription: &Subscription, was: Option<u64>) -> Result<bool, StoreError> {
    let name = memo_name(&subscription.site, &subscription.id);
    let stamps = (was, u64::from_be_bytes(app.dice.roll()));
    let change = MemoChange::new(MemoKind::Hook, name, stamps, Some(subscription))?;
    let changed = app.store.change_memo(change).await;
    app.subscriptions.set(None);
    changed
}

/// A slash is in no site's name, so that of two sites none begins like the other.
fn memo_name(site: &SiteId, id: &str) -> String {
    format!("{}/{id}", site.as_str())
}

fn new_secret(app: &App) -> Secret {
    Secret::new(format!("whsec_{}", STANDARD.encode(app.dice.roll::<32>())))
}

fn seal(settings: &Settings, id: &str, secret: &Secret) -> Result<String, SubscribeError> {
    settings.seal.seal(&label(id), secret.reveal()).map_err(SubscribeError::Sealed)
}

fn label(id: &str) -> String {
    format!("subscription {id}")
}
