//! What is written of a person: Salesforce's own fields where they are empty, and ours.

use super::soql::text;
use crate::crm::{Push, is_written_once};
use serde_json::{Map, Value};
use shared::cut;
use shared::fields::catalogue::{Field, FieldKind, find};
use shared::fields::naming::{Crm, Prefix};
use shared::lead::Contact;
use shared::time::parse_rfc3339;

/// The longest text of several lines.
pub(super) const LONG_TEXT: usize = 32_768;
/// The longest text of one line, and the longest address of the type `Url`.
pub(super) const SHORT_TEXT: usize = 255;
/// The longest word of a closed list.
pub(super) const WORD: usize = 40;
/// A lead needs a company.
const NO_COMPANY: &str = "[not provided]";
/// A longer address is refused, and a cut one is somebody else's.
const EMAIL: usize = 80;

/// Salesforce's own fields of a kind of record that are read and written.
pub(super) fn own_fields(object: &str) -> &'static [&'static str] {
    match object {
        "Lead" => &["LastName", "FirstName", "Company", "Title", "Email", "Phone", "LeadSource"],
        _ => &["LastName", "FirstName", "Title", "Email", "Phone", "LeadSource"],
    }
}

/// The field that holds our lead's id.
pub(super) fn key(prefix: &Prefix) -> String {
    find("lead_id").map(|field| Crm::Salesforce.field_name(prefix, field)).unwrap_or_default()
}

/// The names of our fields that a push writes, the key first.
pub(super) fn columns(push: &Push<'_>, prefix: &Prefix) -> Vec<String> {
    let names = push.values.iter().map(|(field, _)| Crm::Salesforce.field_name(prefix, field));
    let key = key(prefix);
    let others: Vec<String> = names.filter(|name| *name != key).collect();
    std::iter::once(key).chain(others).collect()
}

/// The members that differ from the record as it stands; of a record that is to be made (`null`), all.
pub(super) fn changes(
    push: &Push<'_>,
    prefix: &Prefix,
    object: &str,
    there: &Value,
) -> Map<String, Value> {
    let mut body = Map::new();
    let known = Known::of(push.contact);
    for name in own_fields(object) {
        let fallback = known.fallback(name);
        // What we made up ourselves, no person told.
        let is_empty = text(there, name).is_none_or(|held| Some(held) == fallback.as_deref());
        let value = match *name {
            "LeadSource" => push.channel.map(|label| cut::text(label.to_owned(), SHORT_TEXT)),
            name => known.value(name),
        };
        let value = if there.is_null() { value.or(fallback) } else { value };
        if let Some(value) = value.filter(|value| is_empty && text(there, name) != Some(value)) {
            body.insert((*name).to_owned(), value.into());
        }
    }
    let lead = find("lead_id").map(|field| (field, Value::from(push.lead.to_text())));
    let others = push.values.iter().filter(|(field, _)| field.name != "lead_id");
    for (field, value) in lead.iter().chain(others) {
        let name = Crm::Salesforce.field_name(prefix, field);
        let held = &there[name.as_str()];
        let is_kept = is_written_once(field) && !push.overwrite_first && !is_empty(held);
        let Some(value) = encode(field, value).filter(|_| !is_kept) else { continue };
        if !is_same(field, held, &value) {
            body.insert(name, value);
        }
    }
    body
}

/// A person's words in the order of what they may be put into.
struct Known<'a> {
    contact: &'a Contact,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(contact: &'a Contact) -> Self {
        let (first, last) = (contact.first_name.as_deref(), contact.last_name.as_deref());
        // A form with one field for the whole name.
        let parted = contact.full_name.as_deref().filter(|_| first.is_none() && last.is_none());
        let (first_name, last_name) = match parted.map(|name| name.rsplit_once(' ').ok_or(name)) {
            Some(Ok((first, last))) => (Some(first), Some(last)),
            Some(Err(whole)) => (None, Some(whole)),
            None => (first, last),
        };
        Self { contact, first_name, last_name }
    }

    fn value(&self, name: &str) -> Option<String> {
        let contact = self.contact;
        let (value, limit) = match name {
            "LastName" => (self.last_name, 80),
            "FirstName" => (self.first_name, 40),
            "Company" => (contact.company.as_deref(), 255),
            "Title" => (contact.job_title.as_deref(), 128),
            "Phone" => (contact.phone.as_deref(), 40),
            "Email" => {
                let email = contact.email.as_ref();
                return email.filter(|email| email.chars().count() <= EMAIL).cloned();
            }
            _ => (None, 0),
        };
        Some(cut::text(value?.to_owned(), limit))
    }

    /// What stands for a value that Salesforce does not do without.
    fn fallback(&self, name: &str) -> Option<String> {
        let Contact { email, phone, .. } = self.contact;
        match name {
            "Company" => Some(NO_COMPANY.to_owned()),
            "LastName" => {
                let local = email.as_deref().and_then(|email| email.rsplit_once('@'));
                let local = local.map(|(local, _)| local).or(phone.as_deref());
                Some(cut::text(local.unwrap_or(NO_COMPANY).to_owned(), 80))
            }
            _ => None,
        }
    }
}

/// A value as Salesforce takes it, no longer than its field.
fn encode(field: &Field, value: &Value) -> Option<Value> {
    let value = Crm::Salesforce.encode(field, value.clone())?;
    let Value::String(text) = value else { return Some(value) };
    // An empty text is Salesforce's null, which would empty the field.
    let text = Some(text).filter(|text| !text.is_empty())?;
    Some(match field.kind {
        FieldKind::Decimal => number(&text).unwrap_or_else(|| text.into()),
        FieldKind::Url(limit) => cut::url(text, limit.min(LONG_TEXT))?.into(),
        FieldKind::Text(limit) => cut::text(text, limit.min(LONG_TEXT)).into(),
        FieldKind::Enum(_) => cut::text(text, WORD).into(),
        FieldKind::LongText | FieldKind::Json => cut::text(text, LONG_TEXT).into(),
        FieldKind::Time | FieldKind::Integer => text.into(),
    })
}

/// Money as JSON's number, which is what a `Number` takes: only where it comes out with the very same
/// digits.
fn number(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (format!("{number:.decimals$}") == text).then(|| number.into())
}

fn is_empty(held: &Value) -> bool {
    held.is_null() || held == ""
}

/// Whether a field holds the value already, in Salesforce's way of writing it.
fn is_same(field: &Field, held: &Value, value: &Value) -> bool {
    match (held, value) {
        (Value::String(held), Value::String(value)) => match field.kind {
            FieldKind::Time => parse_rfc3339(held) == parse_rfc3339(value),
            // It trims texts, and may end lines in its own way.
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

    const LEAD: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";

    /// What is written of `values` where `there` is, past the key.
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
        let written = changes(&push, &"clew".parse().unwrap(), "Contact", &record);
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
            // A float would not be the same money.
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
