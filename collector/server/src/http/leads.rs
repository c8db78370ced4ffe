//! Leads: created by form handlers, read by CRMs.

use super::api_key::{Access, Admin, Allowed, Holder, LeadsRead, LeadsWrite};
use super::body::{self, UnreadBody};
use super::query::{Page, Query, SiteQuery, flag};
use super::refusals::{BodyRefused, KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use clew_api::{
    CreatedLead, Cursor, Lead as ShownLead, LeadCreated, LeadDetails, LeadJourney, LeadRequest,
    LeadShown, Leads, LeadsListed, StageEntry, Warning,
};
use clew_core::Core;
use clew_store::{LeadKey, StoreError};
use collector::config::Scope;
use collector::conversion::{ConversionResult, Conversions, idempotency, read_request};
use collector::leads::{LeadView, Moment, find, load};
use collector::outbox::webhook::sample;
use serde::Deserialize;
use shared::ids::{LeadId, VisitorId};
use shared::lead::Lead;
use utoipa::IntoParams;

/// Reports a conversion, and creates a lead if the person is new.
///
/// The person is found by e-mail address, then by phone number. For a key with `leads:read` the response has the lead
/// with its fields and journey, so that a form handler can pass them on at once. Any other key gets a receipt: ids
/// and the conversion, nothing that was known about the person before.
#[utoipa::path(
    post,
    path = "/v1/leads",
    tag = "Leads",
    operation_id = "createLead",
    security(("api_key" = ["leads:write"])),
    params(
        SiteQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 ASCII characters that belong to this submission. The same request with the same key stores nothing new for 24 hours; another body is refused."),
    ),
    request_body(content = LeadRequest, example = json!({
        "token": "TOKEN",
        "contact": { "email": "lead@example.com", "first_name": "First", "last_name": "Last" },
        "form": { "id": "contact", "name": "Contact form" },
        "page": { "url": "https://www.example.com/contact" },
    })),
    responses(
        (status = 201, description = "The lead, with the new conversion.", body = LeadCreated<'static>),
        (status = 200, description = "The lead. An earlier request with the same key had created the conversion.", body = LeadCreated<'static>),
        (status = 409, description = "The person already has 1,000 conversions, the most that a lead can have.", body = clew_api::Problem, content_type = "application/problem+json"),
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn create(
    conversions: Data<Conversions>,
    holder: Holder<LeadsWrite>,
    http: HttpRequest,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let request = read_request(&body)?;
    let key = holder.on(request.site.as_deref())?;
    let idempotency = idempotency(body::idempotency_key(&http)?, &body)?;
    let made = conversions.from_request(&key.settings, &key.site, request, idempotency).await?;
    let ConversionResult { view, conversion, repeated } = made;
    let mut response = if repeated { HttpResponse::Ok() } else { HttpResponse::Created() };
    response.insert_header(("Location", format!("/v1/leads/{}", view.lead.id)));
    let made = view.history.conversions.last();
    let warnings = || made.iter().flat_map(|made| &made.raw).map(Warning::from).collect();
    let created = match key.may(Scope::LeadsRead) {
        true => LeadCreated::Details(Box::new(CreatedLead {
            lead: view.details(&key.settings),
            conversion_id: conversion,
            repeated,
            warnings: warnings(),
        })),
        false => LeadCreated::Receipt(CreatedLead {
            lead: view.receipt(),
            conversion_id: conversion,
            repeated,
            warnings: warnings(),
        }),
    };
    Ok(response.json(created))
}

/// The lead, as far as the key may read it.
fn shown<'a>(key: &Access, view: &'a LeadView) -> LeadShown<'a> {
    match key.may(Scope::LeadsRead) {
        true => LeadShown::Details(Box::new(view.details(&key.settings))),
        false => LeadShown::Receipt(view.receipt()),
    }
}

/// Which leads to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only the lead with this e-mail address.
    #[param(example = "lead@example.com")]
    email: Option<String>,
    /// `-converted_at`: by last conversion, latest first. Default: by first conversion, newest first.
    sort: Option<String>,
    /// `1`: only proposed leads, which no other list shows. Not together with `sort`.
    #[param(value_type = Option<u8>)]
    proposed: Option<String>,
    /// `1`: an array of flat objects, as subscriptions receive them.
    #[param(value_type = Option<u8>)]
    flat: Option<String>,
}

/// The order of a list of leads, newest first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By creation.
    Created,
    /// By last conversion.
    Converted,
    /// Proposed leads only, by creation.
    Proposed,
}

/// Lists leads, newest first.
#[utoipa::path(
    get,
    path = "/v1/leads",
    tag = "Leads",
    operation_id = "listLeads",
    security(("api_key" = ["leads:read"])),
    params(SiteQuery, Page, Filter),
    responses(
        (status = 200, description = "A page of leads.", body = LeadsListed<'static>),
        KeyRefused,
    ),
)]
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    window: Query<Page>,
    filter: Query<Filter>,
) -> Result<HttpResponse, ApiError> {
    let limit = window.limit()?;
    let order = match (filter.sort.as_deref(), flag("proposed", filter.proposed.as_deref())?) {
        (None, true) => Order::Proposed,
        (None, false) => Order::Created,
        (Some("-converted_at"), false) => Order::Converted,
        (Some("-converted_at"), true) => {
            return Err(ApiError::Invalid("`sort` and `proposed` exclude each other.".into()));
        }
        (Some(_), _) => return Err(ApiError::Invalid("`sort` should be `-converted_at`.".into())),
    };
    // A `+` that was not escaped arrives as a space, which is never part of an address.
    let email = filter.email.as_ref().map(|email| email.trim().replace(' ', "+"));
    let (leads, next) = match email {
        Some(email) => {
            let lead = find_lead(&core, &key, &LeadKey::Email(email)).await?;
            (lead.into_iter().collect(), None)
        }
        None => page(&core, &key, order, &window, limit).await?,
    };
    if flag("flat", filter.flat.as_deref())? {
        let ids: Vec<LeadId> = leads.iter().map(|lead| lead.id).collect();
        let flat = sample::converted(&*core.store, &key.settings, &ids).await?;
        return Ok(HttpResponse::Ok().json(LeadsListed::Flat(flat)));
    }
    let leads = leads.iter().map(ShownLead::from).collect();
    Ok(HttpResponse::Ok().json(LeadsListed::Page(Leads { leads, next })))
}

/// A page of a site's leads, and the cursor of the next one.
async fn page(
    core: &Core,
    key: &Access,
    order: Order,
    window: &Page,
    limit: usize,
) -> Result<(Vec<Lead>, Option<String>), ApiError> {
    let leads = match order {
        Order::Created => {
            let after = window.after(LeadId::parse)?;
            core.store.leads(&key.site, after, limit).await?
        }
        Order::Proposed => {
            let after = window.after(LeadId::parse)?;
            core.store.proposed_leads(&key.site, after, limit).await?
        }
        Order::Converted => {
            let after = window.after(parse_converted)?;
            core.store.leads_by_conversion(&key.site, after, limit).await?
        }
    };
    let next = leads.last().filter(|_| leads.len() == limit).map(|last| match order {
        Order::Created | Order::Proposed => last.id.to_text(),
        Order::Converted => format!("{}_{}", last.converted_at_ms, last.id),
    });
    Ok((leads, next))
}

/// The cursor of a page by last conversion: the time and the id of the lead before it.
fn parse_converted(text: &str) -> Option<(i64, LeadId)> {
    let (at_ms, lead) = text.split_once('_')?;
    Some((at_ms.parse().ok()?, LeadId::parse(lead)?))
}

/// Shows a lead with its fields and the beginning and end of its journey.
#[utoipa::path(
    get,
    path = "/v1/leads/{lead}",
    tag = "Leads",
    operation_id = "getLead",
    security(("api_key" = ["leads:read"])),
    params(LeadPath, SiteQuery),
    responses(
        (status = 200, description = "The lead.", body = LeadDetails<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn show(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    lead: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let view = view_of(&core, &key, &lead).await?;
    Ok(HttpResponse::Ok().json(view.details(&key.settings)))
}

/// Shows a lead's whole journey in pages, oldest first.
#[utoipa::path(
    get,
    path = "/v1/leads/{lead}/journey",
    tag = "Journeys",
    operation_id = "getLeadJourney",
    security(("api_key" = ["leads:read"])),
    params(LeadPath, SiteQuery, Page),
    responses(
        (status = 200, description = "A page of the journey.", body = LeadJourney<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn journey(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    lead: Path<String>,
    window: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (window.after(Cursor::parse)?, window.limit()?);
    let view = view_of(&core, &key, &lead).await?;
    let (journey, next) = view.journey_page(after, limit);
    Ok(HttpResponse::Ok().json(LeadJourney {
        lead_id: view.lead.id,
        journey,
        next: next.map(|next| next.to_string()),
        stages: StageEntry::all(&view.life_cycle),
        deals: view.deals_shown(&key.settings),
    }))
}

/// Confirms a lead that a page proposed.
///
/// It becomes a verified lead, or its conversion joins the lead that already has that e-mail address or phone number.
/// A repeat changes nothing.
#[utoipa::path(
    post,
    path = "/v1/leads/{lead}/confirm",
    tag = "Leads",
    operation_id = "confirmLead",
    security(("api_key" = ["leads:write"])),
    params(LeadPath, SiteQuery),
    responses(
        (status = 200, description = "The resulting lead; a receipt for a key without `leads:read`.", body = LeadShown<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
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

/// Removes a visitor from a lead that it was joined to by mistake.
///
/// The lead's fields and journey no longer include the visitor. A repeat changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/leads/{lead}/visitors/{visitor}",
    tag = "Leads",
    operation_id = "undoJoin",
    security(("api_key" = ["admin"])),
    params(LeadPath, ("visitor" = String, Path, description = "The visitor's id: the value of its cookie `clew_id`."), SiteQuery),
    responses(
        (status = 200, description = "The lead.", body = ShownLead<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn undo_join(
    core: Data<Core>,
    key: Allowed<Admin>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (lead, visitor) = path.into_inner();
    let lead = find_lead(&core, &key, &lead.as_str().into()).await?;
    let lead = lead.ok_or(ApiError::NotFound("lead"))?;
    let none = || ApiError::NotFound("visitor of this lead");
    let visitor = VisitorId::parse(&visitor).ok_or_else(none)?;
    let merged = lead.merged_leads().chain([lead.id]);
    let mut undone = None;
    for one in merged {
        undone = core.store.undo_join(one, visitor, core.now_ms()).await?.or(undone);
    }
    undone.ok_or_else(none)?;
    let view = load(&*core.store, lead.id, Moment::Now).await?;
    Ok(HttpResponse::Ok().json(ShownLead::from(&view.lead)))
}

/// The lead in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct LeadPath {
    /// The lead's id, or another way to name it: `email:ADDRESS`, `phone:NUMBER`, `crm:PROVIDER:TYPE:ID` or
    /// `deal:SOURCE:ID`.
    #[param(example = "email:lead@example.com")]
    #[expect(dead_code, reason = "describes the path; handlers read it as a LeadKey")]
    lead: String,
}

/// The lead that a path names, with its history.
pub(super) async fn view_of(core: &Core, key: &Access, lead: &str) -> Result<LeadView, ApiError> {
    let lead = find_lead(core, key, &lead.into()).await?.ok_or(ApiError::NotFound("lead"))?;
    Ok(load(&*core.store, lead.id, Moment::Now).await?)
}

async fn find_lead(core: &Core, key: &Access, lead: &LeadKey) -> Result<Option<Lead>, StoreError> {
    find(&*core.store, &key.site, key.settings.country(&key.site), lead).await
}
