//! Query parameters: each route's as a struct, which also describes them in the OpenAPI document.

use crate::problem::ApiError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::future::{Ready, ready};
use std::ops::Deref;
use utoipa::IntoParams;

const LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

/// The query of a request. A parameter without a value counts as absent; of a repeated one the last value counts.
pub(super) struct Query<T>(T);

impl<T> Deref for Query<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: DeserializeOwned> Query<T> {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let pairs = pairs(request.query_string()).filter(|(_, value)| !value.is_empty());
        let members: Map<String, Value> =
            pairs.map(|(name, value)| (name, Value::String(value))).collect();
        // Every member of a query struct is an optional string, so this cannot fail on any input.
        let read = serde_json::from_value(members.into());
        read.map(Self).map_err(|_| ApiError::Invalid("The query cannot be read.".into()))
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned()
}

/// The site that a request is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SiteQuery {
    /// The site. Required if the key opens several.
    #[param(example = "demo")]
    pub(super) site: Option<String>,
}

/// A page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The `next` of the previous page.
    after: Option<String>,
    /// The number of entries per page: 1 to 500; 50 if absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 50)]
    limit: Option<String>,
}

impl Page {
    /// The cursor that the page follows, as `parse` reads it.
    pub(super) fn after<T>(
        &self,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        parsed("after", self.after.as_deref(), parse)
    }

    /// How many rows the page has.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = &self.limit else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| ApiError::Invalid(format!("`limit` should be 1 to {MAX_LIMIT}.")))
    }
}

/// A parameter as `parse` reads it.
pub(super) fn parsed<T>(
    name: &str,
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let wrong = || ApiError::Invalid(format!("`{name}` in the query is not a valid value."));
    value.map(|text| parse(text).ok_or_else(wrong)).transpose()
}

/// A parameter that is `1` or `true`, or absent, `0` or `false`.
pub(super) fn flag(name: &str, value: Option<&str>) -> Result<bool, ApiError> {
    match value {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => Err(ApiError::Invalid(format!("`{name}` should be 1 or 0."))),
    }
}
