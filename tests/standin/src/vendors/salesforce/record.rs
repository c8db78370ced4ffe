//! Records and the organization that holds them. It is cloned for transactions that may be rolled
//! back.

use super::schema::Schema;
use crate::world::iso_ms;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) object: String,
    pub(super) fields: BTreeMap<String, Value>,
}

impl Record {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.fields.get(name) == Some(&json!(true))
    }

    /// Sets fields, and updates the times of change.
    pub(super) fn set(&mut self, fields: &Map<String, Value>, now_ms: i64) {
        for (name, value) in fields {
            self.fields.insert(name.clone(), value.clone());
        }
        for name in ["LastModifiedDate", "SystemModstamp"] {
            self.fields.insert(name.to_owned(), json!(time(now_ms)));
        }
    }
}

/// Schema and records.
#[derive(Clone)]
pub(super) struct Org {
    pub(super) schema: Schema,
    /// By id of 18 characters.
    pub(super) records: BTreeMap<String, Record>,
    /// Kind of object, id, and time of deletion.
    pub(super) deleted: Vec<(String, String, i64)>,
}

impl Org {
    pub(super) const fn new(schema: Schema) -> Self {
        Self { schema, records: BTreeMap::new(), deleted: Vec::new() }
    }

    pub(super) fn of(&self, object: &str) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |record| record.object == object)
    }

    /// Finds a record by an id of 15 or 18 characters.
    pub(super) fn find(&self, id: &str) -> Option<&Record> {
        self.records.get(&long(id))
    }

    /// Stores a new record. Returns its id.
    pub(super) fn add(&mut self, number: u64, object: &str, fields: &Value, now_ms: i64) -> String {
        let prefix = self.schema.object(object).map_or("000", |object| object.prefix);
        let id = id(prefix, number);
        let mut record =
            Record { id: id.clone(), object: object.to_owned(), fields: BTreeMap::new() };
        record.fields.insert("Id".to_owned(), json!(id));
        record.fields.insert("CreatedDate".to_owned(), json!(time(now_ms)));
        let usual: &[(&str, Value)] = &match object {
            "Lead" => {
                vec![("Status", json!("Open - Not Contacted")), ("IsConverted", json!(false))]
            }
            "Task" => vec![("Status", json!("Not Started")), ("Priority", json!("Normal"))],
            _ => Vec::new(),
        };
        for (name, value) in usual {
            record.fields.insert((*name).to_owned(), value.clone());
        }
        record.set(fields.as_object().unwrap_or(&Map::new()), now_ms);
        self.records.insert(id.clone(), record);
        id
    }

    /// All records by kind of object, and the custom fields.
    pub(super) fn show(&self) -> Value {
        let mut shown = json!({});
        for (name, object) in &self.schema.objects {
            let own: Vec<&BTreeMap<String, Value>> =
                self.of(name).map(|record| &record.fields).collect();
            shown[name.as_str()] = json!(own);
            for field in object.fields.iter().filter(|field| field.name.ends_with("__c")) {
                let described = json!({
                    "field": format!("{name}.{}", field.name),
                    "read": field.may_read, "edit": field.may_edit
                });
                if let Some(fields) = shown["customFields"].as_array_mut() {
                    fields.push(described);
                } else {
                    shown["customFields"] = json!([described]);
                }
            }
        }
        shown
    }
}

/// A time as Salesforce writes it: `2026-11-21T10:15:03.000+0000`.
pub(super) fn time(ms: i64) -> String {
    iso_ms(ms).replace('Z', "+0000")
}

/// An id of 18 characters: the object's prefix, the server's letter, a number in base 36.
pub(super) fn id(prefix: &str, number: u64) -> String {
    let mut digits = Vec::new();
    let mut rest = number;
    for _ in 0..11 {
        digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % 36) as usize]);
        rest /= 36;
    }
    digits.reverse();
    long(&format!("{prefix}B{}", String::from_utf8_lossy(&digits)))
}

/// Extends an id to 18 characters: the last three say which of the first fifteen are capitals.
fn long(id: &str) -> String {
    let signs = id.as_bytes();
    if signs.len() != 15 {
        return id.to_owned();
    }
    let mut long = id.to_owned();
    for chunk in signs.chunks(5) {
        let bits = chunk.iter().enumerate().fold(0_usize, |bits, (place, sign)| {
            bits | (usize::from(sign.is_ascii_uppercase()) << place)
        });
        long.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]));
    }
    long
}
