//! What is written into a record that may already have values: one policy for every CRM.
//!
//! - A value that a form gave for the person is written only into an empty field, so a correction
//!   made in the CRM stays.
//! - The first click, the first visit and the lead's id are written once, unless the connection
//!   overwrites them. All our other fields are written if they differ.
//! - Unknown values are never written, so no field is ever cleared.
//! - A placeholder for an unknown value that the vendor requires (`[not provided]`) is written only
//!   into a new record, and counts as empty.
//!
//! A vendor's adapter provides the names and maximum lengths of fields, and decides whether two
//! values are equal in the CRM.

use serde_json::{Map, Value};
use shared::fields::catalogue::{Field, FieldKind};
use shared::lead::{Contact, NameParts, name_parts};

/// The value that one field of a record should have.
#[derive(Clone, Debug)]
pub struct DesiredValue {
    /// The vendor's name of the field.
    pub name: String,
    /// The value in the vendor's format; null if it is not known.
    pub value: Value,
    /// What a new record gets instead of an unknown value.
    pub placeholder: Value,
    /// What to do if the field already has a value.
    pub rule: Rule,
    /// The kind of field, if it is one of ours.
    pub kind: Option<FieldKind>,
}

/// What to do if a field already has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Keep it.
    Fill,
    /// Replace it if it differs.
    Replace,
}

impl DesiredValue {
    /// A standard field of the CRM, such as the e-mail address.
    pub fn standard(name: &str, value: Option<String>) -> Self {
        let (value, placeholder) = (value.map_or(Value::Null, Value::from), Value::Null);
        Self { name: name.to_owned(), value, placeholder, rule: Rule::Fill, kind: None }
    }

    /// One of our fields, with its name and value in the vendor's format.
    pub fn clew(name: String, field: &Field, value: Option<Value>, overwrite_first: bool) -> Self {
        let rule = match is_written_once(field) && !overwrite_first {
            true => Rule::Fill,
            false => Rule::Replace,
        };
        let (value, placeholder) = (value.unwrap_or_default(), Value::Null);
        Self { name, value, placeholder, rule, kind: Some(field.kind) }
    }
}

/// The fields to write into an existing record, or (`None`) into a new one. `is_same` decides
/// whether an existing value equals the wanted one in the vendor's format.
pub fn merge<'a>(
    wanted: impl IntoIterator<Item = &'a DesiredValue>,
    there: Option<&Value>,
    is_same: impl Fn(&DesiredValue, &Value) -> bool,
) -> Map<String, Value> {
    let mut members = Map::new();
    for field in wanted {
        let value = match there {
            None if is_empty(&field.value) => &field.placeholder,
            _ => &field.value,
        };
        let there = there.map_or(&Value::Null, |there| &there[&field.name]);
        let is_free = is_empty(there) || *there == field.placeholder;
        let keeps = match field.rule {
            Rule::Fill => !is_free || there == value,
            Rule::Replace => !is_empty(there) && is_same(field, there),
        };
        if !is_empty(value) && !keeps {
            members.insert(field.name.clone(), value.clone());
        }
    }
    members
}

/// CRMs represent an empty field as null or as an empty text.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value == ""
}

/// Whether a field keeps the first value that the CRM got: the lead's id, the first visit and the
/// first click.
fn is_written_once(field: &Field) -> bool {
    let name = field.name.as_str();
    matches!(name, "lead_id" | "first_visit_at") || name.starts_with("first_click_")
}

/// A person's name in two parts, as all CRMs store it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PersonName<'a> {
    /// The given name.
    pub first: Option<&'a str>,
    /// The family name.
    pub last: Option<&'a str>,
}

impl<'a> PersonName<'a> {
    /// The parts that the form asked for. If it asked for one full name, that is divided as
    /// [`name_parts`] says. A single word is the last name, which is the part that CRMs require.
    pub fn of(contact: &'a Contact) -> Self {
        let (first, last) = (contact.first_name.as_deref(), contact.last_name.as_deref());
        let whole = contact.full_name.as_deref().filter(|_| first.is_none() && last.is_none());
        let NameParts { first, last } = whole.map_or(NameParts { first, last }, name_parts);
        Self { first, last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::fields::catalogue::find;

    /// One field: the wanted value, the existing value (`None`: the record is new), and what is
    /// written.
    fn check(wanted: &DesiredValue, there: Option<&Value>, expected: &Value) {
        let there = there.map(|there| json!({ "field": there }));
        let written = merge([wanted], there.as_ref(), |wanted, there| *there == wanted.value);
        let expected = match expected {
            Value::Null => json!({}),
            value => json!({ "field": value }),
        };
        assert_eq!(Value::from(written), expected, "{wanted:?} over {there:?}");
    }

    #[test]
    fn what_is_written() {
        let (null, a, b, empty) = (json!(null), json!("a"), json!("b"), json!(""));
        let own = DesiredValue::standard("field", Some("a".into()));
        check(&own, None, &a);
        check(&own, Some(&null), &a);
        check(&own, Some(&empty), &a);
        check(&own, Some(&a), &null);
        check(&own, Some(&b), &null);
        check(&DesiredValue::standard("field", None), Some(&b), &null);
        check(&DesiredValue::standard("field", None), None, &null);
        check(&DesiredValue::standard("field", Some(String::new())), Some(&b), &null);

        let needed = |value: Option<&str>| {
            let placeholder = json!("-");
            DesiredValue {
                placeholder,
                ..DesiredValue::standard("field", value.map(str::to_owned))
            }
        };
        check(&needed(None), None, &json!("-"));
        check(&needed(None), Some(&null), &null);
        check(&needed(None), Some(&json!("-")), &null);
        check(&needed(Some("a")), None, &a);
        check(&needed(Some("a")), Some(&json!("-")), &a);
        check(&needed(Some("a")), Some(&b), &null);

        for (name, overwrite, replaces) in [
            ("first_click_source", false, false),
            ("first_click_source", true, true),
            ("first_visit_at", false, false),
            ("lead_id", false, false),
            ("last_click_source", false, true),
            ("last_click_source", true, true),
        ] {
            let wanted = |value| {
                let field = find(name).unwrap();
                DesiredValue::clew("field".into(), field, value, overwrite)
            };
            let expected = if replaces { &a } else { &null };
            check(&wanted(Some(a.clone())), Some(&b), expected);
            check(&wanted(Some(a.clone())), Some(&null), &a);
            check(&wanted(Some(a.clone())), Some(&a), &null);
            check(&wanted(Some(a.clone())), None, &a);
            check(&wanted(None), Some(&b), &null);
            check(&wanted(Some(empty.clone())), Some(&b), &null);
        }
    }

    #[test]
    fn names() {
        for (contact, expected) in [
            (json!({ "first_name": "Ann", "last_name": "Ex" }), (Some("Ann"), Some("Ex"))),
            (json!({ "last_name": "Ex" }), (None, Some("Ex"))),
            (json!({ "full_name": "Ann Ex" }), (Some("Ann"), Some("Ex"))),
            (json!({ "full_name": "Ann Mary Ex" }), (Some("Ann Mary"), Some("Ex"))),
            (json!({ "full_name": "Ann" }), (None, Some("Ann"))),
            (json!({ "full_name": "Ann Ex", "first_name": "A" }), (Some("A"), None)),
            (json!({}), (None, None)),
        ] {
            let contact: Contact = serde_json::from_value(contact).unwrap();
            let PersonName { first, last } = PersonName::of(&contact);
            assert_eq!((first, last), expected, "{contact:?}");
        }
    }
}
