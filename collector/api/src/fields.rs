//! The canonical fields in JSON: which exist, and those of one lead.

use crate::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::fields::catalogue::{self, Field, FieldKind};
use shared::ids::LeadId;
use std::collections::BTreeMap;
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, SchemaType};
use utoipa::openapi::{KnownFormat, Object, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// A canonical field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldInfo<'a> {
    /// Its name in the API.
    #[schema(example = "first_click_source")]
    pub name: &'a str,
    /// Its type: `string`, `url`, `enum`, `int`, `decimal` (as a string), `datetime`, `text` or `json` (as a
    /// string).
    #[schema(example = "string")]
    pub r#type: &'static str,
    /// The maximum length of a value in characters; left out if the field has no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// The values of an `enum`; left out for other types.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<&'static str>>,
    /// Its display name.
    #[schema(example = "First Click Source")]
    pub label: &'a str,
    /// What the field means.
    pub description: &'a str,
    /// The group that it belongs to.
    #[schema(example = "first_click")]
    pub group: &'static str,
}

/// The canonical fields of one lead.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadFields {
    /// The lead.
    pub lead_id: LeadId,
    /// The version of the field names.
    pub fields_version: u32,
    /// When the lead last converted, or when a stage or deal was last recorded, whichever is later.
    pub updated_at: Timestamp,
    /// The fields.
    pub fields: Fields,
    /// The CRM for which the fields are named and encoded; left out without `crm=`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crm: Option<&'static str>,
}

/// The fields of a lead, in the form that was asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Fields {
    /// By name (`format=flat`). With `crm`, the names and values are the CRM's.
    Flat(FieldValues),
    /// By group, then by name (`format=grouped`).
    Grouped(FieldGroups),
}

/// Values of canonical fields, by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct FieldValues(pub Map<String, Value>);

/// Values of canonical fields, by group and name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, ToSchema)]
#[schema(value_type = BTreeMap<String, FieldValues>)]
pub struct FieldGroups(pub BTreeMap<&'static str, FieldValues>);

impl FieldGroups {
    /// The same by name alone.
    pub fn into_flat(self) -> FieldValues {
        FieldValues(self.0.into_values().flat_map(|fields| fields.0).collect())
    }
}

impl FieldInfo<'static> {
    /// Every canonical field, in the order of exports, with the operator's own channels.
    pub fn all(own_channels: &[&'static str]) -> Vec<Self> {
        let mut all: Vec<Self> = catalogue::catalogue().iter().map(Self::from).collect();
        for (info, field) in all.iter_mut().zip(catalogue::catalogue()) {
            if let (FieldKind::Channel, Some(values)) = (field.kind, &mut info.values) {
                values.extend(own_channels);
            }
        }
        all
    }
}

impl<'a> From<&'a Field> for FieldInfo<'a> {
    fn from(field: &'a Field) -> Self {
        Self {
            name: &field.name,
            r#type: field.kind.name(),
            max_length: field.kind.max_length(),
            values: field.kind.values(),
            label: &field.label,
            description: &field.description,
            group: field.group,
        }
    }
}

impl PartialSchema for FieldValues {
    fn schema() -> RefOr<Schema> {
        let fields = catalogue::catalogue().iter();
        let object = fields.fold(ObjectBuilder::new(), |object, field| {
            object.property(&field.name, schema_of(field))
        });
        object
            .description(Some("Values of canonical fields, by name. Unknown values are `null`."))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
            .into()
    }
}

impl ToSchema for FieldValues {}

impl PartialSchema for Fields {
    /// Not `oneOf`: a group's name could be a CRM's name of a field.
    fn schema() -> RefOr<Schema> {
        let of = |name| Ref::from_schema_name(name);
        let any = AnyOfBuilder::new().item(of(FieldValues::name())).item(of(FieldGroups::name()));
        any.description(Some("By name; with `format=grouped`, by group and name.")).into()
    }
}

impl ToSchema for Fields {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([
            (FieldValues::name().into_owned(), FieldValues::schema()),
            (FieldGroups::name().into_owned(), FieldGroups::schema()),
        ]);
    }
}

fn schema_of(field: &Field) -> Object {
    let (of_type, format) = match field.kind {
        FieldKind::Integer => (Type::Integer, None),
        FieldKind::Time => (Type::String, Some(KnownFormat::DateTime)),
        _ => (Type::String, None),
    };
    // Not an enumeration in the document: a nullable one of each field makes generated clients unwieldy.
    let values = field.kind.values().map(|values| format!(" One of {}.", values.join(", ")));
    let description = format!("{}{}", field.description, values.unwrap_or_default());
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([of_type, Type::Null]))
        .description(Some(description))
        .format(format.map(SchemaFormat::KnownFormat))
        .max_length(field.kind.max_length())
        .build()
}
