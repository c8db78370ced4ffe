//! Leads: made by form handlers, read by CRMs.

use super::api_key::{Access, Admin, Allowed, Holder, LeadsRead, LeadsWrite};
use super::body;
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use clew_store::{LeadKey, StoreError};
use collector::config::Scope;
use collector::conversion::{Conversions, LeadRequest, Made, idempotency};
use collector::leads::view::lead_json;
use collector::leads::{LeadView, Moment, find, load};
use collector::outbox::webhook::sample;
use serde_json::json;
use shared::ids::{LeadId, VisitorId};
use shared::lead::Lead;

/// `POST /v1/leads`: 201 for a new conversion, 200 for a repeat of one. Who may not read leads gets a
/// receipt, which says nothing of what was known about the person before.
pub(super) async fn create(
    conversions: Data<Conversions>,
    holder: Holder<LeadsWrite>,
    http: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(payload).await?;
    let request = LeadRequest::read(&body)?;
    let key = holder.on(request.site.as_deref())?;
    let idempotency = idempotency(body::idempotency_key(&http)?, &body)?;
    let made = conversions.from_request(&key.settings, &key.site, request, idempotency).await?;
    let Made { view, conversion, repeated } = made;
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    let mut answer = match key.may(Scope::LeadsRead) {
        true => view.to_json(&key.settings),
        false => view.receipt_json(),
    };
    answer["conversion_id"] = json!(conversion);
    answer["repeated"] = json!(repeated);
    Ok(response.json(answer))
}

/// In which order leads are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By when they were made.
    Created,
    /// By their last conversion.
    Converted,
}

/// `GET /v1/leads?after=&limit=`: newest first; `?email=` is the one lead of that address. With
/// `?sort=-converted_at` by their last conversions, with `?flat=1` an array as subscriptions get them.
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let limit = query.limit()?;
    let order = match query.text("sort") {
        None => Order::Created,
        Some("-converted_at") => Order::Converted,
        Some(_) => return Err(ApiError::Invalid("`sort` should be `-converted_at`.".into())),
    };
    // A `+` that was not escaped arrives as a space, which no address has.
    let email = query.text("email").map(|email| email.trim().replace(' ', "+"));
    let (leads, next) = match email {
        Some(email) => {
            let lead = find_lead(&core, &key, &LeadKey::Email(email)).await?;
            (lead.into_iter().collect(), None)
        }
        None => page(&core, &key, order, &query, limit).await?,
    };
    if query.flag("flat")? {
        let ids: Vec<LeadId> = leads.iter().map(|lead| lead.id).collect();
        let flat = sample::converted(&*core.store, &key.settings, &ids).await?;
        return Ok(HttpResponse::Ok().json(flat));
    }
    let leads: Vec<_> = leads.iter().map(lead_json).collect();
    Ok(HttpResponse::Ok().json(json!({ "leads": leads, "next": next })))
}

/// A page of a site's leads, and how the next one begins.
async fn page(
    core: &Core,
    key: &Access,
    order: Order,
    query: &Query,
    limit: usize,
) -> Result<(Vec<Lead>, Option<String>), ApiError> {
    let leads = match order {
        Order::Created => {
            let after = query.parsed("after", LeadId::parse)?;
            core.store.leads(&key.site, after, limit).await?
        }
        Order::Converted => {
            let after = query.parsed("after", parse_converted)?;
            core.store.leads_by_conversion(&key.site, after, limit).await?
        }
    };
    let next = leads.last().filter(|_| leads.len() == limit).map(|last| match order {
        Order::Created => last.id.to_text(),
        Order::Converted => format!("{}_{}", last.converted_at_ms, last.id),
    });
    Ok((leads, next))
}

/// Where a page by last conversions begins: the time and the id of the lead before it.
fn parse_converted(text: &str) -> Option<(i64, LeadId)> {
    let (at_ms, lead) = text.split_once('_')?;
    Some((at_ms.parse().ok()?, LeadId::parse(lead)?))
}

/// `GET /v1/leads/{id}`
pub(super) async fn show(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = view_of(&core, &key, &lead).await?;
    Ok(HttpResponse::Ok().json(view.to_json(&key.settings)))
}

/// `GET /v1/leads/{id}/journey`
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = view_of(&core, &key, &lead).await?;
    let journey = json!({
        "lead_id": view.lead.id,
        "journey": view.history.to_json(),
        "stages": view.life_cycle.to_json(),
        "deals": view.deals_json(&key.settings),
    });
    Ok(HttpResponse::Ok().json(journey))
}

/// `DELETE /v1/leads/{id}/visitors/{visitor}`: takes a visitor from a lead that it was joined to.
/// Repeating it changes nothing.
pub(super) async fn undo_join(
    core: Data<Core>,
    key: Allowed<Admin>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (lead, visitor) = path.into_inner();
    let lead = find_lead(&core, &key, &lead.as_str().into()).await?;
    let lead = lead.ok_or(ApiError::NotFound("lead"))?.id;
    let none = || ApiError::NotFound("visitor of this lead");
    let visitor = VisitorId::parse(&visitor).ok_or_else(none)?;
    let undone = core.store.undo_join(lead, visitor, core.now_ms()).await?;
    Ok(HttpResponse::Ok().json(lead_json(&undone.ok_or_else(none)?)))
}

/// The lead that a path names, with its history.
pub(super) async fn view_of(core: &Core, key: &Access, lead: &str) -> Result<LeadView, ApiError> {
    let lead = find_lead(core, key, &lead.into()).await?.ok_or(ApiError::NotFound("lead"))?;
    Ok(load(&*core.store, lead.id, Moment::Now).await?)
}

async fn find_lead(core: &Core, key: &Access, lead: &LeadKey) -> Result<Option<Lead>, StoreError> {
    find(&*core.store, &key.site, key.settings.country(&key.site), lead).await
}
