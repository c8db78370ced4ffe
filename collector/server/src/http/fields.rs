//! The canonical fields: which exist, and those of one lead in the names of a CRM or our own.

use super::api_key::{Allowed, ApiKey, LeadsRead};
use super::etag;
use super::leads::{LeadPath, view_of};
use super::query::{Query, SiteQuery};
use super::refusals::{KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_api::{FieldInfo, LeadFields};
use clew_core::Core;
use collector::leads::FieldSelection;
use serde::Deserialize;
use shared::fields::catalogue::find;
use utoipa::IntoParams;

/// Lists the canonical fields.
///
/// The response has an `ETag`.
#[utoipa::path(
    get,
    path = "/v1/fields",
    tag = "Fields",
    operation_id = "listFields",
    security(("api_key" = [])),
    params(SiteQuery),
    responses(
        (status = 200, description = "Every field, in the order of exports.", body = Vec<FieldInfo<'static>>),
        (status = 304, description = "Not changed: `If-None-Match` names this version."),
        KeyRefused,
    ),
)]
pub(super) async fn catalogue(key: ApiKey, request: HttpRequest) -> HttpResponse {
    etag::json(&request, &FieldInfo::all(&key.settings().rules.own_channels()))
}

/// Which fields to show, and how.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Selected {
    /// Only these fields: names separated by commas.
    #[param(example = "first_click_source,gclid")]
    fields: Option<String>,
    /// `flat` (the default), or `grouped` for one object per group.
    #[param(example = "flat")]
    format: Option<String>,
    /// Names and encodes the fields for this CRM, such as `hubspot`.
    #[param(example = "hubspot")]
    crm: Option<String>,
}

/// Shows a lead's canonical fields.
///
/// The response has an `ETag`.
#[utoipa::path(
    get,
    path = "/v1/leads/{lead}/fields",
    tag = "Fields",
    operation_id = "getLeadFields",
    security(("api_key" = ["leads:read"])),
    params(LeadPath, SiteQuery, Selected),
    responses(
        (status = 200, description = "The fields.", body = LeadFields),
        (status = 304, description = "Not changed: `If-None-Match` names this version."),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn of_lead(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
    selected: Query<Selected>,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let selection = selection(&selected)?;
    let view = view_of(&core, &key, &lead).await?;
    Ok(etag::json(&request, &view.selected(&key.settings, &selection)))
}

fn selection(selected: &Selected) -> Result<FieldSelection, ApiError> {
    let grouped = match selected.format.as_deref() {
        None | Some("flat") => false,
        Some("grouped") => true,
        Some(_) => return Err(ApiError::Invalid("format: use `flat` or `grouped`.".into())),
    };
    let crm = selected.crm.as_deref().map(str::parse).transpose();
    let known = |(place, name): (usize, &str)| match find(name) {
        Some(field) => Ok(field.name.clone()),
        None => {
            let place = place + 1;
            let why = format!("fields: name {place} is not a field; GET /v1/fields lists them.");
            Err(ApiError::Invalid(why))
        }
    };
    let names = selected.fields.as_deref().map(|list| {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.enumerate().map(known).collect()
    });
    Ok(FieldSelection {
        names: names.transpose()?,
        grouped,
        crm: crm.map_err(|error| ApiError::Invalid(format!("crm: {error}.")))?,
    })
}
