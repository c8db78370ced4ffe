//! The canonical fields: which there are, and those of one lead in the words of whoever asks.

use super::api_key::{Allowed, ApiKey, LeadsRead};
use super::etag;
use super::leads::view_of;
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use collector::leads::FieldSelection;
use serde_json::json;
use shared::fields::catalogue::{catalogue as every_field, find};

/// `GET /v1/fields`
pub(super) async fn catalogue(_: ApiKey, request: HttpRequest) -> HttpResponse {
    etag::json(&request, json!(every_field()).to_string())
}

/// `GET /v1/leads/{id}/fields?fields=&format=&crm=`
pub(super) async fn of_lead(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let selection = selection(&Query::of(&request))?;
    let view = view_of(&core, &key, &lead).await?;
    Ok(etag::json(&request, view.fields_json(&key.settings, &selection).to_string()))
}

/// What a query selects.
fn selection(query: &Query) -> Result<FieldSelection, ApiError> {
    let grouped = match query.text("format") {
        None | Some("flat") => false,
        Some("grouped") => true,
        Some(_) => return Err(ApiError::Invalid("format: use `flat` or `grouped`.".into())),
    };
    let crm = query.text("crm").map(str::parse).transpose();
    let known = |(place, name): (usize, &str)| match find(name) {
        Some(field) => Ok(field.name.clone()),
        None => {
            let place = place + 1;
            let told = format!("fields: name {place} is not a field; GET /v1/fields lists them.");
            Err(ApiError::Invalid(told))
        }
    };
    let names = query.text("fields").map(|list| {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.enumerate().map(known).collect()
    });
    Ok(FieldSelection {
        names: names.transpose()?,
        grouped,
        crm: crm.map_err(|error| ApiError::Invalid(format!("crm: {error}.")))?,
    })
}
