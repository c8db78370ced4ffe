//! A webhook's body: what happened to a lead, with the lead's fields and its journey, within the size
//! that receivers take.

use super::news::News;
use crate::leads::{LeadView, LoadError, Moment, load};
use crate::settings::{BodyShape, Settings};
use clew_store::{Delivery, DeliveryKind, Leads};
use serde_json::{Map, Value, json};
use shared::fields::FIELDS_VERSION;
use shared::limits;
use shared::time::rfc3339;

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
    let news = News::find(&view, delivery.kind, delivery.subject).ok_or(LoadError::NoLead)?;
    Ok(match shape {
        BodyShape::Flat => cut(flat(&view, settings, news), &FLAT_CUTS, limits::WEBHOOK_BODY_BYTES),
        BodyShape::Enveloped => {
            let body = enveloped(&view, settings, news, delivery.created_at_ms);
            cut(body, &CUTS, limits::WEBHOOK_BODY_BYTES)
        }
    })
}

/// `type`, `timestamp` and `data`. A field that is not known is not sent: it must not empty the CRM's.
fn enveloped(view: &LeadView, settings: &Settings, news: News, made_at_ms: i64) -> Value {
    let mut fields = fields(view, settings);
    fields.retain(|_, value| !value.is_null());
    let mut data = news.members;
    data.insert("id".into(), json!(news.id));
    data.insert("lead_id".into(), json!(view.lead.id));
    data.insert("fields_version".into(), json!(FIELDS_VERSION));
    data.insert("fields".into(), json!(fields));
    if news.kind == DeliveryKind::Converted {
        data.insert("journey".into(), view.history.to_json());
    }
    json!({ "type": news.kind.as_str(), "timestamp": rfc3339(made_at_ms), "data": data })
}

/// Everything side by side: all fields, those that are not known `null`, so that every body has the
/// same members; and what happened.
pub(super) fn flat(view: &LeadView, settings: &Settings, news: News) -> Value {
    lay_flat(fields(view, settings), news)
}

/// The flat body of these fields.
pub(super) fn lay_flat(mut fields: Map<String, Value>, news: News) -> Value {
    fields.extend(news.members);
    fields.insert("id".into(), json!(news.id));
    fields.insert("event".into(), news.kind.as_str().into());
    fields.insert("occurred_at".into(), rfc3339(news.at_ms).into());
    fields.into()
}

/// Where the hand-off stands is no news to whoever receives it.
pub(super) fn is_of_hand_off(field: &str) -> bool {
    matches!(field, "crm_sync_status" | "crm_synced_at")
}

fn fields(view: &LeadView, settings: &Settings) -> Map<String, Value> {
    let mut fields = view.fields(settings, limits::WEBHOOK_JOURNEY_BYTES);
    fields.retain(|name, _| !is_of_hand_off(name));
    fields
}

type Cut = fn(&mut Value);

/// Leaves out, in turn, the reasons of touches, pages that were not engaged, all pages, the journey,
/// `journey_json` and the summary.
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

/// The same of a flat body, which keeps its members.
const FLAT_CUTS: [Cut; 2] =
    [|body| body["journey_json"] = Value::Null, |body| body["journey_summary"] = Value::Null];

fn cut(mut body: Value, cuts: &[Cut], limit: usize) -> Vec<u8> {
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

    fn check(limit: usize, expected: &[&str]) {
        let page = |engaged: bool| json!({ "engaged": engaged, "url": "x".repeat(100) });
        let body = json!({ "data": {
            "fields": { "email": "a", "journey_json": "y".repeat(100) },
            "journey": { "pages": [page(true), page(false)], "touches": [{ "why": "w".repeat(100), "n": "z".repeat(100) }] },
        }});
        let left_of: Value = serde_json::from_slice(&cut(body, &CUTS, limit)).unwrap();
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
            let cut: Value = serde_json::from_slice(&cut(body.clone(), &FLAT_CUTS, limit)).unwrap();
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
