//! Every route on one page, grouped by who calls. Handlers extract, call one function, answer.

mod assets;
mod api_key;
mod body;
mod client;
mod crm;
mod deliveries;
mod etag;
mod events;
mod feedback;
mod fields;
mod hooks;
mod inbound;
mod leads;
mod operation;
mod query;
mod subscriptions;
mod visitors;

pub use operation::RelabelAnswer;

pub(crate) use body::Bodies;

use crate::problem::{ApiError, Problem, StoreFailure};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Delete, Get, Head, Patch, Post};
use actix_web::middleware::Next;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, HttpResponse, Resource, Route};
use api_key::ApiKey;
use clew_core::Core;
use serde_json::json;

/// Adds what browsers, programs and CRMs call; `prefix` is where everything for browsers lies.
pub fn routes(config: &mut ServiceConfig, prefix: &str) {
    let browser = |path: &str| at(&format!("{prefix}/{path}"));
    config
        // Browsers.
        .service(browser("s.js").route(get().to(assets::script)))
        .service(browser("s.{hash}.js").route(get().to(assets::script_by_hash)))
        .service(browser("t.wasm").route(get().to(assets::module)))
        .service(browser("t.{hash}.wasm").route(get().to(assets::module_by_hash)))
        .service(browser("p.gif").route(get().to(events::pixel)))
        .service(browser("e").route(post().to(events::collect)))
        // Form handlers, CRMs, BI: with an API key.
        .service(at("/v1/leads").route(get().to(leads::list)).route(post().to(leads::create)))
        .service(at("/v1/leads/{lead}").route(get().to(leads::show)))
        .service(at("/v1/leads/{lead}/confirm").route(post().to(leads::confirm)))
        .service(at("/v1/leads/{lead}/fields").route(get().to(fields::of_lead)))
        .service(at("/v1/leads/{lead}/journey").route(get().to(leads::journey)))
        .service(at("/v1/leads/{lead}/visitors/{visitor}").route(delete().to(leads::undo_join)))
        .service(at("/v1/leads/{lead}/stage").route(post().to(feedback::stage)))
        .service(at("/v1/revenue").route(post().to(feedback::revenue)))
        .service(at("/v1/unmatched").route(get().to(feedback::unmatched)))
        .service(at("/v1/fields").route(get().to(fields::catalogue)))
        .service(at("/v1/visitors/{visitor}/journey").route(get().to(visitors::journey)))
        .service(at("/v1/deliveries").route(get().to(deliveries::list)))
        .service(at("/v1/deliveries/{delivery}/replay").route(post().to(deliveries::replay)))
        .service(at("/v1/me").route(get().to(me)))
        .service(
            at("/v1/destinations/{name}/test").route(post().to(subscriptions::test_destination)),
        )
        .service(
            at("/v1/hooks")
                .route(get().to(subscriptions::list))
                .route(post().to(subscriptions::subscribe)),
        )
        .service(at("/v1/hooks/sample").route(get().to(subscriptions::sample)))
        .service(
            at("/v1/hooks/{hook}")
                .route(get().to(subscriptions::show))
                .route(patch().to(subscriptions::change))
                .route(delete().to(subscriptions::unsubscribe)),
        )
        .service(at("/v1/hooks/{hook}/deliveries").route(get().to(subscriptions::deliveries)))
        .service(at("/v1/hooks/{hook}/rotate-secret").route(post().to(subscriptions::rotate)))
        .service(at("/v1/hooks/{hook}/test").route(post().to(subscriptions::test)))
        // CRMs: signed.
        .service(at("/hooks/{connection}").route(post().to(hooks::receive)))
        .service(at("/hooks/{connection}/{secret}").route(post().to(hooks::receive_by_secret)));
}

/// Adds what operators and their machines ask.
pub fn operator_routes(config: &mut ServiceConfig) {
    config
        .service(at("/healthz").route(get().to(operation::healthy)))
        .service(at("/readyz").route(get().to(operation::readiness)))
        .service(at("/metrics").route(get().to(operation::metrics)));
}

/// Adds what commands of the same machine ask the collector that has the store.
pub fn command_routes(config: &mut ServiceConfig) {
    config
        .service(at("/export").route(get().to(operation::export)))
        .service(at("/relabel").route(post().to(operation::relabel)))
        .service(at("/crm").route(post().to(crm::status)))
        .service(at("/crm/{name}/setup").route(post().to(crm::set_up)))
        .service(at("/crm/{name}/test").route(post().to(crm::test)));
}

/// Every other address is answered with a problem.
pub fn no_other_routes(config: &mut ServiceConfig) {
    config.default_service(web::to(no_such_address));
}

fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

fn post() -> Route {
    web::route().guard(Post())
}

fn patch() -> Route {
    web::route().guard(Patch())
}

fn delete() -> Route {
    web::route().guard(Delete())
}

/// `GET /v1/me`: whose key it is, for tools that want to see that one works.
async fn me(key: ApiKey) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "account": key.site, "site": key.site, "key_name": key.name }))
}

async fn no_such_address() -> Result<&'static str, ApiError> {
    Err(ApiError::NotFound("address"))
}

async fn wrong_method() -> Result<&'static str, ApiError> {
    Err(ApiError::MethodNotAllowed)
}

/// Counts the answers to callers of the API: `ok`, or the kind of the problem. What the store failed
/// goes into the log.
pub async fn count_answers(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_api = ["/v1/", "/hooks/"].iter().any(|part| request.path().starts_with(part));
    let core = request.app_data::<Data<Core>>().cloned();
    let answered = next.call(request).await?;
    if let Some(core) = core {
        let extensions = answered.response().extensions();
        if let Some(failure) = extensions.get::<StoreFailure>() {
            failure.log(&core);
        }
        if is_api {
            core.metrics.answered(extensions.get::<Problem>().map_or("ok", |Problem(word)| word));
        }
    }
    Ok(answered)
}
