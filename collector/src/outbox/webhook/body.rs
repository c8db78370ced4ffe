//! A webhook's body: what happened to a lead, with the lead's fields and journey, within the size that
//! receivers accept.

use super::lead_event::LeadEvent;
use crate::leads::{LeadView, LoadError, Moment, load};
use crate::settings::{BodyShape, Settings};
use clew_api::{FieldValues, FlatEvent, Journey, Timestamp, WebhookData, WebhookEvent};
use clew_store::{Delivery, DeliveryKind, Leads};
use serde::Serialize;
use serde_json::Value;
use shared::fields::FIELDS_VERSION;
use shared::limits;

/// The body of a delivery.
///
/// # Errors
/// [`LoadError`], also where what the delivery reports is gone.
pub(super) async fn build(
    store: &(impl Leads + ?Sized),
    settings: &Settings,
    delivery: &Delivery,
    shape: BodyShape,
) -> Result<Vec<u8>, LoadError> {
    let moment = delivery.conversion().map_or(Moment::Now, Moment::Conversion);
    let view = load(store, delivery.id.lead, moment).await?;
    let event = LeadEvent::find(&view, delivery.kind, delivery.subject).ok_or(LoadError::NoLead)?;
    Ok(match shape {
        BodyShape::Flat => {
            shorten(&flat(&view, settings, event), &FLAT_CUTS, limits::WEBHOOK_BODY_BYTES)
        }
        BodyShape::Enveloped => {
            let body = enveloped(&view, settings, event, delivery.created_at_ms);
            shorten(&body, &CUTS, limits::WEBHOOK_BODY_BYTES)
        }
    })
}

/// An unknown field is left out, so that it does not empty the CRM's.
fn enveloped<'a>(
    view: &'a LeadView,
    settings: &Settings,
    event: LeadEvent,
    created_at_ms: i64,
) -> WebhookEvent<'a> {
    let mut fields = fields(view, settings);
    fields.0.retain(|_, value| !value.is_null());
    let is_conversion = event.kind == DeliveryKind::Converted;
    WebhookEvent {
        r#type: event.kind,
        timestamp: Timestamp(created_at_ms),
        data: WebhookData {
            id: event.id.to_string(),
            lead_id: view.lead.id,
            fields_version: FIELDS_VERSION,
            fields,
            journey: is_conversion.then(|| Journey::ends(&view.history)),
            change: event.change,
        },
    }
}

/// An unknown field is `null`, so that every body has the same members.
pub(super) fn flat(view: &LeadView, settings: &Settings, event: LeadEvent) -> FlatEvent {
    flat_of(fields(view, settings), event)
}

/// The flat body of these fields.
pub(super) fn flat_of(fields: FieldValues, event: LeadEvent) -> FlatEvent {
    FlatEvent {
        id: event.id.to_string(),
        event: event.kind,
        occurred_at: Timestamp(event.at_ms),
        fields,
        change: event.change,
    }
}

/// Whether a field says how the hand-off itself stands, which a webhook does not report.
pub(super) fn is_of_hand_off(field: &str) -> bool {
    matches!(field, "crm_sync_status" | "crm_synced_at")
}

fn fields(view: &LeadView, settings: &Settings) -> FieldValues {
    let mut fields = view.fields(settings, limits::WEBHOOK_JOURNEY_BYTES);
    fields.retain(|name, _| !is_of_hand_off(name));
    FieldValues(fields)
}

type Cut = fn(&mut Value);

/// Leaves out in turn: the reasons of touches, page views that were not engaged, all page views, the journey,
/// `journey_json`, the summary.
const CUTS: [Cut; 6] = [
    |body| {
        let touches = body["data"]["journey"]["touches"].as_array_mut();
        touches.into_iter().flatten().for_each(|touch| remove(touch, "why"));
    },
    |body| {
        if let Some(pages) = body["data"]["journey"]["pages"].as_array_mut() {
            pages.retain(|page| page["engaged"] == true);
        }
    },
    |body| remove(&mut body["data"]["journey"], "pages"),
    |body| remove(&mut body["data"], "journey"),
    |body| remove(&mut body["data"]["fields"], "journey_json"),
    |body| remove(&mut body["data"]["fields"], "journey_summary"),
];

/// The same for a flat body, which keeps its members.
const FLAT_CUTS: [Cut; 2] =
    [|body| body["journey_json"] = Value::Null, |body| body["journey_summary"] = Value::Null];

/// A body as text, cut until it fits.
fn shorten(body: &impl Serialize, cuts: &[Cut], limit: usize) -> Vec<u8> {
    // Nothing in a body can fail to serialise: no map has keys other than strings.
    let mut body = serde_json::to_value(body).unwrap_or_default();
    let mut text = body.to_string();
    for cut in cuts {
        if text.len() <= limit {
            break;
        }
        cut(&mut body);
        text = body.to_string();
    }
    text.into_bytes()
}

fn remove(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(limit: usize, expected: &[&str]) {
        let page = |engaged: bool| json!({ "engaged": engaged, "url": "x".repeat(100) });
        let body = json!({ "data": {
            "fields": { "email": "a", "journey_json": "y".repeat(100) },
            "journey": { "pages": [page(true), page(false)], "touches": [{ "why": "w".repeat(100), "n": "z".repeat(100) }] },
        }});
        let left_of: Value = serde_json::from_slice(&shorten(&body, &CUTS, limit)).unwrap();
        let mut left = Vec::new();
        match left_of["data"]["journey"]["pages"].as_array().map(Vec::len) {
            Some(2) => left.push("pages"),
            Some(1) => left.push("engaged"),
            _ => {}
        }
        left.extend(left_of["data"]["journey"]["touches"].is_array().then_some("touches"));
        left.extend(left_of["data"]["journey"]["touches"][0]["why"].is_string().then_some("why"));
        left.extend(left_of["data"]["fields"]["journey_json"].is_string().then_some("json"));
        assert_eq!(left, expected, "{limit}");
    }

    #[test]
    fn flat_bodies_keep_their_members() {
        let body = json!({ "email": "a", "journey_json": "y".repeat(100), "journey_summary": "z" });
        for (limit, json, summary) in [(1_000, false, false), (60, true, false), (9, true, true)] {
            let cut: Value = serde_json::from_slice(&shorten(&body, &FLAT_CUTS, limit)).unwrap();
            let found = (cut["journey_json"].is_null(), cut["journey_summary"].is_null());
            assert_eq!((found, cut.as_object().unwrap().len()), ((json, summary), 3), "{limit}");
        }
    }

    #[test]
    fn bodies_shrink_step_by_step() {
        check(10_000, &["pages", "touches", "why", "json"]);
        check(640, &["pages", "touches", "json"]);
        check(520, &["engaged", "touches", "json"]);
        check(400, &["touches", "json"]);
        check(250, &["json"]);
        check(100, &[]);
    }
}
