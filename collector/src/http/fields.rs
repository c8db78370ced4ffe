//! The canonical fields: which there are, and those of one lead in the words of whoever asks.

use super::auth::ApiKey;
use super::etag;
use super::query::Query;
use crate::app::App;
use crate::conversion::view::{Asked, LeadView};
use crate::error::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use shared::fields::catalogue::{catalogue as every_field, find};

/// `GET /v1/fields`
pub(super) async fn catalogue(_: ApiKey, request: HttpRequest) -> HttpResponse {
    etag::json(&request, json!(every_field()).to_string())
}

/// `GET /v1/leads/{id}/fields?fields=&format=&crm=`
pub(super) async fn of_lead(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let asked = asked(&Query::of(&request)).map_err(ApiError::Invalid)?;
    let view = LeadView::find(&app, &key.settings, &key.site, &lead).await?;
    Ok(etag::json(&request, view.fields_json(&key.settings, &asked).to_string()))
}

/// What a query asks for; the error names the value that is not known.
fn asked(query: &Query) -> Result<Asked, String> {
    let grouped = match query.text("format") {
        None | Some("flat") => false,
        Some("grouped") => true,
        Some(other) => return Err(format!("format: `{other}` is neither `flat` nor `grouped`.")),
    };
    let crm = query.text("crm").map(str::parse).transpose();
    let known = |name: &str| match find(name) {
        Some(field) => Ok(field.name.clone()),
        None => Err(format!("fields: there is no field `{name}`; GET /v1/fields lists them.")),
    };
    let names = query.text("fields").map(|list| {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(known).collect()
    });
    Ok(Asked {
        names: names.transpose()?,
        grouped,
        crm: crm.map_err(|error| format!("crm: {error}."))?,
    })
}
