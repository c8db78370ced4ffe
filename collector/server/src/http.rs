//! Every route on one page, grouped by who calls. Handlers extract, call one function, answer.

mod assets;
mod api_key;
mod body;
mod client;
mod crm;
mod deliveries;
mod docs;
mod etag;
mod events;
mod feedback;
mod fields;
mod hooks;
mod inbound;
mod leads;
mod merging;
mod openapi;
mod operation;
mod pace;
mod parameters;
mod query;
mod refusals;
mod subscriptions;
mod visitors;

pub use operation::RelabelAnswer;

pub(crate) use body::Bodies;
pub use openapi::document;
pub(crate) use pace::{Pace, slow_down};
pub(crate) use parameters::refuse_unknown;

use crate::problem::{ApiError, Problem, StoreFailure};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{self, Any};
use actix_web::http::{Method, header};
use actix_web::middleware::{DefaultHeaders, Next};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, FromRequest, Handler, HttpResponse, Resource, Responder, Route};
use api_key::ApiKey;
use clew_core::Core;
use docs::Reference;
use query::SiteQuery;
use refusals::KeyRefused;
use std::sync::LazyLock;

/// One row of a table of routes.
struct Row {
    method: Method,
    path: String,
    route: Route,
}

/// Every route; `prefix` is where everything for browsers lies. Rows of one path stand together.
fn table(prefix: &str) -> Vec<Row> {
    let browser = |path: &str| format!("{prefix}/{path}");
    vec![
        // Browsers.
        get(browser("s.js"), assets::script),
        get(browser("s.{hash}.js"), assets::script_by_hash),
        get(browser("t.wasm"), assets::module),
        get(browser("t.{hash}.wasm"), assets::module_by_hash),
        get(browser("p.gif"), events::pixel),
        post(browser("e"), events::collect),
        // Form handlers, CRMs, BI: with an API key, whose scope the handler's extractor names.
        get("/v1/leads", leads::list),
        post("/v1/leads", leads::create),
        get("/v1/leads/{lead}", leads::show),
        post("/v1/leads/{lead}/confirm", leads::confirm),
        post("/v1/leads/{lead}/merge", merging::merge),
        delete("/v1/leads/{lead}/merges/{merged}", merging::undo),
        get("/v1/duplicates", merging::list),
        get("/v1/leads/{lead}/fields", fields::of_lead),
        get("/v1/leads/{lead}/journey", leads::journey),
        delete("/v1/leads/{lead}/visitors/{visitor}", leads::undo_join),
        post("/v1/leads/{lead}/stage", feedback::stage),
        post("/v1/revenue", feedback::revenue),
        get("/v1/unmatched", feedback::unmatched),
        get("/v1/fields", fields::catalogue),
        get("/v1/visitors/{visitor}/journey", visitors::journey),
        get("/v1/deliveries", deliveries::list),
        post("/v1/deliveries/{delivery}/replay", deliveries::replay),
        get("/v1/me", me),
        post("/v1/destinations/{name}/test", subscriptions::test_destination),
        get("/v1/hooks", subscriptions::list),
        post("/v1/hooks", subscriptions::subscribe),
        get("/v1/hooks/sample", subscriptions::sample),
        get("/v1/hooks/{hook}", subscriptions::show),
        patch("/v1/hooks/{hook}", subscriptions::change),
        delete("/v1/hooks/{hook}", subscriptions::unsubscribe),
        get("/v1/hooks/{hook}/deliveries", subscriptions::deliveries),
        post("/v1/hooks/{hook}/rotate-secret", subscriptions::rotate),
        post("/v1/hooks/{hook}/test", subscriptions::test),
        // People and programs that want to know the API.
        get("/openapi.json", openapi::serve),
        get("/docs", docs::page),
        // CRMs and other programs: signed, or with an API key.
        post("/hooks/{connection}", hooks::receive),
        post("/hooks/{connection}/{secret}", hooks::receive_by_secret),
    ]
}

/// What operators and their machines ask.
fn operator_table() -> Vec<Row> {
    vec![
        get("/healthz", operation::healthy),
        get("/readyz", operation::readiness),
        get("/metrics", operation::metrics),
    ]
}

/// What commands of the same machine ask the collector that has the store.
fn command_table() -> Vec<Row> {
    vec![
        get("/export", operation::export),
        post("/relabel", operation::relabel),
        post("/erase", operation::erase),
        post("/crm", crm::status),
        post("/crm/{name}/setup", crm::set_up),
        post("/crm/{name}/test", crm::test),
    ]
}

/// The method and the path of every route, for checks that go through all of them.
pub fn addresses(prefix: &str) -> Vec<(Method, String)> {
    table(prefix).into_iter().chain(operator_table()).map(|row| (row.method, row.path)).collect()
}

/// Adds what browsers, programs and CRMs call; `prefix` is where everything for browsers lies.
pub fn routes(config: &mut ServiceConfig, prefix: &str) {
    static REFERENCE: LazyLock<Data<Reference>> =
        LazyLock::new(|| Data::new(Reference::new(document())));
    config.app_data(REFERENCE.clone());
    add(config, table(prefix));
}

/// Adds what operators and their machines ask.
pub fn operator_routes(config: &mut ServiceConfig) {
    add(config, operator_table());
}

/// Adds what commands of the same machine ask the collector that has the store.
pub fn command_routes(config: &mut ServiceConfig) {
    add(config, command_table());
}

/// Every other address is answered with a problem.
pub fn no_other_routes(config: &mut ServiceConfig) {
    config.default_service(web::to(no_such_address));
}

/// Adds a table: one resource a path, which knows the methods that it does not take.
fn add(config: &mut ServiceConfig, table: Vec<Row>) {
    let mut resources: Vec<(String, Resource)> = Vec::new();
    for Row { path, route, .. } in table {
        let resource = match resources.pop_if(|(last, _)| *last == path) {
            Some((_, resource)) => resource,
            None => web::resource(path.as_str()).default_service(web::to(wrong_method)),
        };
        resources.push((path, resource.route(route)));
    }
    for (_, resource) in resources {
        config.service(resource);
    }
}

fn get<F, Args>(path: impl Into<String>, handler: F) -> Row
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = web::route().guard(Any(guard::Get()).or(guard::Head())).to(handler);
    Row { method: Method::GET, path: path.into(), route }
}

fn post<F, Args>(path: impl Into<String>, handler: F) -> Row
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Row { method: Method::POST, path: path.into(), route: web::post().to(handler) }
}

fn patch<F, Args>(path: impl Into<String>, handler: F) -> Row
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Row { method: Method::PATCH, path: path.into(), route: web::patch().to(handler) }
}

fn delete<F, Args>(path: impl Into<String>, handler: F) -> Row
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Row { method: Method::DELETE, path: path.into(), route: web::delete().to(handler) }
}

/// Shows the API key that sent the request.
///
/// For programs that check whether a key works.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "Keys",
    operation_id = "getKey",
    security(("api_key" = [])),
    params(SiteQuery),
    responses((status = 200, description = "The key.", body = clew_api::Key<'static>), KeyRefused),
)]
async fn me(key: ApiKey) -> HttpResponse {
    HttpResponse::Ok().json(key.describe())
}

async fn no_such_address() -> Result<&'static str, ApiError> {
    Err(ApiError::NotFound("address"))
}

async fn wrong_method() -> Result<&'static str, ApiError> {
    Err(ApiError::MethodNotAllowed)
}

/// What every answer says to browsers: take it for what its type says, not for what it looks like.
pub fn no_sniffing() -> DefaultHeaders {
    DefaultHeaders::new().add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
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
