//! The refusals that routes have in common, for the OpenAPI document.

use clew_api::Problem;
use std::collections::BTreeMap;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// Refusals of requests with an API key.
pub(super) struct KeyRefused;

/// Refusals of requests with a body.
pub(super) struct BodyRefused;

/// 404.
pub(super) struct NotFoundResponse;

impl IntoResponses for KeyRefused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([
            ("401", "The API key is missing, unknown or expired."),
            ("403", "The API key lacks the scope or does not open the site."),
            ("422", "A parameter or a member of the body is not valid; `detail` names it."),
            ("503", "The store is busy, full or unavailable. Resend after `Retry-After` seconds."),
        ])
    }
}

impl IntoResponses for BodyRefused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([
            ("400", "The body is not valid JSON, or a member is missing or has the wrong type."),
            ("408", "The body took too long to arrive."),
            ("413", "The body is too large."),
        ])
    }
}

impl IntoResponses for NotFoundResponse {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems([("404", "Not found on the site that the request is for.")])
    }
}

fn problems<const N: usize>(problems: [(&str, &str); N]) -> BTreeMap<String, RefOr<Response>> {
    let schema = Ref::from_schema_name(Problem::name());
    let response = |description: &str| {
        let content = Content::new(Some(schema.clone()));
        ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build()
    };
    problems.map(|(status, why)| (status.to_owned(), response(why).into())).into()
}
