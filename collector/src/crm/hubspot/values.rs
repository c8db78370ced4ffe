//! What a contact's properties should be, and what of it is still to be written.

use super::time;
use crate::crm::{Push, is_written_once};
use serde_json::{Map, Value};
use shared::cut;
use shared::fields::catalogue::FieldKind;
use shared::fields::naming::{Crm, Prefix};
use shared::lead::Contact;

/// A property as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// HubSpot's name of it.
    pub(super) name: String,
    value: String,
    /// Whether a value that is there stays.
    fills: bool,
    kind: Kind,
}

/// How two values are compared: HubSpot does not give back every value as it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Text,
    Number,
    Time,
}

/// All properties of a push. What the form said of the person only fills what is empty: a sales
/// person's correction stays. The lead's id is among them where it is wanted, or the only key.
pub(super) fn wanted(push: &Push<'_>, prefix: &Prefix, lead_property: &str) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = standard(push.contact)
        .into_iter()
        .filter_map(|(name, value)| Wanted::new(name.into(), value?.to_owned(), true, Kind::Text))
        .collect();
    for (field, value) in push.values {
        let kind = match field.kind {
            FieldKind::Time => Kind::Time,
            FieldKind::Integer | FieldKind::Decimal => Kind::Number,
            _ => Kind::Text,
        };
        let fills = is_written_once(field) && !push.overwrite_first;
        let name = Crm::Hubspot.field_name(prefix, field);
        if let Some(Value::String(value)) = Crm::Hubspot.encode(field, value.clone()) {
            all.extend(Wanted::new(name, value, fills, kind));
        }
    }
    let has_lead = all.iter().any(|wanted| wanted.name == lead_property);
    if !has_lead && push.contact.email.is_none() {
        all.extend(Wanted::new(lead_property.into(), push.lead.to_string(), true, Kind::Text));
    }
    all
}

/// HubSpot's own properties. It has none for a whole name, so one that comes undivided is the first.
fn standard(contact: &Contact) -> [(&'static str, Option<&str>); 6] {
    let is_divided = contact.first_name.is_some() || contact.last_name.is_some();
    let whole = contact.full_name.as_deref().filter(|_| !is_divided);
    [
        ("email", contact.email.as_deref()),
        ("firstname", contact.first_name.as_deref().or(whole)),
        ("lastname", contact.last_name.as_deref()),
        ("phone", contact.phone.as_deref()),
        ("company", contact.company.as_deref()),
        ("jobtitle", contact.job_title.as_deref()),
    ]
}

/// What is to be written where these values are there already; nothing of a value that is the same.
pub(super) fn missing(wanted: &[Wanted], there: &Value) -> Map<String, Value> {
    let missing = wanted.iter().filter(|wanted| wanted.is_missing(&there[&wanted.name]));
    all(missing)
}

/// What is written where there is nothing.
pub(super) fn all<'a>(wanted: impl IntoIterator<Item = &'a Wanted>) -> Map<String, Value> {
    wanted.into_iter().map(|wanted| (wanted.name.clone(), wanted.value.clone().into())).collect()
}

impl Wanted {
    /// An empty text would clear the property.
    fn new(name: String, value: String, fills: bool, kind: Kind) -> Option<Self> {
        let value = cut::text(value, Crm::Hubspot.long_text());
        (!value.is_empty()).then_some(Self { name, value, fills, kind })
    }

    fn is_missing(&self, there: &Value) -> bool {
        match there.as_str().filter(|there| !there.is_empty()) {
            None => true,
            Some(_) if self.fills => false,
            Some(found) => match self.kind {
                Kind::Text => found != self.value,
                Kind::Number => plain(found) != plain(&self.value),
                Kind::Time => {
                    time(there).map(|at_ms| at_ms.to_string()) != Some(self.value.clone())
                }
            },
        }
    }
}

/// A decimal number without zeros that say nothing; digits are compared, never a float.
fn plain(number: &str) -> &str {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::fields::catalogue::{Field, find};
    use shared::ids::LeadId;

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
        let found = missing(&wanted, there);
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
            // What somebody corrected stays; what is empty is filled.
            (
                &person,
                &[],
                false,
                json!({ "email": "c@d.example", "firstname": "Anna", "phone": "" }),
                json!({ "phone": "+33612345678" }),
            ),
            // The first click stays unless it is to be overwritten; the last one does not.
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
            // The same in another form is the same.
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
            // Nothing is ever cleared.
            (
                &none,
                &[("gclid", Value::Null), ("form_name", json!(""))],
                false,
                json!({ "clew_gclid": "y", "clew_lead_id": "x" }),
                json!({}),
            ),
            // A name that nobody divided.
            (
                &json!({ "full_name": "Ann Example" }),
                &[],
                false,
                json!({ "clew_lead_id": "x" }),
                json!({ "firstname": "Ann Example" }),
            ),
        ] {
            check(contact, fields, overwrite, &there, &expected);
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let field = find("journey_summary").unwrap();
        let long = Wanted::new(field.name.clone(), "ä".repeat(65_537), false, Kind::Text).unwrap();
        assert_eq!(long.value.chars().count(), 65_536);
        assert!(long.value.ends_with('…'));
    }
}
