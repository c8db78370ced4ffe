//! The API reference as a page, rendered from the OpenAPI document, without scripts.

mod example;
mod reference;

pub(super) use reference::Reference;

use super::query::Query;
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use askama::Template;
use collector::settings::CurrentSettings;
use reference::{Group, Prose, TypeDoc};
use serde::Deserialize;
use utoipa::IntoParams;

/// The page loads nothing and runs nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Only operations and types that contain all of these words.
    #[param(example = "revenue")]
    q: Option<String>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsPage<'a> {
    intro: &'a [Prose],
    /// The words that were searched for; empty if none were.
    search: &'a str,
    groups: Vec<Group<'a>>,
    types: Vec<&'a TypeDoc>,
}

/// Shows this reference as a page.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Documentation",
    operation_id = "docs",
    params(Search),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(super) async fn page(
    settings: Data<CurrentSettings>,
    reference: Data<Reference>,
    search: Query<Search>,
) -> Result<HttpResponse, ApiError> {
    let search = search.q.as_deref().unwrap_or_default();
    let (groups, types) = reference.find(search);
    let page = DocsPage { intro: &reference.intro, search, groups, types };
    let html = page.render().map_err(|error| ApiError::Page(error.to_string()))?;
    let public_url = settings.get().config.public_url.to_string();
    let html = html.replace(example::BASE, public_url.trim_end_matches('/'));
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(html))
}
