//! Subscriptions: webhooks that programs order by API; and the test of a configured destination.

mod order;

use super::api_key::{Access, Allowed, Hooks};
use super::body::{self, UnreadBody};
use super::deliveries::{self as list_of, StateQuery};
use super::query::{Page, Query, SiteQuery};
use super::refusals::{BodyRefused, KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use clew_api::{
    Deliveries, FlatEvent, Hook, HookChanges, HookEvents, HookSecret, HookTest, Hooks as HookList,
    NewHook, Problem, Timestamp,
};
use clew_core::{Core, Secret, json as outside};
use clew_store::delivery::DeliveriesOf;
use clew_store::{DeliveryKind, SubscriptionId};
use collector::outbox::targets::Targets;
use collector::outbox::webhook::sample;
use collector::subscription::{Disabled, Order, Subscription};
use collector::subscriptions::Subscriptions;
use order::{description, event, events, target_url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

const NONE: ApiError = ApiError::NotFound("subscription");

/// The subscription in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct HookPath {
    /// The subscription's id.
    #[param(example = "hk_0197a2b4000070008000000000000000")]
    #[expect(dead_code, reason = "describes the path; handlers read it as a SubscriptionId")]
    hook: String,
}

/// Subscribes to events.
///
/// The response has the secret that signs the webhooks. This is the only response that shows it.
#[utoipa::path(
    post,
    path = "/v1/hooks",
    tag = "Subscriptions",
    operation_id = "subscribe",
    security(("api_key" = ["hooks"])),
    params(SiteQuery),
    request_body(content = NewHook, example = json!({ "target_url": "https://hooks.example.com/catch/1", "event": "lead.converted" })),
    responses(
        (status = 201, description = "The subscription with its secret.", body = HookSecret<'static>),
        (status = 409, description = "The site already has 100 subscriptions, or no `[[token_keys]]` are configured to seal the secret.", body = Problem, content_type = "application/problem+json"),
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn subscribe(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    body: UnreadBody,
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

/// Lists the site's subscriptions.
#[utoipa::path(
    get,
    path = "/v1/hooks",
    tag = "Subscriptions",
    operation_id = "listHooks",
    security(("api_key" = ["hooks"])),
    params(SiteQuery),
    responses(
        (status = 200, description = "The subscriptions.", body = HookList<'static>),
        KeyRefused,
    ),
)]
pub(super) async fn list(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
) -> Result<HttpResponse, ApiError> {
    let found = subscriptions.of_site(&key.site).await?;
    Ok(HttpResponse::Ok().json(HookList { hooks: found.iter().map(shown).collect() }))
}

/// Shows a subscription.
#[utoipa::path(
    get,
    path = "/v1/hooks/{hook}",
    tag = "Subscriptions",
    operation_id = "getHook",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery),
    responses(
        (status = 200, description = "The subscription.", body = Hook<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn show(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(shown(&find(&subscriptions, &key, &id).await?)))
}

/// Changes, stops or restarts a subscription.
#[utoipa::path(
    patch,
    path = "/v1/hooks/{hook}",
    tag = "Subscriptions",
    operation_id = "changeHook",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery),
    request_body(content = HookChanges, example = json!({ "disabled": true })),
    responses(
        (status = 200, description = "The subscription.", body = Hook<'static>),
        NotFoundResponse,
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn change(
    core: Data<Core>,
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let id = parse(&id)?;
    let changes: HookChanges = read(&body::read(body).await?)?;
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
    Ok(HttpResponse::Ok().json(shown(&changed.await?.ok_or(NONE)?)))
}

/// Deletes a subscription.
///
/// Its waiting deliveries become `dead`.
#[utoipa::path(
    delete,
    path = "/v1/hooks/{hook}",
    tag = "Subscriptions",
    operation_id = "unsubscribe",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery),
    responses(
        (status = 204, description = "The subscription is deleted."),
        NotFoundResponse,
        KeyRefused,
    ),
)]
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

/// Replaces the signing secret.
///
/// For 24 hours, webhooks are signed with both the old secret and the new one. Only this response shows the new one.
#[utoipa::path(
    post,
    path = "/v1/hooks/{hook}/rotate-secret",
    tag = "Subscriptions",
    operation_id = "rotateHookSecret",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery),
    responses(
        (status = 200, description = "The subscription with its new secret.", body = HookSecret<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn rotate(
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let rotated = subscriptions.rotate(&key.settings.seal, &key.site, parse(&id)?).await?;
    let (subscription, secret) = rotated.ok_or(NONE)?;
    Ok(HttpResponse::Ok().json(with_secret(&subscription, &secret)))
}

/// Sends a `ping` to a subscription's receiver.
///
/// If the receiver accepts it, a subscription that was disabled because of its receiver is enabled again.
#[utoipa::path(
    post,
    path = "/v1/hooks/{hook}/test",
    tag = "Subscriptions",
    operation_id = "testHook",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery),
    responses(
        (status = 200, description = "How the receiver responded.", body = HookTest),
        (status = 409, description = "The collector cannot open the subscription's stored secret. `rotate-secret` makes a new one.", body = Problem, content_type = "application/problem+json"),
        NotFoundResponse,
        KeyRefused,
    ),
)]
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

/// Sends a `ping` to a webhook destination in the configuration.
///
/// If the receiver accepts it, a paused destination resumes.
#[utoipa::path(
    post,
    path = "/v1/destinations/{name}/test",
    tag = "Deliveries",
    operation_id = "testDestination",
    security(("api_key" = ["hooks"])),
    params(("name" = String, Path, description = "The destination's name in the configuration."), SiteQuery),
    responses(
        (status = 200, description = "How the receiver responded.", body = HookTest),
        NotFoundResponse,
        KeyRefused,
    ),
)]
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

/// The event of a sample.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EventQuery {
    /// The event. Default: `lead.converted`.
    #[param(value_type = Option<DeliveryKind>)]
    event: Option<String>,
}

/// Shows what a subscription would receive.
///
/// The bodies show the site's newest leads, newest first, or an invented lead if the site has none. Use them to map
/// members to your own fields.
#[utoipa::path(
    get,
    path = "/v1/hooks/sample",
    tag = "Subscriptions",
    operation_id = "sampleHook",
    security(("api_key" = ["hooks"])),
    params(SiteQuery, EventQuery),
    responses(
        (status = 200, description = "Up to three bodies.", body = Vec<FlatEvent>),
        KeyRefused,
    ),
)]
pub(super) async fn sample(
    core: Data<Core>,
    key: Allowed<Hooks>,
    wanted: Query<EventQuery>,
) -> Result<HttpResponse, ApiError> {
    let kind = event(wanted.event.as_deref().unwrap_or(DeliveryKind::Converted.as_str()))?;
    let bodies = sample::sample(&core, &key.settings, &key.site, kind).await?;
    Ok(HttpResponse::Ok().json(bodies))
}

/// Lists a subscription's deliveries by lead, the oldest lead first.
#[utoipa::path(
    get,
    path = "/v1/hooks/{hook}/deliveries",
    tag = "Subscriptions",
    operation_id = "listHookDeliveries",
    security(("api_key" = ["hooks"])),
    params(HookPath, SiteQuery, Page, StateQuery),
    responses(
        (status = 200, description = "A page of deliveries.", body = Deliveries<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn deliveries(
    core: Data<Core>,
    subscriptions: Data<Subscriptions>,
    key: Allowed<Hooks>,
    id: Path<String>,
    window: Query<Page>,
    in_state: Query<StateQuery>,
) -> Result<HttpResponse, ApiError> {
    let found = find(&subscriptions, &key, &id).await?;
    let of = DeliveriesOf::Destination(found.id.into());
    list_of::page(&core, &key.site, of, &window, &in_state).await
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

fn shown(subscription: &Subscription) -> Hook<'_> {
    let Subscription { id, target_url, events, description, disabled, .. } = subscription;
    Hook {
        id: *id,
        event: HookEvents::new(events),
        target_url: target_url.as_str(),
        description: description.as_deref(),
        created_at: Timestamp(subscription.created_at_ms),
        disabled: disabled.is_some(),
        disabled_at: disabled.as_ref().map(|disabled| Timestamp(disabled.since_ms)),
        disabled_reason: disabled.as_ref().and_then(|disabled| disabled.reason.as_deref()),
    }
}

fn with_secret<'a>(subscription: &'a Subscription, secret: &'a Secret) -> HookSecret<'a> {
    HookSecret { hook: shown(subscription), secret: secret.reveal() }
}
