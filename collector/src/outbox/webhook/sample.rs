//! Flat bodies that are not delivered: samples for whoever maps them, and lists for whoever polls.

use super::body::{flat, is_of_hand_off, lay_flat};
use super::news::News;
use crate::leads::{LeadView, load_each};
use crate::settings::Settings;
use clew_core::Core;
use clew_store::{DeliveryKind, Leads, StoreError};
use serde_json::{Map, Value, json};
use shared::fields::catalogue::catalogue;
use shared::ids::{LeadId, SiteId};

/// Bodies in a sample.
const BODIES: usize = 3;
/// Leads that are looked through for them,
const LEADS: usize = 50;
/// so many at a time.
const AT_ONCE: usize = 10;
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

/// What would be delivered of a site's newest leads, newest first; of a made-up one where there is none.
///
/// # Errors
/// The store's.
pub async fn sample(
    core: &Core,
    settings: &Settings,
    site: &SiteId,
    kind: DeliveryKind,
) -> Result<Vec<Value>, StoreError> {
    let store = &*core.store;
    let leads = store.leads(site, None, LEADS).await?;
    let mut bodies = Vec::new();
    for some in leads.chunks(AT_ONCE) {
        let ids: Vec<LeadId> = some.iter().map(|lead| lead.id).collect();
        bodies.extend(bodies_of(store, settings, &ids, kind).await?);
        if bodies.len() >= BODIES {
            break;
        }
    }
    bodies.truncate(BODIES);
    if bodies.is_empty() {
        bodies.push(made_up(kind, core.now_ms()));
    }
    Ok(bodies)
}

/// What would be delivered of these leads' last conversions.
///
/// # Errors
/// The store's.
pub async fn converted(
    store: &(impl Leads + ?Sized),
    settings: &Settings,
    leads: &[LeadId],
) -> Result<Vec<Value>, StoreError> {
    bodies_of(store, settings, leads, DeliveryKind::Converted).await
}

async fn bodies_of(
    store: &(impl Leads + ?Sized),
    settings: &Settings,
    leads: &[LeadId],
    kind: DeliveryKind,
) -> Result<Vec<Value>, StoreError> {
    let body = |view: &LeadView| Some(flat(view, settings, News::last(view, kind)?));
    load_each(store, leads, body).await
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
