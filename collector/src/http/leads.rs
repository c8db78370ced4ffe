//! Leads: made by form handlers, read by CRMs.

use super::auth::ApiKey;
use super::body;
use super::query::Query;
use crate::app::App;
use crate::conversion::view::{LeadView, find_lead, lead_json};
use crate::conversion::{self, Made};
use crate::error::ApiError;
use crate::outbox::sample;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use shared::ids::{LeadId, VisitorId};
use shared::lead::Lead;
use std::cmp::Reverse;

/// The newest leads, of which those are told that converted last.
const LOOKED_THROUGH: usize = 500;

/// `POST /v1/leads`: 201 for a new conversion, 200 for a repeat of one.
pub(super) async fn create(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let idempotency = body::idempotency_key(&request)?;
    let Made { view, conversion, repeated } =
        conversion::from_request(&app, &key.settings, &key.site, &body, idempotency).await?;
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    let mut answer = view.to_json(&key.settings);
    answer["conversion_id"] = json!(conversion);
    answer["repeated"] = json!(repeated);
    Ok(response.json(answer))
}

/// `GET /v1/leads?after=&limit=`: newest first; `?email=` is the one lead of that address. With
/// `?sort=-converted_at` by their last conversions, with `?flat=1` an array as subscriptions get them.
pub(super) async fn list(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let limit = query.limit()?;
    let after = query.parsed("after", LeadId::parse)?;
    let by_conversion = match query.text("sort") {
        None => false,
        Some("-converted_at") if after.is_none() => true,
        Some("-converted_at") => {
            let told = "`sort` and `after` do not go together: the newest are one page.";
            return Err(ApiError::Invalid(told.into()));
        }
        Some(_) => return Err(ApiError::Invalid("`sort` should be `-converted_at`.".into())),
    };
    // A `+` that was not escaped arrives as a space, which no address has.
    let email = query.text("email").map(|email| email.trim().replace(' ', "+"));
    let leads = match &email {
        Some(email) => {
            match find_lead(&app, &key.settings, &key.site, &format!("email:{email}")).await {
                Ok(lead) => vec![lead],
                Err(ApiError::NotFound(_)) => Vec::new(),
                Err(error) => return Err(error),
            }
        }
        None if by_conversion => latest(&app, &key, limit).await?,
        None => app.store.leads(&key.site, after, limit).await?,
    };
    if query.flag("flat")? {
        let flat = sample::converted(&app, &key.settings, &leads).await?;
        return Ok(HttpResponse::Ok().json(flat));
    }
    let pages = email.is_none() && !by_conversion;
    let next = leads.last().filter(|_| pages && leads.len() == limit).map(|lead| lead.id);
    Ok(HttpResponse::Ok()
        .json(json!({ "leads": leads.iter().map(lead_json).collect::<Vec<_>>(), "next": next })))
}

/// Those of a site's newest leads that converted last.
async fn latest(app: &App, key: &ApiKey, limit: usize) -> Result<Vec<Lead>, ApiError> {
    let mut leads = app.store.leads(&key.site, None, LOOKED_THROUGH).await?;
    leads.sort_by_key(|lead| Reverse((lead.converted_at_ms, lead.id)));
    leads.truncate(limit);
    Ok(leads)
}

/// `GET /v1/leads/{id}`
pub(super) async fn show(
    app: Data<App>,
    key: ApiKey,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = LeadView::find(&app, &key.settings, &key.site, &lead).await?;
    Ok(HttpResponse::Ok().json(view.to_json(&key.settings)))
}

/// `GET /v1/leads/{id}/journey`
pub(super) async fn journey(
    app: Data<App>,
    key: ApiKey,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = LeadView::find(&app, &key.settings, &key.site, &lead).await?;
    let journey = json!({
        "lead_id": view.lead.id,
        "journey": view.history.to_json(),
        "stages": view.life_cycle.to_json(),
        "deals": view.deals_json(&key.settings),
    });
    Ok(HttpResponse::Ok().json(journey))
}

/// `DELETE /v1/leads/{id}/visitors/{visitor}`: takes a visitor from a lead that it was joined to; once
/// is enough.
pub(super) async fn undo_join(
    app: Data<App>,
    key: ApiKey,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (lead, visitor) = path.into_inner();
    let lead = find_lead(&app, &key.settings, &key.site, &lead).await?.id;
    let none = || ApiError::NotFound("visitor of this lead");
    let visitor = VisitorId::parse(&visitor).ok_or_else(none)?;
    let undone = app.store.undo_join(lead, visitor, app.clock.now_ms()).await?;
    Ok(HttpResponse::Ok().json(lead_json(&undone.ok_or_else(none)?)))
}
