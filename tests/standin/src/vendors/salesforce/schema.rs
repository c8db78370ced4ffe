//! Objects, their fields, and what the integration may do with them.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Id,
    /// The kinds of objects that it may refer to; empty means any.
    Reference(&'static [&'static str]),
    /// The maximum length, in characters.
    Text(usize),
    Email,
    Phone,
    Url,
    /// The maximum length, in characters. It cannot be filtered by.
    LongText(usize),
    Checkbox,
    /// Digits before and after the decimal point.
    Number(u32, u32),
    Currency,
    Date,
    DateTime,
    /// Values, and whether other values are refused.
    Picklist(&'static [&'static str], bool),
}

impl Type {
    /// The type's name in `describe`, and its length.
    const fn words(&self) -> (&'static str, usize) {
        match self {
            Self::Id => ("id", 18),
            Self::Reference(_) => ("reference", 18),
            Self::Text(length) => ("string", *length),
            Self::Email => ("email", 80),
            Self::Phone => ("phone", 40),
            Self::Url => ("url", 255),
            Self::LongText(length) => ("textarea", *length),
            Self::Checkbox => ("boolean", 0),
            Self::Number(..) => ("double", 0),
            Self::Currency => ("currency", 0),
            Self::Date => ("date", 0),
            Self::DateTime => ("datetime", 0),
            Self::Picklist(..) => ("picklist", 255),
        }
    }
}

/// A field of an object.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) holds: Type,
    pub(super) is_required: bool,
    pub(super) is_writable: bool,
    pub(super) is_unique: bool,
    pub(super) is_external_id: bool,
    /// What field-level security allows the integration. A new custom field allows nothing.
    pub(super) may_read: bool,
    pub(super) may_edit: bool,
}

/// A kind of object: the first three characters of its ids, and its fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) prefix: &'static str,
    pub(super) fields: Vec<Field>,
}

/// All kinds of objects.
#[derive(Clone, Default)]
pub(super) struct Schema {
    pub(super) objects: BTreeMap<String, Object>,
    /// Whether the organisation has several currencies.
    pub(super) has_currency: bool,
}

impl Schema {
    pub(super) fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    /// A field that the integration can see, by its name in any case.
    pub(super) fn field(&self, object: &str, name: &str) -> Option<&Field> {
        let fields = &self.objects.get(object)?.fields;
        let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        let is_there = found.name != "CurrencyIsoCode" || self.has_currency;
        (found.may_read && is_there).then_some(found)
    }

    /// The kinds of objects that a relationship (`Contact` in `Contact.Email`) refers to, and the
    /// field that holds the id.
    pub(super) fn parent(&self, object: &str, relationship: &str) -> Option<(&str, &'static str)> {
        let field = self.field(object, &format!("{relationship}Id"))?;
        let Type::Reference(targets) = &field.holds else { return None };
        Some((field.name.as_str(), targets.first()?))
    }

    /// `GET …/describe`.
    pub(super) fn describe(&self, object: &str) -> Value {
        let fields = self.objects.get(object).map(|object| object.fields.as_slice());
        let seen = fields
            .unwrap_or_default()
            .iter()
            .filter(|field| self.field(object, &field.name).is_some());
        let fields: Vec<Value> = seen.map(describe).collect();
        let prefix = self.objects.get(object).map(|object| object.prefix);
        json!({
            "name": object, "label": object, "keyPrefix": prefix, "custom": false,
            "createable": true, "updateable": true, "queryable": true, "fields": fields
        })
    }
}

fn describe(field: &Field) -> Value {
    let (name, length) = field.holds.words();
    let (precision, scale) = match field.holds {
        Type::Number(before, behind) => (before + behind, behind),
        Type::Currency => (18, 2),
        _ => (0, 0),
    };
    let values: Vec<Value> = match &field.holds {
        Type::Picklist(values, _) => {
            let value = |value| json!({ "value": value, "label": value, "active": true });
            values.iter().map(value).collect()
        }
        _ => Vec::new(),
    };
    let writes = field.is_writable && field.may_edit;
    json!({
        "name": field.name, "label": field.label, "type": name, "length": length,
        "precision": precision, "scale": scale, "picklistValues": values,
        "createable": writes, "updateable": writes, "nillable": !field.is_required,
        "custom": field.name.ends_with("__c"), "unique": field.is_unique,
        "externalId": field.is_external_id,
        "filterable": !matches!(field.holds, Type::LongText(_)),
        "referenceTo": match &field.holds { Type::Reference(targets) => targets, _ => &[][..] }
    })
}
