//! The OpenAPI document, made from the routes and the types of the API.

use super::{
    assets, deliveries, docs, events, feedback, fields, hooks, leads, merging, operation,
    subscriptions, visitors,
};
use actix_web::HttpResponse;
use actix_web::http::Method;
use clew_api::{FlatEvent, FlatPing, PingEvent, WebhookEvent};
use std::sync::LazyLock;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterIn, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// Everything that can be called, as `docs/openapi.json` has it.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Clew",
        description = "First-party marketing attribution. Form handlers report leads. CRMs read them with their \
                       journeys, and report stages and revenue.\n\nRequests under `/v1` need an API key, sent as \
                       `Authorization: Bearer KEY`; `clew key` makes one. Each operation lists the scope that it \
                       needs; `admin` includes all others. Errors are problem details (RFC 9457). Query parameters \
                       that an operation does not list are refused. Times are RFC 3339 in UTC; amounts are decimal \
                       strings with an ISO 4217 currency code.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This collector.")),
    tags(
        (name = "Leads", description = "People who converted."),
        (name = "Journeys", description = "Touches, visits, page views and conversions of leads and visitors, oldest first."),
        (name = "Fields", description = "The canonical fields that CRMs receive."),
        (name = "Stages and revenue", description = "What CRMs and other programs report about leads."),
        (name = "Deliveries", description = "What is sent to webhooks and CRMs, its state, and replays."),
        (name = "Subscriptions", description = "Webhooks that programs order by API."),
        (name = "Keys", description = "The API key in use."),
        (name = "Incoming webhooks", description = "Where CRMs and other programs send webhooks."),
        (name = "Browsers", description = "What the tracker loads and sends. `/c` is the default prefix."),
        (name = "Documentation", description = "This document."),
        (name = "Operators", description = "Health and metrics, on the address `operator_listen`."),
    ),
    paths(
        leads::create,
        leads::list,
        leads::show,
        leads::confirm,
        leads::undo_join,
        merging::merge,
        merging::undo,
        merging::list,
        leads::journey,
        visitors::journey,
        fields::catalogue,
        fields::of_lead,
        feedback::stage,
        feedback::revenue,
        feedback::unmatched,
        deliveries::list,
        deliveries::replay,
        subscriptions::test_destination,
        subscriptions::list,
        subscriptions::subscribe,
        subscriptions::sample,
        subscriptions::show,
        subscriptions::change,
        subscriptions::unsubscribe,
        subscriptions::deliveries,
        subscriptions::rotate,
        subscriptions::test,
        super::me,
        hooks::receive,
        hooks::receive_by_secret,
        assets::script,
        assets::script_by_hash,
        assets::module,
        assets::module_by_hash,
        events::pixel,
        events::collect,
        serve,
        docs::page,
        operation::healthy,
        operation::readiness,
        operation::metrics,
    ),
    components(schemas(WebhookEvent<'static>, FlatEvent, PingEvent, FlatPing)),
    modifiers(&ApiKeyScheme),
)]
struct Document;

/// The document.
pub fn document() -> &'static utoipa::openapi::OpenApi {
    static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(Document::openapi);
    &DOCUMENT
}

/// How requests prove who they are.
struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", scheme);
    }
}

/// The operations of a path.
pub(super) fn operations(item: &PathItem) -> impl Iterator<Item = (HttpMethod, &Operation)> {
    [
        (HttpMethod::Get, &item.get),
        (HttpMethod::Post, &item.post),
        (HttpMethod::Patch, &item.patch),
        (HttpMethod::Delete, &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// The query parameters that a route takes; `None` for a route that the document does not have.
pub(super) fn parameters(method: &Method, route: &str) -> Option<&'static [String]> {
    type Known = Vec<((&'static str, Method), Vec<String>)>;
    static KNOWN: LazyLock<Known> = LazyLock::new(|| {
        let paths = document().paths.paths.iter();
        let operations = paths.flat_map(|(path, item)| {
            operations(item).map(move |(method, operation)| (path.as_str(), method, operation))
        });
        let known = operations.map(|(path, method, operation)| {
            let parameters = operation.parameters.iter().flatten();
            let of_query = parameters.filter(|it| it.parameter_in == ParameterIn::Query);
            ((path, method_of(&method)), of_query.map(|it| it.name.clone()).collect())
        });
        known.collect()
    });
    let method = if method == Method::HEAD { Method::GET } else { method.clone() };
    KNOWN
        .iter()
        .find(|((path, of), _)| *path == route && *of == method)
        .map(|(_, names)| names.as_slice())
}

/// A method of the document as HTTP has it.
pub(super) fn method_of(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// The OpenAPI document of this API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Documentation",
    operation_id = "openapi",
    responses((status = 200, description = "The document.", body = Object)),
)]
pub(super) async fn serve() -> HttpResponse {
    HttpResponse::Ok().json(document())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::addresses;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let documented: BTreeSet<(String, String)> = document()
            .paths
            .paths
            .iter()
            .flat_map(|(path, item)| {
                operations(item).map(|(method, _)| (path.clone(), method_of(&method).to_string()))
            })
            .collect();
        let served = addresses("/c").into_iter().map(|(method, path)| (path, method.to_string()));
        assert_eq!(documented, served.collect());
    }

    #[test]
    fn every_operation_is_described() {
        let mut ids = BTreeSet::new();
        for (path, item) in &document().paths.paths {
            for (_, operation) in operations(item) {
                let id = operation.operation_id.clone().unwrap_or_default();
                assert!(ids.insert(id.clone()), "{path}: `{id}` is the id of two operations");
                assert!(
                    operation.summary.as_ref().is_some_and(|text| text.ends_with('.')),
                    "{path}"
                );
                let is_keyed = operation.security.as_ref().is_some_and(|keys| !keys.is_empty());
                assert_eq!(
                    is_keyed,
                    path.starts_with("/v1/") || path == "/hooks/{connection}",
                    "{path}"
                );
            }
        }
    }
}
