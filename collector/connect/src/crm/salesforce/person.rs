//! The values that a person's record should have, in Salesforce's own fields and in ours.

use crate::crm::merge::{DesiredValue, PersonName, merge};
use crate::crm::push::Push;
use serde_json::{Map, Value};
use shared::cut;
use shared::fields::catalogue::{Field, FieldKind, find};
use shared::fields::naming::{Crm, Prefix};
use shared::time::parse_rfc3339;

/// The maximum length of a multi-line text.
pub(super) const LONG_TEXT: usize = 32_768;
/// The maximum length of a single-line text and of a `Url`.
pub(super) const SHORT_TEXT: usize = 255;
/// The maximum length of an enumeration's values.
pub(super) const WORD: usize = 40;
/// The maximum length of a last name.
const LAST_NAME: usize = 80;
/// The placeholder for an unknown company or name.
const NOT_PROVIDED: &str = "[not provided]";
/// The maximum length of an e-mail address. A longer one is refused, and a truncated one would be
/// someone else's.
const EMAIL: usize = 80;

/// The standard fields of a type of record that are read and written.
pub(super) fn own_fields(object: &str) -> &'static [&'static str] {
    match object {
        "Lead" => &["LastName", "FirstName", "Company", "Title", "Email", "Phone", "LeadSource"],
        _ => &["LastName", "FirstName", "Title", "Email", "Phone", "LeadSource"],
    }
}

/// The field that contains our lead's id.
pub(super) fn key(prefix: &Prefix) -> String {
    find("lead_id").map(|field| Crm::Salesforce.field_name(prefix, field)).unwrap_or_default()
}

/// The names of our fields that a push writes, starting with the key.
pub(super) fn columns(push: &Push<'_>, prefix: &Prefix) -> Vec<String> {
    let names = push.values.iter().map(|(field, _)| Crm::Salesforce.field_name(prefix, field));
    let key = key(prefix);
    let others: Vec<String> = names.filter(|name| *name != key).collect();
    std::iter::once(key).chain(others).collect()
}

/// The fields to write into an existing record; if the record is new (`None`), all of them.
pub(super) fn changes(
    push: &Push<'_>,
    prefix: &Prefix,
    object: &str,
    there: Option<&Value>,
) -> Map<String, Value> {
    let own = own_fields(object).iter().map(|name| own_field(push, name));
    let lead = find("lead_id").map(|field| (field, Value::from(push.lead.to_text())));
    let others = push.values.iter().filter(|(field, _)| field.name != "lead_id");
    let ours = lead.iter().chain(others).map(|(field, value)| {
        let name = Crm::Salesforce.field_name(prefix, field);
        DesiredValue::clew(name, field, encode(field, value), push.overwrite_first)
    });
    let wanted: Vec<DesiredValue> = own.chain(ours).collect();
    merge(&wanted, there, is_same)
}

/// A standard field, truncated to its maximum length. A Lead requires a company and a last name.
fn own_field(push: &Push<'_>, name: &str) -> DesiredValue {
    let contact = push.contact;
    let PersonName { first, last } = PersonName::of(contact);
    let cut = |value: Option<&str>, limit| value.map(|value| cut::text(value.to_owned(), limit));
    let value = match name {
        "LastName" => cut(last, LAST_NAME),
        "FirstName" => cut(first, 40),
        "Company" => cut(contact.company.as_deref(), SHORT_TEXT),
        "Title" => cut(contact.job_title.as_deref(), 128),
        "Phone" => cut(contact.phone.as_deref(), 40),
        "Email" => contact.email.clone().filter(|email| email.chars().count() <= EMAIL),
        "LeadSource" => cut(push.channel, SHORT_TEXT),
        _ => None,
    };
    let placeholder = match name {
        "Company" => NOT_PROVIDED.into(),
        "LastName" => {
            let local = contact.email.as_deref().and_then(|email| email.rsplit_once('@'));
            let local = local.map(|(local, _)| local).or(contact.phone.as_deref());
            cut(local.or(Some(NOT_PROVIDED)), LAST_NAME).into()
        }
        _ => Value::Null,
    };
    DesiredValue { placeholder, ..DesiredValue::standard(name, value) }
}

/// A value in Salesforce's format, truncated to its field's length.
fn encode(field: &Field, value: &Value) -> Option<Value> {
    let value = Crm::Salesforce.encode(field, value.clone())?;
    let Value::String(text) = value else { return Some(value) };
    // Salesforce treats an empty text as null, which would clear the field.
    let text = Some(text).filter(|text| !text.is_empty())?;
    Some(match field.kind {
        FieldKind::Decimal => number(&text).unwrap_or_else(|| text.into()),
        FieldKind::Url(limit) => cut::url(text, limit.min(LONG_TEXT))?.into(),
        FieldKind::Text(limit) => cut::text(text, limit.min(LONG_TEXT)).into(),
        FieldKind::Enum(_) | FieldKind::Channel => cut::text(text, WORD).into(),
        FieldKind::LongText | FieldKind::Json => cut::text(text, LONG_TEXT).into(),
        FieldKind::Time | FieldKind::Integer => text.into(),
    })
}

/// An amount as a JSON number, which `Number` fields expect; `None` if a float would not have
/// exactly the same digits.
fn number(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (format!("{number:.decimals$}") == text).then(|| number.into())
}

/// Whether a field already has the value, in Salesforce's format.
fn is_same(wanted: &DesiredValue, held: &Value) -> bool {
    match (held, &wanted.value) {
        (Value::String(held), Value::String(value)) => match wanted.kind {
            Some(FieldKind::Time) => parse_rfc3339(held) == parse_rfc3339(value),
            // Salesforce trims texts and may change line endings.
            _ => held.replace("\r\n", "\n").trim() == value.replace("\r\n", "\n").trim(),
        },
        (Value::Number(held), Value::Number(value)) => held.as_f64() == value.as_f64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::ids::LeadId;
    use shared::lead::Contact;

    const LEAD: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";

    /// Checks what is written for `values` into a record with `there`, apart from the key.
    fn check(values: &[(&str, Value)], there: &Value, expected: &Value) {
        let values: Vec<_> =
            values.iter().map(|(name, value)| (find(name).unwrap(), value.clone())).collect();
        let push = Push {
            lead: LeadId::parse(LEAD).unwrap(),
            contact: &Contact::default(),
            values: &values,
            channel: None,
            known: None,
            overwrite_first: false,
        };
        let mut record = json!({ "Clew_Lead_Id__c": LEAD });
        record.as_object_mut().unwrap().extend(there.as_object().unwrap().clone());
        let written = changes(&push, &"clew".parse().unwrap(), "Contact", Some(&record));
        assert_eq!(&Value::from(written), expected, "{there}");
    }

    #[test]
    fn our_fields() {
        let time = "2026-11-02T08:01:11Z";
        let link = "https://a.example/b?c=d";
        for (name, value, there, expected) in [
            ("visits_count", json!(3), json!({ "Clew_Visits_Count__c": 3.0 }), json!({})),
            (
                "visits_count",
                json!(4),
                json!({ "Clew_Visits_Count__c": 3.0 }),
                json!({ "Clew_Visits_Count__c": 4 }),
            ),
            (
                "last_click_at",
                json!(time),
                json!({ "Clew_Last_Click_At__c": "2026-11-02T08:01:11.000+0000" }),
                json!({}),
            ),
            (
                "last_click_at",
                json!(time),
                json!({ "Clew_Last_Click_At__c": "2026-11-02T08:01:12.000+0000" }),
                json!({ "Clew_Last_Click_At__c": time }),
            ),
            (
                "journey_summary",
                json!("a\nb\n"),
                json!({ "Clew_Journey_Summary__c": "a\r\nb" }),
                json!({}),
            ),
            (
                "first_click_source",
                json!("google"),
                json!({ "Clew_First_Click_Source__c": "" }),
                json!({ "Clew_First_Click_Source__c": "google" }),
            ),
            (
                "first_click_source",
                json!("google"),
                json!({ "Clew_First_Click_Source__c": "bing" }),
                json!({}),
            ),
            (
                "last_click_source",
                json!(""),
                json!({ "Clew_Last_Click_Source__c": "bing" }),
                json!({}),
            ),
            (
                "last_click_source",
                Value::Null,
                json!({ "Clew_Last_Click_Source__c": "bing" }),
                json!({}),
            ),
            ("revenue", json!("1200.50"), json!({ "Clew_Revenue__c": 1200.5 }), json!({})),
            ("revenue", json!("1200.50"), json!({}), json!({ "Clew_Revenue__c": 1200.5 })),
            // A float would not be exactly the same amount.
            (
                "revenue",
                json!("92233720368547758.07"),
                json!({}),
                json!({ "Clew_Revenue__c": "92233720368547758.07" }),
            ),
            (
                "last_click_source",
                json!("ß".repeat(300)),
                json!({}),
                json!({ "Clew_Last_Click_Source__c": format!("{}…", "ß".repeat(254)) }),
            ),
            (
                "conversion_page",
                json!(format!("{link}&e={}", "x".repeat(40_000))),
                json!({}),
                json!({ "Clew_Conversion_Page__c": link }),
            ),
            ("lead_id", json!("another"), json!({ "Clew_Lead_Id__c": "there" }), json!({})),
            (
                "lead_id",
                json!("another"),
                json!({ "Clew_Lead_Id__c": null }),
                json!({ "Clew_Lead_Id__c": LEAD }),
            ),
        ] {
            check(&[(name, value)], &there, &expected);
        }
    }
}
