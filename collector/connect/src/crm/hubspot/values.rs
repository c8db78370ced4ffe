//! The values that a contact's properties should have, and when two values are equal in HubSpot.

use super::words::time;
use crate::crm::merge::{DesiredValue, PersonName};
use crate::crm::push::Push;
use serde_json::Value;
use shared::cut;
use shared::fields::catalogue::FieldKind;
use shared::fields::naming::{Crm, Prefix};

/// All properties of a push. The lead's id is included if the connection wants it, or if it is the
/// only key.
pub(super) fn wanted(push: &Push<'_>, prefix: &Prefix, lead_property: &str) -> Vec<DesiredValue> {
    let contact = push.contact;
    let name = PersonName::of(contact);
    let own = |name: &str, value: Option<&str>| DesiredValue::standard(name, value.map(short));
    let mut all = vec![
        own("email", contact.email.as_deref()),
        own("firstname", name.first),
        own("lastname", name.last),
        own("phone", contact.phone.as_deref()),
        own("company", contact.company.as_deref()),
        own("jobtitle", contact.job_title.as_deref()),
    ];
    for (field, value) in push.values {
        let name = Crm::Hubspot.field_name(prefix, field);
        let value = Crm::Hubspot.encode(field, value.clone());
        let value = value.as_ref().and_then(Value::as_str).map(|value| short(value).into());
        all.push(DesiredValue::clew(name, field, value, push.overwrite_first));
    }
    let has_lead = all.iter().any(|wanted| wanted.name == lead_property);
    if !has_lead && contact.email.is_none() {
        all.push(DesiredValue::standard(lead_property, Some(push.lead.to_string())));
    }
    all
}

fn short(text: &str) -> String {
    cut::text(text.to_owned(), Crm::Hubspot.long_text())
}

/// HubSpot may return a value in a different format than it was sent.
pub(super) fn is_same(wanted: &DesiredValue, there: &Value) -> bool {
    let (Some(value), Some(found)) = (wanted.value.as_str(), there.as_str()) else { return false };
    match wanted.kind {
        Some(FieldKind::Integer | FieldKind::Decimal) => plain(found) == plain(value),
        Some(FieldKind::Time) => time(there).is_some_and(|at_ms| at_ms.to_string() == value),
        _ => found == value,
    }
}

/// A decimal number without trailing zeros. Compares digits instead of parsing floats.
fn plain(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::merge::merge;
    use serde_json::json;
    use shared::fields::catalogue::{Field, find};
    use shared::ids::LeadId;
    use shared::lead::Contact;

    const LEAD: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";

    fn check(
        contact: &Value,
        fields: &[(&str, Value)],
        overwrite: bool,
        there: &Value,
        expected: &Value,
    ) {
        let contact: Contact = serde_json::from_value(contact.clone()).unwrap();
        let values: Vec<(&'static Field, Value)> =
            fields.iter().map(|(name, value)| (find(name).unwrap(), value.clone())).collect();
        let push = Push {
            lead: LeadId::parse(LEAD).unwrap(),
            contact: &contact,
            values: &values,
            channel: None,
            known: None,
            overwrite_first: overwrite,
        };
        let wanted = wanted(&push, &"clew".parse().unwrap(), "clew_lead_id");
        let found = merge(&wanted, Some(there), is_same);
        assert_eq!(&Value::Object(found), expected, "{fields:?} over {there}");
    }

    #[test]
    fn what_is_written() {
        let person = json!({ "email": "a@b.example", "first_name": "A", "phone": "+33612345678" });
        let first = [("first_click_source", json!("google"))];
        let last = [("last_click_source", json!("bing"))];
        let at = [("last_click_at", json!("2026-11-02T08:01:11Z"))];
        let none = json!({});
        for (contact, fields, overwrite, there, expected) in [
            // A new contact gets everything.
            (
                &person,
                &first[..],
                false,
                json!({}),
                json!({ "email": "a@b.example", "firstname": "A", "phone": "+33612345678",
                    "clew_first_click_source": "google" }),
            ),
            // A corrected value stays; an empty one is filled.
            (
                &person,
                &[],
                false,
                json!({ "email": "c@d.example", "firstname": "Anna", "phone": "" }),
                json!({ "phone": "+33612345678" }),
            ),
            // The first click stays unless it is to be overwritten; the last click is always
            // written.
            (
                &none,
                &first,
                false,
                json!({ "clew_first_click_source": "x" }),
                json!({ "clew_lead_id": LEAD }),
            ),
            (
                &json!({ "email": "a@b.example" }),
                &first,
                true,
                json!({ "email": "a@b.example", "clew_first_click_source": "x" }),
                json!({ "clew_first_click_source": "google" }),
            ),
            (
                &json!({ "email": "a@b.example" }),
                &last,
                false,
                json!({ "email": "a@b.example", "clew_last_click_source": "x" }),
                json!({ "clew_last_click_source": "bing" }),
            ),
            // Equal values in different formats.
            (
                &none,
                &at,
                false,
                json!({ "clew_last_click_at": "2026-11-02T08:01:11.000Z", "clew_lead_id": "x" }),
                json!({}),
            ),
            (
                &none,
                &at,
                false,
                json!({ "clew_last_click_at": "2026-11-02T08:01:12Z", "clew_lead_id": "x" }),
                json!({ "clew_last_click_at": "1793606471000" }),
            ),
            (
                &none,
                &[("revenue", json!("1200.50")), ("visits_count", json!(10))],
                false,
                json!({ "clew_revenue": "1200.5", "clew_visits_count": "10", "clew_lead_id": "x" }),
                json!({}),
            ),
            (
                &none,
                &[("visits_count", json!(10))],
                false,
                json!({ "clew_visits_count": "1", "clew_lead_id": "x" }),
                json!({ "clew_visits_count": "10" }),
            ),
            // No field is ever cleared.
            (
                &none,
                &[("gclid", Value::Null), ("form_name", json!(""))],
                false,
                json!({ "clew_gclid": "y", "clew_lead_id": "x" }),
                json!({}),
            ),
            // A form that asked for a full name.
            (
                &json!({ "full_name": "Ann Example" }),
                &[],
                false,
                json!({ "clew_lead_id": "x" }),
                json!({ "firstname": "Ann", "lastname": "Example" }),
            ),
        ] {
            check(contact, fields, overwrite, &there, &expected);
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let field = find("journey_summary").unwrap();
        let push = Push {
            lead: LeadId::parse(LEAD).unwrap(),
            contact: &Contact::default(),
            values: &[(field, "ä".repeat(65_537).into())],
            channel: None,
            known: None,
            overwrite_first: false,
        };
        let wanted = wanted(&push, &"clew".parse().unwrap(), "clew_lead_id");
        let wanted = wanted.iter().find(|it| it.name == "clew_journey_summary").unwrap();
        let long = wanted.value.as_str().unwrap();
        assert_eq!(long.chars().count(), 65_536);
        assert!(long.ends_with('…'));
    }
}
