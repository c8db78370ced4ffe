//! Leads: made by form handlers, read by CRMs.

use super::auth::ApiKey;
use super::query::Query;
use crate::app::App;
use crate::conversion::view::{LeadView, find_lead, lead_json};
use crate::conversion::{self, Made};
use crate::error::ApiError;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use shared::ids::{LeadId, VisitorId};
use shared::limits;

/// `POST /v1/leads`: 201 for a new conversion, 200 for a repeat of one.
pub(super) async fn create(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = match body.to_bytes_limited(limits::BODY_BYTES).await {
        Ok(body) => body.map_err(|_| ApiError::Malformed("The body broke off.".into()))?,
        Err(_) => return Err(ApiError::TooLarge),
    };
    let unreadable = |_| ApiError::Invalid("Idempotency-Key should be ASCII.".into());
    let idempotency =
        request.headers().get("Idempotency-Key").map(|value| value.to_str()).transpose();
    let idempotency = idempotency.map_err(unreadable)?;
    let Made { view, conversion, repeated } =
        conversion::from_request(&app, &key.settings, &key.site, &body, idempotency).await?;
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    let mut answer = view.to_json(&key.settings);
    answer["conversion_id"] = json!(conversion);
    answer["repeated"] = json!(repeated);
    Ok(response.json(answer))
}

/// `GET /v1/leads?after=&limit=`: newest first; `?email=` is the one lead of that address.
pub(super) async fn list(
    app: Data<App>,
    key: ApiKey,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let limit = query.limit()?;
    let after = query.parsed("after", LeadId::parse)?;
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
        None => app.store.leads(&key.site, after, limit).await?,
    };
    let next = leads.last().filter(|_| email.is_none() && leads.len() == limit).map(|lead| lead.id);
    Ok(HttpResponse::Ok()
        .json(json!({ "leads": leads.iter().map(lead_json).collect::<Vec<_>>(), "next": next })))
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
    let journey = json!({ "lead_id": view.lead.id, "journey": view.history.to_json() });
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
