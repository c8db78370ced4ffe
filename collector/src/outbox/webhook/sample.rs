//! Flat bodies that are not delivered: samples for mapping fields, and lists for programs that poll.

use super::body::{flat, flat_of, is_of_hand_off};
use super::lead_event::LeadEvent;
use crate::leads::{LeadView, load_each};
use crate::settings::Settings;
use clew_api::{FieldValues, FlatEvent};
use clew_core::Core;
use clew_store::{DeliveryKind, Leads, StoreError};
use serde_json::Value;
use shared::fields::catalogue::catalogue;
use shared::ids::{LeadId, SiteId};

/// Bodies in a sample.
const BODIES: usize = 3;
/// The newest leads that are searched for them.
const LEADS: usize = 50;
/// Leads that are read at once.
const AT_ONCE: usize = 10;
/// What is known of the example lead; its other fields are `null`.
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

/// What would be delivered about a site's newest leads, newest first; about an example lead if there are none.
///
/// # Errors
/// The store's.
pub async fn sample(
    core: &Core,
    settings: &Settings,
    site: &SiteId,
    kind: DeliveryKind,
) -> Result<Vec<FlatEvent>, StoreError> {
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
        bodies.push(example(kind, core.now_ms()));
    }
    Ok(bodies)
}

/// What would be delivered about the last conversions of these leads.
///
/// # Errors
/// The store's.
pub async fn converted(
    store: &(impl Leads + ?Sized),
    settings: &Settings,
    leads: &[LeadId],
) -> Result<Vec<FlatEvent>, StoreError> {
    bodies_of(store, settings, leads, DeliveryKind::Converted).await
}

async fn bodies_of(
    store: &(impl Leads + ?Sized),
    settings: &Settings,
    leads: &[LeadId],
    kind: DeliveryKind,
) -> Result<Vec<FlatEvent>, StoreError> {
    let body = |view: &LeadView| Some(flat(view, settings, LeadEvent::newest(view, kind)?));
    load_each(store, leads, body).await
}

fn example(kind: DeliveryKind, now_ms: i64) -> FlatEvent {
    let names = catalogue().iter().map(|field| &field.name).filter(|name| !is_of_hand_off(name));
    let mut fields = FieldValues(names.map(|name| (name.clone(), Value::Null)).collect());
    fields.0.extend(EXAMPLE.map(|(name, value)| (name.to_owned(), value.into())));
    flat_of(fields, LeadEvent::example(kind, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fields::catalogue::find;

    #[test]
    fn the_example_has_every_field() {
        for (name, _) in EXAMPLE {
            assert!(find(name).is_some(), "{name}");
        }
        let body = serde_json::json!(example(DeliveryKind::Converted, 0));
        assert_eq!(body.as_object().unwrap().len(), catalogue().len() - 2 + 3);
    }
}
