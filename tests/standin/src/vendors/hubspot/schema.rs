//! The kinds of objects and their properties.

use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Contact,
    Company,
    Deal,
    Note,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Contact, Self::Company, Self::Deal, Self::Note];

    /// Finds a kind by one of the names in HubSpot's paths and webhooks.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "contacts" | "contact" | "0-1" => Some(Self::Contact),
            "companies" | "company" | "0-2" => Some(Self::Company),
            "deals" | "deal" | "0-3" => Some(Self::Deal),
            "notes" | "note" | "0-46" => Some(Self::Note),
            _ => None,
        }
    }

    /// The plural for paths, the singular for webhooks, and the object type's id.
    pub(super) const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Contact => ("contacts", "contact", "0-1"),
            Self::Company => ("companies", "company", "0-2"),
            Self::Deal => ("deals", "deal", "0-3"),
            Self::Note => ("notes", "note", "0-46"),
        }
    }

    /// The scope that a token needs. Notes need that of contacts.
    pub(super) const fn scope(self, writes: bool) -> &'static str {
        match (self, writes) {
            (Self::Contact | Self::Note, false) => "crm.objects.contacts.read",
            (Self::Contact | Self::Note, true) => "crm.objects.contacts.write",
            (Self::Company, false) => "crm.objects.companies.read",
            (Self::Company, true) => "crm.objects.companies.write",
            (Self::Deal, false) => "crm.objects.deals.read",
            (Self::Deal, true) => "crm.objects.deals.write",
        }
    }

    /// The properties that hold the times of creation and of the last change.
    pub(super) const fn times(self) -> (&'static str, &'static str) {
        match self {
            Self::Contact => ("createdate", "lastmodifieddate"),
            Self::Company | Self::Deal => ("createdate", "hs_lastmodifieddate"),
            Self::Note => ("hs_createdate", "hs_lastmodifieddate"),
        }
    }

    /// The properties in a response if the request names none.
    pub(super) const fn usual(self) -> &'static [&'static str] {
        match self {
            Self::Contact => &["email", "firstname", "lastname"],
            Self::Company => &["name", "domain"],
            Self::Deal => &["amount", "closedate", "dealname", "dealstage", "pipeline"],
            Self::Note => &[],
        }
    }
}

/// The types of values.
pub(super) const TYPES: [&str; 7] =
    ["bool", "date", "datetime", "enumeration", "number", "phone_number", "string"];
/// The kinds of form fields.
pub(super) const FIELD_TYPES: [&str; 12] = [
    "booleancheckbox",
    "calculation_equation",
    "checkbox",
    "date",
    "file",
    "html",
    "number",
    "phonenumber",
    "radio",
    "select",
    "text",
    "textarea",
];

/// A property of a kind of object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) label: String,
    #[serde(rename = "type")]
    pub(super) value_type: String,
    pub(super) field_type: String,
    pub(super) group_name: String,
    pub(super) description: String,
    pub(super) options: Vec<Value>,
    pub(super) display_order: i64,
    pub(super) has_unique_value: bool,
    pub(super) hidden: bool,
    pub(super) archived: bool,
    #[serde(skip)]
    pub(super) is_read_only: bool,
}

impl Property {
    /// Shows it with HubSpot's modification metadata.
    pub(super) fn show(&self) -> Value {
        let mut shown = json!(self);
        let read_only = self.is_read_only;
        shown["modificationMetadata"] =
            json!({ "archivable": true, "readOnlyDefinition": false, "readOnlyValue": read_only });
        shown
    }

    /// Whether an enumeration has an option.
    pub(super) fn has_option(&self, value: &str) -> bool {
        self.options.iter().any(|option| option["value"] == value)
    }
}

/// A group of properties.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) display_order: i64,
    pub(super) archived: bool,
}

/// All properties and groups, by kind and name.
#[derive(Default)]
pub(super) struct Schema {
    pub(super) properties: BTreeMap<(Kind, String), Property>,
    pub(super) groups: BTreeMap<(Kind, String), Group>,
}

impl Schema {
    pub(super) fn property(&self, kind: Kind, name: &str) -> Option<&Property> {
        self.properties.get(&(kind, name.to_owned()))
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Property> {
        let all = self.properties.iter();
        all.filter(move |((of, _), _)| *of == kind).map(|(_, property)| property)
    }
}
