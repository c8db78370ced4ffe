//! Records, how they are shown, and the calls that read one.

use super::schema::{Kind, Schema};
use super::{HubSpot, Outcome, error, fixtures};
use crate::exchange::{Answer, Request};
use crate::world::{World, iso_ms};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A contact, company, deal or note.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) kind: Kind,
    /// Only what has a value.
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

    /// Sets a property, empty clears it; what HubSpot makes of it by itself follows.
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

    /// Whether an e-mail is one of the contact's, and whether it is the first.
    pub(super) fn email(&self, email: &str) -> Option<bool> {
        let email = email.to_lowercase();
        if self.get("email") == Some(&email) {
            return Some(true);
        }
        let others = self.get("hs_additional_emails").unwrap_or_default();
        others.split(';').any(|other| other == email).then_some(false)
    }

    /// With the properties that are asked for; those without a value are null.
    pub(super) fn show(&self, schema: &Schema, asked: &[String]) -> Value {
        let (made, changed) = self.kind.times();
        let usual = || self.kind.usual().iter().map(|name| (*name).to_owned()).collect();
        let asked: Vec<String> = if asked.is_empty() { usual() } else { asked.to_vec() };
        let asked = asked.iter().map(String::as_str).chain([made, changed, "hs_object_id"]);
        let known = asked.filter(|name| schema.property(self.kind, name).is_some());
        let properties: Map<String, Value> =
            known.map(|name| (name.to_owned(), json!(self.get(name)))).collect();
        self.with(&json!(properties))
    }

    /// With all that has a value: what writing answers.
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

/// All records, and which belong together.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) records: BTreeMap<u64, Record>,
    /// Pairs of ids, both ways.
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

    /// By id, or by the value of a property that is unique.
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

    /// Everything by kind, with the ids of what belongs to it.
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

/// Refuses names that HubSpot took out; others that it does not know it leaves out.
pub(super) fn asked(world: &mut World, names: &[String]) -> Result<(), Answer> {
    let is_legacy =
        |name: &&String| name.starts_with("hs_lifecyclestage_") && name.ends_with("_date");
    match names.iter().find(is_legacy) {
        None => Ok(()),
        Some(name) => {
            Err(error::invalid(world, &format!("The property {name} is no longer supported")))
        }
    }
}

/// The query parameter `properties`, divided by commas.
fn query_properties(world: &mut World, request: &Request) -> Result<Vec<String>, Answer> {
    let text = request.parameter("properties").unwrap_or_default();
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    asked(world, &names)?;
    Ok(names)
}

/// A key that `idProperty` may name: unique properties alone.
pub(super) fn check_key(
    hubspot: &HubSpot,
    world: &mut World,
    kind: Kind,
    key: Option<&str>,
) -> Result<(), Answer> {
    let Some(name) = key.filter(|name| *name != "hs_object_id") else { return Ok(()) };
    if hubspot.schema.property(kind, name).is_some_and(|property| property.has_unique_value) {
        return Ok(());
    }
    let message = format!("{name} cannot be used as idProperty: its values are not unique");
    Err(error::invalid(world, &message))
}

/// `GET …/{id}`.
pub(super) fn get(
    hubspot: &HubSpot,
    world: &mut World,
    request: &Request,
    kind: Kind,
    id: &str,
) -> Outcome {
    let key = request.parameter("idProperty");
    check_key(hubspot, world, kind, key.as_deref())?;
    let names = query_properties(world, request)?;
    match hubspot.objects.find(kind, key.as_deref(), id) {
        Some(record) => Ok(Answer::json(200, record.show(&hubspot.schema, &names))),
        None => Err(missing(world, id)),
    }
}

/// The refusal of an id that nobody has.
pub(super) fn missing(world: &mut World, id: &str) -> Answer {
    error::not_found(world, &format!("Object not found.  objectId are: [{id}]"))
}

/// `GET …`: a page of at most 100, by id.
pub(super) fn list(hubspot: &HubSpot, world: &mut World, request: &Request, kind: Kind) -> Outcome {
    let names = query_properties(world, request)?;
    let number = |name: &str| request.parameter(name).map(|text| text.parse::<u64>());
    let limit = number("limit").unwrap_or(Ok(10)).ok().filter(|limit| (1..=100).contains(limit));
    let (Some(limit), Ok(after)) = (limit, number("after").unwrap_or(Ok(0))) else {
        return Err(error::invalid(
            world,
            "limit is 1 to 100, after is what paging.next.after said",
        ));
    };
    let limit = usize::try_from(limit).unwrap_or(10);
    let mut page: Vec<&Record> =
        hubspot.objects.of(kind).filter(|record| record.id >= after).take(limit + 1).collect();
    let next = page.get(limit).map(|record| record.id.to_string());
    page.truncate(limit);
    let shown: Vec<Value> =
        page.iter().map(|record| record.show(&hubspot.schema, &names)).collect();
    let mut body = json!({ "results": shown });
    if let Some(after) = next {
        body["paging"] = json!({ "next": { "after": after } });
    }
    Ok(Answer::json(200, body))
}

/// `DELETE …/{id}`: 204 whether it is there or not.
pub(super) fn archive(hubspot: &mut HubSpot, world: &mut World, kind: Kind, id: &str) -> Outcome {
    let Ok(number) = id.parse::<u64>() else {
        return Err(error::invalid(world, &format!("{id} is not an id")));
    };
    if hubspot.objects.records.get(&number).is_some_and(|record| record.kind == kind) {
        hubspot.objects.remove(number);
    }
    Ok(Answer::empty(204))
}
