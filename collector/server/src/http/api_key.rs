//! The API key as an extractor: a handler that names [`ApiKey`] cannot be reached without one.

use crate::problem::ApiError;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use collector::settings::{CurrentSettings, Settings};
use shared::ids::SiteId;
use std::future::{Ready, ready};
use std::sync::Arc;

/// The site that the caller's key opens.
pub(super) struct ApiKey {
    pub(super) site: SiteId,
    /// What the key is for.
    pub(super) name: String,
    /// The settings that the key was found in; the rest of the request keeps to them.
    pub(super) settings: Arc<Settings>,
}

impl FromRequest for ApiKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(find(request).ok_or(ApiError::Unauthorized))
    }
}

fn find(request: &HttpRequest) -> Option<ApiKey> {
    let settings = request.app_data::<Data<CurrentSettings>>()?.get();
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // All keys are compared, so that the time does not tell which was near.
    let matching = settings.config.keys.iter().fold(None, |found, entry| {
        match entry.hash.matches(key.trim()) {
            true => Some(entry),
            false => found,
        }
    });
    let (site, name) = matching.map(|key| (key.site.clone(), key.name.clone()))?;
    Some(ApiKey { site, name, settings })
}
