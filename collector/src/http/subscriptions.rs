//! Subscriptions: ordered by programs, changed, tested and ended; and the test of a destination of the
//! configuration.

use super::auth::ApiKey;
use super::body;
use super::deliveries::delivery_json;
use super::query::Query;
use crate::app::App;
use crate::error::ApiError;
use crate::outbox::{sample, webhook};
use crate::outgoing::judge;
use crate::secret::Secret;
use crate::store::{DeliveryFilter, DeliveryId, DeliveryKind, DeliveryState};
use crate::subscription::{self, Disabled, Order, SubscribeError, Subscription};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::limits;
use shared::time::rfc3339;
use url::Url;

const NONE: ApiError = ApiError::NotFound("subscription");
/// Deliveries that are looked through at a time for those of one subscription.
const LOOKED_THROUGH: usize = 500;
/// How often, for one page.
const LOOKS: usize = 10;

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
    app: Data<App>,
    key: ApiKey,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let hook: NewHook = read(&body::read(payload).await?)?;
    let order = Order {
        target_url: target_url(&key, &hook.target_url)?,
        events: events(hook.event)?,
        description: description(hook.description)?,
    };
    let (made, secret) = subscription::subscribe(&app, &key.settings, &key.site, order).await?;
    let mut response = HttpResponse::Created();
    response.insert_header(("Location", format!("/v1/hooks/{}", made.id)));
    Ok(response.json(with_secret(&made, &secret)))
}

/// `GET /v1/hooks`
pub(super) async fn list(app: Data<App>, key: ApiKey) -> Result<HttpResponse, ApiError> {
    let found = subscription::of_site(&app, &key.site).await?;
    let hooks: Vec<Value> = found.iter().map(to_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "hooks": hooks })))
}

/// `GET /v1/hooks/{id}`
pub(super) async fn show(
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = subscription::find(&app, &key.site, &id).await?.ok_or(NONE)?;
    Ok(HttpResponse::Ok().json(to_json(&found)))
}

/// `PATCH /v1/hooks/{id}`
pub(super) async fn change(
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let changes: Changes = read(&body::read(payload).await?)?;
    let target = changes.target_url.map(|text| target_url(&key, &text)).transpose()?;
    let told = changes.description.is_some();
    let description = description(changes.description)?;
    let since_ms = app.clock.now_ms();
    let changed = subscription::change(&app, &key.site, &id, |subscription| {
        if let Some(target) = &target {
            subscription.target_url = target.clone();
        }
        if told {
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
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    match subscription::unsubscribe(&app, &key.site, &id).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(NONE),
    }
}

/// `POST /v1/hooks/{id}/rotate-secret`: the new one, shown here and never again.
pub(super) async fn rotate(
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let rotated = subscription::rotate(&app, &key.settings, &key.site, &id).await?;
    let (subscription, secret) = rotated.ok_or(NONE)?;
    Ok(HttpResponse::Ok().json(with_secret(&subscription, &secret)))
}

/// `POST /v1/hooks/{id}/test`: what the receiver answers to a `ping`.
pub(super) async fn test(
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let found = subscription::find(&app, &key.site, &id).await?.ok_or(NONE)?;
    let destination = found.destination(&key.settings, app.clock.now_ms());
    let closed = |error| ApiError::Conflict(format!("{error}; give it another: rotate-secret."));
    let destination = destination.map_err(closed)?;
    Ok(HttpResponse::Ok().json(webhook::test(&app, &key.settings, &destination).await?))
}

/// `POST /v1/destinations/{name}/test`: the same for one of the configuration.
pub(super) async fn test_destination(
    app: Data<App>,
    key: ApiKey,
    name: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let none = "webhook among the site's destinations; `clew crm test` tests a CRM";
    let of_site = |name: &str| {
        let mut all = key.settings.config.destinations.iter();
        all.any(|to| to.name == name && to.site == key.site)
    };
    let destination = key.settings.destination(&name).filter(|to| of_site(&to.name));
    let destination = destination.ok_or(ApiError::NotFound(none))?;
    Ok(HttpResponse::Ok().json(webhook::test(&app, &key.settings, destination).await?))
}

/// `GET /v1/hooks/sample?event=`: an array of what would come, newest first.
pub(super) async fn sample(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let kind = event(query.text("event").unwrap_or(DeliveryKind::Converted.as_str()))?;
    let bodies = sample::sample(&app, &key.settings, &key.site, kind).await?;
    Ok(HttpResponse::Ok().json(bodies))
}

/// `GET /v1/hooks/{id}/deliveries?state=&after=&limit=`: as all deliveries are listed. A page may be short of
/// its limit where others lie between; the next one begins where it ended.
pub(super) async fn deliveries(
    app: Data<App>,
    key: ApiKey,
    id: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let found = subscription::find(&app, &key.site, &id).await?.ok_or(NONE)?;
    let query = Query::of(&request);
    let limit = query.limit()?;
    let mut filter = DeliveryFilter {
        site: key.site,
        state: query.parsed("state", DeliveryState::parse)?,
        lead: None,
        after: query.parsed("after", DeliveryId::parse)?,
        limit: LOOKED_THROUGH,
    };
    let (mut listed, mut next) = (Vec::new(), None);
    'looks: for _ in 0..LOOKS {
        let page = app.store.deliveries(filter.clone()).await?;
        let is_last = page.len() < LOOKED_THROUGH;
        for delivery in page {
            filter.after = Some(delivery.id);
            next = filter.after;
            if delivery.destination == found.id {
                listed.push(delivery_json(&delivery));
            }
            if listed.len() == limit {
                break 'looks;
            }
        }
        if is_last {
            next = None;
            break;
        }
    }
    let next = next.map(DeliveryId::to_text);
    Ok(HttpResponse::Ok().json(json!({ "deliveries": listed, "next": next })))
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::Malformed(format!("The body is no subscription: {error}.")))
}

fn target_url(key: &ApiKey, text: &str) -> Result<Url, ApiError> {
    let wrong = |error: String| ApiError::Invalid(format!("target_url: {error}."));
    if text.len() > limits::URL_BYTES {
        return Err(wrong("the address is too long".into()));
    }
    let url: Url = text.trim().parse().map_err(|_| wrong(format!("`{text}` is no address")))?;
    judge(&url, key.settings.config.hooks.allow_private).map_err(wrong)?;
    Ok(url)
}

fn events(told: Events) -> Result<Vec<DeliveryKind>, ApiError> {
    let told = match told {
        Events::One(one) => vec![one],
        Events::Several(several) => several,
    };
    if told.is_empty() {
        return Err(ApiError::Invalid("event: it is told of nothing.".into()));
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
        ApiError::Invalid(format!("event: `{text}` is none; there are {names}."))
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

impl From<SubscribeError> for ApiError {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Store(error) => Self::Store(error),
            SubscribeError::TooMany | SubscribeError::Sealed(_) => {
                Self::Conflict(error.to_string())
            }
        }
    }
}
