//! What comes back of a lead: stages that it entered and what became of its deals, as programs tell
//! them by API ([`request`]) or by webhook ([`inbound`]).
//!
//! A request is read into a record that cannot be wrong, the lead that it means is looked up, and the
//! store keeps the record once. By what it is known when it is told again is said by the caller, or made of
//! what it tells.

pub mod inbound;
mod read;
pub mod request;

use crate::app::App;
use crate::conversion::view::{LeadView, find_lead};
use crate::error::ApiError;
use crate::outbox::destinations::destinations;
use crate::settings::Settings;
use crate::store::{NewRecord, Record, Recorded, StoreError, Unmatched};
use serde_json::{Value, json};
use shared::ids::{LeadId, SiteId};
use shared::lead::IdentityKind;
use shared::money::Money;
use shared::time::rfc3339;

const NOBODY: ApiError = ApiError::NotFound("lead; GET /v1/unmatched lists what was told");

/// The lead by the first of the names that is known, as it stands with the record, and whether that
/// had been told before. What names nobody is kept and listed as such.
async fn keep(
    app: &App,
    settings: &Settings,
    told: Unmatched,
) -> Result<(LeadView, bool), ApiError> {
    let Some(lead) = find(app, settings, &told.site, &told.names).await? else {
        app.store.keep_unmatched(told).await?;
        return Err(NOBODY);
    };
    let repeated = keep_of(app, settings, lead, told).await?;
    let view = LeadView::load(app, lead, None).await?;
    let missing = || StoreError::Corrupt("a lead that was just written to is missing".into());
    Ok((view.ok_or_else(missing)?, repeated))
}

/// The lead by the first of the names that is known.
async fn find(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    names: &[String],
) -> Result<Option<LeadId>, ApiError> {
    for name in names {
        match find_lead(app, settings, site, name).await {
            Err(ApiError::NotFound(_)) => {}
            lead => return Ok(Some(lead?.id)),
        }
    }
    Ok(None)
}

/// Keeps what was told of a lead and tells it on; whether it had been told before.
async fn keep_of(
    app: &App,
    settings: &Settings,
    lead: LeadId,
    told: Unmatched,
) -> Result<bool, ApiError> {
    let Unmatched { site, record, crm_record, .. } = told;
    let destinations = match record.delivered_as() {
        Some(kind) => destinations(app, settings, &site, kind).await?,
        None => Vec::new(),
    };
    let due_at_ms = app.clock.now_ms();
    let new = NewRecord { lead, record, crm_record, destinations, due_at_ms };
    match app.store.record(new).await? {
        Recorded::Kept { repeated } => Ok(repeated),
        Recorded::NoLead => Err(ApiError::NotFound("lead")),
        Recorded::ReferenceUsed => {
            let told = "This reference was used for something else; use a new one.";
            Err(ApiError::Conflict(told.into()))
        }
        Recorded::Taken(kind, other) => {
            let what = match kind {
                IdentityKind::Deal => "deal",
                _ => "record of the CRM",
            };
            Err(ApiError::Conflict(format!("This {what} is that of the lead {other}.")))
        }
    }
}

/// Something that was told of nobody who is known, as the API answers it.
pub fn unmatched_json(unmatched: &Unmatched) -> Value {
    let Unmatched { names, record, crm_record, .. } = unmatched;
    let mut told = match record {
        Record::Stage(change) => json!({
            "stage": change.to,
            "at": rfc3339(change.entered_at_ms),
            "recorded_at": rfc3339(change.recorded_at_ms),
            "by": change.by.to_string(),
            "reason": change.reason,
            "reference": change.reference,
        }),
        Record::Deal(entry) => json!({
            "deal": entry.deal,
            "kind": entry.event,
            "amount": entry.amount.map(Money::decimal),
            "currency": entry.amount.map(|amount| amount.currency),
            "at": rfc3339(entry.at_ms),
            "recorded_at": rfc3339(entry.recorded_at_ms),
            "by": entry.source.to_string(),
            "reference": entry.reference,
        }),
        Record::Link(link) => json!({ "link": link }),
    };
    told["id"] = unmatched.id().to_text().into();
    told["names"] = json!(names);
    told["crm"] = json!(crm_record);
    told
}
