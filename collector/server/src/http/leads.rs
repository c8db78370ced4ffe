//! Leads: made by form handlers, read by CRMs.

use super::api_key::{Access, Admin, Allowed, Holder, LeadsRead, LeadsWrite};
use super::body::{self, Unread};
use super::query::Query;
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_core::Core;
use clew_store::{LeadKey, StoreError};
use collector::config::Scope;
use collector::conversion::{Conversions, LeadRequest, Made, idempotency};
use collector::leads::view::lead_json;
use collector::leads::{LeadView, Moment, find, load};
use collector::outbox::webhook::sample;
use serde_json::{Value, json};
use shared::ids::{LeadId, VisitorId};
use shared::journey::Cursor;
use shared::lead::Lead;

/// `POST /v1/leads`: 201 for a new conversion, 200 for a repeat of one. Who may not read leads gets a
/// receipt, which says nothing of what was known about the person before.
pub(super) async fn create(
    conversions: Data<Conversions>,
    holder: Holder<LeadsWrite>,
    http: HttpRequest,
    body: Unread,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let request = LeadRequest::read(&body)?;
    let key = holder.on(request.site.as_deref())?;
    let idempotency = idempotency(body::idempotency_key(&http)?, &body)?;
    let made = conversions.from_request(&key.settings, &key.site, request, idempotency).await?;
    let Made { view, conversion, repeated } = made;
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    let mut answer = shown(&key, &view);
    answer["conversion_id"] = json!(conversion);
    answer["repeated"] = json!(repeated);
    Ok(response.json(answer))
}

/// What a key may see of a lead that it wrote.
fn shown(key: &Access, view: &LeadView) -> Value {
    match key.may(Scope::LeadsRead) {
        true => view.to_json(&key.settings),
        false => view.receipt_json(),
    }
}

/// In which order leads are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By when they were made.
    Created,
    /// By their last conversion.
    Converted,
    /// Those that are only proposed, by when they were made.
    Proposed,
}

/// `GET /v1/leads?after=&limit=`: newest first; `?email=` is the one lead of that address. With
/// `?sort=-converted_at` by their last conversions, with `?proposed=1` those that only a page proposed,
/// with `?flat=1` an array as subscriptions get them.
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let limit = query.limit()?;
    let order = match (query.text("sort"), query.flag("proposed")?) {
        (None, true) => Order::Proposed,
        (None, false) => Order::Created,
        (Some("-converted_at"), false) => Order::Converted,
        (Some("-converted_at"), true) => {
            return Err(ApiError::Invalid("`sort` and `proposed` exclude each other.".into()));
        }
        (Some(_), _) => return Err(ApiError::Invalid("`sort` should be `-converted_at`.".into())),
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
        Order::Proposed => {
            let after = query.parsed("after", LeadId::parse)?;
            core.store.proposed_leads(&key.site, after, limit).await?
        }
        Order::Converted => {
            let after = query.parsed("after", parse_converted)?;
            core.store.leads_by_conversion(&key.site, after, limit).await?
        }
    };
    let next = leads.last().filter(|_| leads.len() == limit).map(|last| match order {
        Order::Created | Order::Proposed => last.id.to_text(),
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

/// `GET /v1/leads/{id}/journey?after=&limit=`: the journey, oldest first.
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    lead: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let query = Query::of(&request);
    let (after, limit) = (query.parsed("after", Cursor::parse)?, query.limit()?);
    let view = view_of(&core, &key, &lead).await?;
    let (journey, next) = view.journey_page(after, limit);
    let journey = json!({
        "lead_id": view.lead.id,
        "journey": journey,
        "next": next.map(|next| next.to_string()),
        "stages": view.life_cycle.to_json(),
        "deals": view.deals_json(&key.settings),
    });
    Ok(HttpResponse::Ok().json(journey))
}

/// `POST /v1/leads/{id}/confirm`: makes a lead of one that only a page proposed. Repeating it answers with
/// the lead that it became, or who may not read leads with a receipt.
pub(super) async fn confirm(
    core: Data<Core>,
    conversions: Data<Conversions>,
    key: Allowed<LeadsWrite>,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let lead = find_lead(&core, &key, &lead.as_str().into()).await?;
    let lead = lead.ok_or(ApiError::NotFound("lead"))?;
    let confirmed = conversions.confirm(&key.settings, lead).await?;
    let view = load(&*core.store, confirmed, Moment::Now).await?;
    Ok(HttpResponse::Ok().json(shown(&key, &view)))
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
