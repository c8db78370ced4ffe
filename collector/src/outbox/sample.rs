//! Flat bodies that nobody delivers: samples for whoever maps them, and lists for whoever asks instead of
//! being told.

use super::body::{flat, is_of_hand_off, lay_flat};
use super::news::News;
use crate::app::App;
use crate::conversion::view::LeadView;
use crate::settings::Settings;
use crate::store::{DeliveryKind, StoreError};
use serde_json::{Map, Value, json};
use shared::fields::catalogue::catalogue;
use shared::ids::SiteId;
use shared::lead::Lead;

/// Bodies in a sample.
const BODIES: usize = 3;
/// Leads that are looked through for them.
const LEADS: usize = 50;
/// What a made-up lead is known by; its other fields are not known.
const EXAMPLE: [(&str, &str); 12] = [
    ("lead_id", "0197a2b4-0000-7000-8000-000000000000"),
    ("email", "lead@example.com"),
    ("phone", "+33142685300"),
    ("first_name", "First"),
    ("last_name", "Last"),
    ("company", "Example"),
    ("first_click_source", "google"),
    ("first_click_medium", "cpc"),
    ("first_click_channel", "paid_search"),
    ("last_click_source", "(direct)"),
    ("last_click_channel", "direct"),
    ("lead_stage", "lead"),
];

/// What the newest leads of a site would be told with, newest first; a made-up one where there is none.
///
/// # Errors
/// The store's.
pub async fn sample(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    kind: DeliveryKind,
) -> Result<Vec<Value>, StoreError> {
    let mut bodies = Vec::new();
    for lead in app.store.leads(site, None, LEADS).await? {
        let records = match kind {
            DeliveryKind::Converted => Vec::new(),
            _ => app.store.records(lead.id).await?,
        };
        if kind != DeliveryKind::Converted && records.is_empty() {
            continue;
        }
        let Some(view) = LeadView::load(app, lead.id, None).await? else { continue };
        let news = News::last(&view, &records, kind);
        bodies.extend(news.map(|news| flat(&view, settings, news)));
        if bodies.len() == BODIES {
            break;
        }
    }
    if bodies.is_empty() {
        bodies.push(made_up(kind, app.clock.now_ms()));
    }
    Ok(bodies)
}

/// What these leads' last conversions would be told with.
///
/// # Errors
/// The store's.
pub async fn converted(
    app: &App,
    settings: &Settings,
    leads: &[Lead],
) -> Result<Vec<Value>, StoreError> {
    let mut bodies = Vec::with_capacity(leads.len());
    for lead in leads {
        let Some(view) = LeadView::load(app, lead.id, None).await? else { continue };
        let news = News::last(&view, &[], DeliveryKind::Converted);
        bodies.extend(news.map(|news| flat(&view, settings, news)));
    }
    Ok(bodies)
}

fn made_up(kind: DeliveryKind, now_ms: i64) -> Value {
    let names = catalogue().iter().map(|field| &field.name).filter(|name| !is_of_hand_off(name));
    let mut fields: Map<String, Value> = names.map(|name| (name.clone(), Value::Null)).collect();
    fields.extend(EXAMPLE.map(|(name, value)| (name.to_owned(), json!(value))));
    lay_flat(fields, News::made_up(kind, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fields::catalogue::find;

    #[test]
    fn what_is_made_up_has_fields_that_there_are() {
        for (name, _) in EXAMPLE {
            assert!(find(name).is_some(), "{name}");
        }
        let body = made_up(DeliveryKind::Converted, 0);
        assert_eq!(body.as_object().unwrap().len(), catalogue().len() - 2 + 3);
    }
}
