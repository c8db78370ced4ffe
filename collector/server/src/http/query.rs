//! Query parameters of lists: what is asked for, or a sentence about what is wrong.

use crate::problem::ApiError;
use actix_web::HttpRequest;
use std::collections::HashMap;

const LIMIT: usize = 50;
const MOST: usize = 500;

/// The parameters of a list.
pub(super) struct Query(HashMap<String, String>);

impl Query {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A parameter, `None` where it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A parameter as read by `parse`.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let wrong = || {
            ApiError::Invalid(format!("`{name}` in the query is not a value that this list knows."))
        };
        self.text(name).map(|text| parse(text).ok_or_else(wrong)).transpose()
    }

    /// A parameter that is `1` or `true`, else absent, `0` or `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(_) => Err(ApiError::Invalid(format!("`{name}` should be 1 or 0."))),
        }
    }

    /// How many rows a page has.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.text("limit") else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.ok_or_else(|| ApiError::Invalid(format!("`limit` should be 1 to {MOST}.")))
    }
}
