//! A webhook's body: the lead's fields and its journey, within the size that receivers take.

use crate::app::App;
use crate::conversion::view::LeadView;
use crate::settings::Settings;
use crate::store::{Delivery, StoreError};
use serde_json::{Value, json};
use shared::fields::FIELDS_VERSION;
use shared::limits;
use shared::time::rfc3339;

/// The body of a hand-off; `None` where the lead is gone.
pub(super) async fn build(
    app: &App,
    settings: &Settings,
    delivery: &Delivery,
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(view) = LeadView::load(app, delivery.id.lead, delivery.conversion()).await? else {
        return Ok(None);
    };
    let mut fields = view.fields(settings, limits::WEBHOOK_JOURNEY_BYTES);
    // A field that is not known is not sent: it must not empty the CRM's. Where this very hand-off
    // stands is no news to whoever receives it.
    let is_of_hand_off = |name: &str| matches!(name, "crm_sync_status" | "crm_synced_at");
    fields.retain(|name, value| !value.is_null() && !is_of_hand_off(name));
    let body = json!({
        "type": delivery.kind.as_str(),
        "timestamp": rfc3339(delivery.created_at_ms),
        "data": {
            "id": delivery.subject,
            "lead_id": delivery.id.lead,
            "fields_version": FIELDS_VERSION,
            "fields": fields,
            "journey": view.history.to_json(),
        },
    });
    Ok(Some(fit(body, limits::WEBHOOK_BODY_BYTES)))
}

/// Leaves out, in turn, the reasons of touches, pages that were not engaged, all pages, the journey,
/// `journey_json` and the summary.
fn fit(mut body: Value, limit: usize) -> Vec<u8> {
    let cuts: [fn(&mut Value); 6] = [
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
        let cut: Value = serde_json::from_slice(&fit(body, limit)).unwrap();
        let mut left = Vec::new();
        match cut["data"]["journey"]["pages"].as_array().map(Vec::len) {
            Some(2) => left.push("pages"),
            Some(1) => left.push("engaged"),
            _ => {}
        }
        left.extend(cut["data"]["journey"]["touches"].is_array().then_some("touches"));
        left.extend(cut["data"]["journey"]["touches"][0]["why"].is_string().then_some("why"));
        left.extend(cut["data"]["fields"]["journey_json"].is_string().then_some("json"));
        assert_eq!(left, expected, "{limit}");
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
