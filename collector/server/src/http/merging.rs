//! Leads that are one person: likely ones listed, merged, and taken apart again.

use super::api_key::{Access, Admin, Allowed, LeadsRead};
use super::body::{self, UnreadBody};
use super::leads::{LeadPath, view_of};
use super::query::{Page, Query, SiteQuery};
use super::refusals::{BodyRefused, KeyRefused, NotFoundResponse};
use crate::problem::ApiError;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use clew_api::{Duplicate, Duplicates, LeadDetails, MergeRequest};
use clew_core::{Core, json};
use clew_store::LeadKey;
use collector::leads::merging;
use collector::leads::{self, duplicates, named};
use shared::ids::LeadId;
use shared::lead::Lead;

/// The most leads that a page of duplicates covers: each may be like twenty others.
const MOST_LEADS: usize = 100;

/// Lists leads that may be one person.
///
/// They converted in the same visit of one browser, or have the same name, the same phone number or nearly the same
/// e-mail address. Nothing is merged until somebody does. A page covers `limit` leads (at most 100), newest
/// first, and may have fewer pairs, or none. Leads that were merged and taken apart again are not listed.
#[utoipa::path(
    get,
    path = "/v1/duplicates",
    tag = "Leads",
    operation_id = "listDuplicates",
    security(("api_key" = ["leads:read"])),
    params(SiteQuery, Page),
    responses(
        (status = 200, description = "A page of pairs.", body = Duplicates<'static>),
        KeyRefused,
    ),
)]
pub(super) async fn list(
    core: Data<Core>,
    key: Allowed<LeadsRead>,
    window: Query<Page>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (window.after(LeadId::parse)?, window.limit()?.min(MOST_LEADS));
    let (pairs, last) = duplicates(&*core.store, &key.site, after, limit).await?;
    let shown = pairs.iter().map(|pair| Duplicate {
        lead: (&pair.lead).into(),
        other: (&pair.other).into(),
        reasons: pair.by.clone(),
    });
    let next = last.map(|last| last.to_text());
    Ok(HttpResponse::Ok().json(Duplicates { duplicates: shown.collect(), next }))
}

/// Merges a lead into another one.
///
/// The lead in the path keeps its id and its e-mail address, and answers for the other one from now on: both ids, all
/// e-mail addresses and all CRM records find it, with the history of both. Its CRM record is updated; a record that the
/// other lead has in the CRM stays as it is, and can be merged there. A repeat changes nothing.
#[utoipa::path(
    post,
    path = "/v1/leads/{lead}/merge",
    tag = "Leads",
    operation_id = "mergeLeads",
    security(("api_key" = ["admin"])),
    params(LeadPath, SiteQuery),
    request_body(content = MergeRequest),
    responses(
        (status = 200, description = "The surviving lead.", body = LeadDetails<'static>),
        (status = 409, description = "Both are the same lead, one of them is only proposed, or too many are merged already.", body = clew_api::Problem, content_type = "application/problem+json"),
        NotFoundResponse,
        BodyRefused,
        KeyRefused,
    ),
)]
pub(super) async fn merge(
    core: Data<Core>,
    key: Allowed<Admin>,
    path: Path<String>,
    body: UnreadBody,
) -> Result<HttpResponse, ApiError> {
    let body = body::read(body).await?;
    let request: MergeRequest = json::read(&body)
        .map_err(|error| ApiError::Malformed(format!("The body is not a merge: {error}.")))?;
    let missing = || ApiError::Invalid("`lead` should name the lead to merge.".into());
    let other: LeadKey = request.lead.as_deref().ok_or_else(missing)?.into();
    let (_, survivor) = find(&core, &key, &path.as_str().into()).await?;
    let (named, merged) = find(&core, &key, &other).await?;
    let settings = &key.settings;
    if merged.id == survivor.id && named != survivor.id {
        // It was merged before. A failure in between may have kept it from the CRMs.
        merging::hand_off_again(&core, settings, survivor.id).await?;
    } else {
        let by = key.name();
        let done = merging::merge(&core, settings, survivor.id, merged.id, by).await?;
        done.map_err(|refused| ApiError::Conflict(refused.to_string()))?;
    }
    let view = view_of(&core, &key, &survivor.id.to_text()).await?;
    Ok(HttpResponse::Ok().json(view.details(&key.settings)))
}

/// Undoes a merge.
///
/// The other lead has its own id, e-mail address and history again. What came in while they were merged stays with
/// the surviving lead, unless it is about the other lead's deals or CRM record. A repeat changes nothing.
#[utoipa::path(
    delete,
    path = "/v1/leads/{lead}/merges/{merged}",
    tag = "Leads",
    operation_id = "undoMerge",
    security(("api_key" = ["admin"])),
    params(LeadPath, ("merged" = String, Path, description = "The id of the lead that was merged."), SiteQuery),
    responses(
        (status = 200, description = "The lead that was merged.", body = LeadDetails<'static>),
        NotFoundResponse,
        KeyRefused,
    ),
)]
pub(super) async fn undo(
    core: Data<Core>,
    key: Allowed<Admin>,
    path: Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (lead, merged) = path.into_inner();
    let (_, survivor) = find(&core, &key, &lead.as_str().into()).await?;
    let none = || ApiError::NotFound("merge of this lead");
    let merged = LeadId::parse(&merged).ok_or_else(none)?;
    if !merging::undo_merge(&core, &key.settings, survivor.id, merged).await? {
        return Err(none());
    }
    let view = view_of(&core, &key, &merged.to_text()).await?;
    Ok(HttpResponse::Ok().json(view.details(&key.settings)))
}

/// The lead that a key names, and the one that answers for it.
async fn find(core: &Core, key: &Access, lead: &LeadKey) -> Result<(LeadId, Lead), ApiError> {
    let none = || ApiError::NotFound("lead");
    let country = key.settings.country(&key.site);
    let id = named(&*core.store, &key.site, country, lead).await?.ok_or_else(none)?;
    let found = leads::find(&*core.store, &key.site, country, &LeadKey::Id(id)).await?;
    Ok((id, found.ok_or_else(none)?))
}
