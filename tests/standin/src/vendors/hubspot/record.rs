//! Records: how they are stored, shown and associated.

use super::fixtures;
use super::schema::{Kind, Schema};
use crate::world::iso_ms;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A contact, company, deal or note.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// Only properties with a value.
    pub(super) properties: BTreeMap<String, String>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
}

impl Record {
    pub(super) fn new(id: u64, kind: Kind, now_ms: i64) -> Self {
        let (made, changed) = kind.times();
        let properties = BTreeMap::from([
            (made.to_owned(), iso_ms(now_ms)),
            (changed.to_owned(), iso_ms(now_ms)),
            ("hs_object_id".to_owned(), id.to_string()),
        ]);
        Self { id, kind, properties, created_ms: now_ms, updated_ms: now_ms }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// Sets a property, or clears it if the value is empty, and updates the properties that HubSpot
    /// derives from it.
    pub(super) fn set(&mut self, name: &str, value: &str, now_ms: i64) {
        self.updated_ms = now_ms;
        self.properties.insert(self.kind.times().1.to_owned(), iso_ms(now_ms));
        if value.is_empty() {
            self.properties.remove(name);
            return;
        }
        self.properties.insert(name.to_owned(), value.to_owned());
        let is_stage = matches!(
            (self.kind, name),
            (Kind::Contact, "lifecyclestage") | (Kind::Deal, "dealstage")
        );
        if is_stage {
            let entered = format!("hs_v2_date_entered_{value}");
            self.properties.entry(entered).or_insert_with(|| iso_ms(now_ms));
        }
        if self.kind == Kind::Deal && name == "dealstage" {
            let stage = fixtures::STAGES.iter().find(|(id, ..)| *id == value);
            let is_closed = stage.is_some_and(|(_, _, is_closed, _)| *is_closed);
            let is_won = is_closed && stage.is_some_and(|(.., probability)| *probability == "1.0");
            self.properties.insert("hs_is_closed".to_owned(), is_closed.to_string());
            self.properties.insert("hs_is_closed_won".to_owned(), is_won.to_string());
        }
    }

    /// Sets properties from strings or numbers, without the API's checks; null clears.
    pub(super) fn change(
        &mut self,
        fields: &Map<String, Value>,
        now_ms: i64,
    ) -> Result<(), String> {
        for (name, value) in fields {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => return Err(format!("{name} is neither string nor number: {}", json!(value))),
            };
            self.set(name, &text, now_ms);
        }
        Ok(())
    }

    /// Whether an e-mail is the contact's primary one; `None` if it is not the contact's.
    pub(super) fn email(&self, email: &str) -> Option<bool> {
        let email = email.to_lowercase();
        if self.get("email") == Some(&email) {
            return Some(true);
        }
        let others = self.get("hs_additional_emails").unwrap_or_default();
        others.split(';').any(|other| other == email).then_some(false)
    }

    /// Shows it with the requested properties; those without a value are null.
    pub(super) fn show(&self, schema: &Schema, names: &[String]) -> Value {
        let (made, changed) = self.kind.times();
        let usual = || self.kind.usual().iter().map(|name| (*name).to_owned()).collect();
        let names: Vec<String> = if names.is_empty() { usual() } else { names.to_vec() };
        let names = names.iter().map(String::as_str).chain([made, changed, "hs_object_id"]);
        let known = names.filter(|name| schema.property(self.kind, name).is_some());
        let properties: Map<String, Value> =
            known.map(|name| (name.to_owned(), json!(self.get(name)))).collect();
        self.with(&json!(properties))
    }

    /// Shows it with every property that has a value, as a write returns it.
    pub(super) fn show_all(&self) -> Value {
        self.with(&json!(self.properties))
    }

    fn with(&self, properties: &Value) -> Value {
        json!({
            "id": self.id.to_string(), "properties": properties, "archived": false,
            "createdAt": iso_ms(self.created_ms), "updatedAt": iso_ms(self.updated_ms)
        })
    }
}

/// All records and their associations.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) records: BTreeMap<u64, Record>,
    /// Pairs of ids, each in both directions.
    pub(super) links: BTreeSet<(u64, u64)>,
}

impl Objects {
    pub(super) fn insert(&mut self, record: Record) -> u64 {
        let id = record.id;
        self.records.insert(id, record);
        id
    }

    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |record| record.kind == kind)
    }

    /// Finds a record by id, or by the value of a unique property.
    pub(super) fn find(&self, kind: Kind, key: Option<&str>, id: &str) -> Option<&Record> {
        match key {
            None | Some("hs_object_id") => {
                id.parse().ok().and_then(|id| self.records.get(&id)).filter(|one| one.kind == kind)
            }
            Some("email") => self.of(kind).find(|record| record.email(id).is_some()),
            Some(name) => self.of(kind).find(|record| record.get(name) == Some(id)),
        }
    }

    pub(super) fn link(&mut self, one: u64, other: u64) {
        self.links.insert((one, other));
        self.links.insert((other, one));
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.records.remove(&id);
        self.links.retain(|(one, other)| *one != id && *other != id);
    }

    /// All records by kind, with the ids of their associated records.
    pub(super) fn show(&self, schema: &Schema) -> Value {
        let mut shown = json!({});
        for kind in Kind::ALL {
            let with_links = |record: &Record| {
                let of = self.links.iter().filter(|(one, _)| *one == record.id);
                let linked: Vec<String> = of.map(|(_, other)| other.to_string()).collect();
                let mut value = record.show_all();
                value["associated"] = json!(linked);
                value
            };
            shown[kind.names().0] = self.of(kind).map(with_links).collect();
        }
        let own = schema.properties.values().filter(|property| !property.is_read_only);
        shown["properties"] = own.map(|property| json!(property.name)).collect();
        shown
    }
}
