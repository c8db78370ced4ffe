//! Subscriptions: ordered by programs, changed, tested and ended; and the test of a destination of the
//! configuration.

use super::api_key::{Access, Allowed, Hooks};
use super::body::{self, Unread};
use super::deliveries as list_of;
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_connect::outgoing::{AddressError, judge};
use clew_core::{Core, Secret, json as outside};
use clew_store::delivery::DeliveriesOf;
use clew_store::{DeliveryKind, SubscriptionId};
use collector::outbox::targets::Targets;
use collector::outbox::webhook::sample;
use collector::subscription::{Disabled, Order, Subscription};
use collector::subscriptions::Subscriptions;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::limits;
use shared::time::rfc3339;
use url::Url;

const NONE: ApiError = ApiError::NotFound("subscription");

/// The body of `POST /v1/hooks`. Unknown members are ignored.
#[derive(Deserialize)]
struct NewHook {
    target_url: String,
    event: Events,
    description: Option<String>,
}

/// One event or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Events {
    One(String),
    Several(Vec<String>),
}

/// The body of `PATCH /v1/hooks/{id}`. What is absent stays.
#[derive(Deserialize)]
struct Changes {
    target_url: Option<String>,
    description: Option<String>,
    disabled: Option<bool>,
}

/// `POST /v1/hooks`: 201, with the secret, which is shown here and never again.
pub(super) async fn subscribe(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let hook: NewHook = read(&body::read(body).await?)?;
    let order = Order {
        target_url: target_url(&key, &hook.target_url)?,
        events: events(hook.event)?,
        description: description(hook.description)?,
    };
    let (made, secret) = subscriptions.subscribe(&key.settings.seal, &key.site, order).await?;
    let mut response = HttpResponse::Created();
    response.insert_header(("Location", format!("/v1/hooks/{}", made.id)));
    Ok(response.json(with_secret(&made, &secret)))
}

/// `GET /v1/hooks`
pub(super) async fn list(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
) -> Result<HttpResponse, ApiError> {
    let found = subscriptions.of_site(&key.site).await?;
    let hooks: Vec<Value> = found.iter().map(to_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "hooks": hooks })))
}

/// `GET /v1/hooks/{id}`
pub(super) async fn show(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(to_json(&find(&subscriptions, &key, &id).await?)))
}

/// `PATCH /v1/hooks/{id}`
pub(super) async fn change(
    core: Data<Core>,
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let id = parse(&id)?;
    let changes: Changes = read(&body::read(body).await?)?;
    let target = changes.target_url.map(|text| target_url(&key, &text)).transpose()?;
    let described = changes.description.is_some();
    let description = description(changes.description)?;
    let since_ms = core.now_ms();
    let changed = subscriptions.change(&key.site, id, |subscription| {
        if let Some(target) = &target {
            subscription.target_url = target.clone();
        }
        if described {
            subscription.description.clone_from(&description);
        }
        match changes.disabled {
            Some(true) => subscription.disabled = Some(Disabled { since_ms, reason: None }),
            Some(false) => subscription.disabled = None,
            None => {}
        }
    });
    Ok(HttpResponse::Ok().json(to_json(&changed.await?.ok_or(NONE)?)))
}

/// `DELETE /v1/hooks/{id}`: 204.
pub(super) async fn unsubscribe(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    match subscriptions.unsubscribe(&key.site, parse(&id)?).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(NONE),
    }
}

/// `POST /v1/hooks/{id}/rotate-secret`: the new one, shown here and never again.
pub(super) async fn rotate(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let rotated = subscriptions.rotate(&key.settings.seal, &key.site, parse(&id)?).await?;
    let (subscription, secret) = rotated.ok_or(NONE)?;
    Ok(HttpResponse::Ok().json(with_secret(&subscription, &secret)))
}

/// `POST /v1/hooks/{id}/test`: what the receiver answers to a `ping`.
pub(super) async fn test(
    subscriptions: Data<Subscriptions>,
    targets: Data<Targets>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&subscriptions, &key, &id).await?;
    let target = targets
        .subscription(&key.settings, found)
        .map_err(|error| ApiError::Conflict(format!("{error}; give it another: rotate-secret.")))?;
    Ok(HttpResponse::Ok().json(target.test().await?))
}

/// `POST /v1/destinations/{name}/test`: the same for one of the configuration.
pub(super) async fn test_destination(
    targets: Data<Targets>,
    key: Allowed<Hooks>,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let none = "webhook among the site's destinations; `clew crm test` tests a CRM";
    let mut configured = key.settings.config.destinations.iter();
    let of_site = configured.any(|to| to.name == *name && to.site == key.site);
    let target = targets.webhook(&key.settings, &name).filter(|_| of_site);
    let target = target.ok_or(ApiError::NotFound(none))?;
    Ok(HttpResponse::Ok().json(target.test().await?))
}

/// `GET /v1/hooks/sample?event=`: an array of what would come, newest first.
pub(super) async fn sample(
    core: Data<Core>,
    key: Allowed<Hooks>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let kind = event(query.text("event").unwrap_or(DeliveryKind::Converted.as_str()))?;
    let bodies = sample::sample(&core, &key.settings, &key.site, kind).await?;
    Ok(HttpResponse::Ok().json(bodies))
}

/// `GET /v1/hooks/{id}/deliveries?state=&after=&limit=`: as all deliveries are listed.
pub(super) async fn deliveries(
    core: Data<Core>,
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let found = find(&subscriptions, &key, &id).await?;
    let of = DeliveriesOf::Destination(found.id.into());
    list_of::answer(&core, &key.site, of, &Query::of(&request)).await
}

fn parse(id: &str) -> Result<SubscriptionId, ApiError> {
    id.parse().map_err(|_| NONE)
}

async fn find(
    subscriptions: &Subscriptions,
    key: &Access,
    id: &str,
) -> Result<Subscription, ApiError> {
    subscriptions.find(&key.site, parse(id)?).await?.ok_or(NONE)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    outside::read(body)
        .map_err(|error| ApiError::Malformed(format!("The body is not a subscription: {error}.")))
}

fn target_url(key: &Access, text: &str) -> Result<Url, ApiError> {
    let wrong = |error: &dyn std::fmt::Display| ApiError::Invalid(format!("target_url: {error}."));
    if text.len() > limits::URL_BYTES {
        return Err(wrong(&"the address is too long"));
    }
    let url: Url = text.trim().parse().map_err(|_| wrong(&"it is not a URL"))?;
    judge(&url, key.settings.config.hooks.allow_private).map_err(|error| match error {
        // It quotes the host.
        AddressError::NotPublic(_) => wrong(&"it is not a public address"),
        AddressError::NotHttps | AddressError::Credentials => wrong(&error),
    })?;
    Ok(url)
}

fn events(told: Events) -> Result<Vec<DeliveryKind>, ApiError> {
    let told = match told {
        Events::One(one) => vec![one],
        Events::Several(several) => several,
    };
    if told.is_empty() {
        return Err(ApiError::Invalid("event: name at least one event.".into()));
    }
    let mut events = told.iter().map(|text| event(text)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = Vec::new();
    events.retain(|event| {
        !seen.contains(event) && {
            seen.push(*event);
            true
        }
    });
    Ok(events)
}

fn event(text: &str) -> Result<DeliveryKind, ApiError> {
    let unknown = || {
        let names = DeliveryKind::ALL.map(DeliveryKind::as_str).join(", ");
        ApiError::Invalid(format!("event: not an event; use one of {names}."))
    };
    DeliveryKind::parse(text).ok_or_else(unknown)
}

fn description(told: Option<String>) -> Result<Option<String>, ApiError> {
    let told = told.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if told.as_ref().is_some_and(|text| text.len() > limits::TEXT_BYTES) {
        let most = limits::TEXT_BYTES;
        return Err(ApiError::Invalid(format!("description: it is longer than {most} bytes.")));
    }
    Ok(told)
}

fn to_json(subscription: &Subscription) -> Value {
    let Subscription { id, target_url, events, description, disabled, .. } = subscription;
    let event = match events.as_slice() {
        [one] => json!(one),
        several => json!(several),
    };
    json!({
        "id": id,
        "event": event,
        "target_url": target_url,
        "description": description,
        "created_at": rfc3339(subscription.created_at_ms),
        "disabled": disabled.is_some(),
        "disabled_at": disabled.as_ref().map(|it| rfc3339(it.since_ms)),
        "disabled_reason": disabled.as_ref().and_then(|it| it.reason.as_ref()),
    })
}

fn with_secret(subscription: &Subscription, secret: &Secret) -> Value {
    let mut told = to_json(subscription);
    told["secret"] = secret.reveal().into();
    told
}
