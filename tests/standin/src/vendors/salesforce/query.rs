//! Answers queries page by page, and reads single records.

use super::error::{self, ApiError};
use super::record::{self, Org, Record};
use super::schema::Type;
use super::soql::{self, Condition, Literal, Select};
use super::write;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::{World, parse_date, parse_iso};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Query results with pages that are still to be fetched.
#[derive(Default)]
pub(super) struct Cursors {
    results: BTreeMap<String, (Vec<Value>, usize)>,
}

/// `GET /query?q=…`.
pub(super) fn run(
    org: &Org,
    cursors: &mut Cursors,
    world: &mut World,
    request: &Request,
    version: &str,
) -> Outcome {
    let Some(text) = request.parameter("q") else {
        return Err(error::error(400, "MALFORMED_QUERY", "the parameter q is required"));
    };
    let select = soql::parse(&text)
        .map_err(|message| error::error(400, "MALFORMED_QUERY", &format!("{text}: {message}")))?;
    if org.schema.object(&select.from).is_none() {
        let message = format!("sObject type '{}' is not supported.", select.from);
        return Err(error::error(400, "INVALID_TYPE", &message));
    }
    let rows = rows(org, &select, &select.from, version, |_| true);
    let rows = rows.map_err(|wrong| error::error(400, wrong.code, &wrong.message))?;
    let cursor = record::id("01g", world.next_number());
    let page_size = world.settings.page_size.max(1);
    cursors.results.insert(cursor.clone(), (rows, page_size));
    next(cursors, &format!("{cursor}-0"), version)
}

/// `GET /query/{cursor}-{place}`.
pub(super) fn next(cursors: &mut Cursors, cursor: &str, version: &str) -> Outcome {
    let wrong = || error::error(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    let (name, place) = cursor.rsplit_once('-').ok_or_else(wrong)?;
    let place: usize = place.parse().map_err(|_| wrong())?;
    let (rows, page_size) = cursors.results.get(name).ok_or_else(wrong)?;
    let end = rows.len().min(place + page_size);
    let page = rows.get(place..end).ok_or_else(wrong)?;
    let is_done = end == rows.len();
    let mut body = json!({ "totalSize": rows.len(), "done": is_done, "records": page });
    if !is_done {
        body["nextRecordsUrl"] = json!(format!("/services/data/{version}/query/{name}-{end}"));
    }
    if is_done {
        cursors.results.remove(name);
    }
    Ok(Answer::json(200, body))
}

fn rows(
    org: &Org,
    select: &Select,
    object: &str,
    version: &str,
    is_meant: impl Fn(&Record) -> bool,
) -> Result<Vec<Value>, ApiError> {
    for path in &select.fields {
        known(org, object, path)?;
    }
    for condition in &select.conditions {
        check(org, object, condition)?;
    }
    for (path, _) in &select.order {
        known(org, object, path)?;
    }
    for subquery in &select.subqueries {
        let (child, _) = relationship(object, subquery)?;
        for path in &subquery.fields {
            known(org, child, path)?;
        }
    }
    let mut found: Vec<&Record> = org
        .of(object)
        .filter(|record| is_meant(record))
        .filter(|record| select.conditions.iter().all(|one| holds(org, record, one)))
        .collect();
    found.sort_by(|one, other| {
        let by = |(path, is_descending): &(Vec<String>, bool)| {
            let order = compare(&read_path(org, one, path), &read_path(org, other, path));
            if *is_descending { order.reverse() } else { order }
        };
        select.order.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    found.truncate(select.limit.unwrap_or(usize::MAX));
    found.into_iter().map(|record| show(org, record, select, version)).collect()
}

fn show(org: &Org, record: &Record, select: &Select, version: &str) -> Result<Value, ApiError> {
    let mut row = Map::new();
    row.insert("attributes".to_owned(), attributes(record, version));
    for path in &select.fields {
        let value = read_path(org, record, path);
        match &path[..] {
            [relationship, name] => {
                let parent = parent(org, record, relationship);
                let entry = row.entry(relationship.clone()).or_insert_with(|| {
                    parent.map_or(
                        Value::Null,
                        |parent| json!({ "attributes": attributes(parent, version) }),
                    )
                });
                if entry.is_object() {
                    entry[name.as_str()] = value;
                }
            }
            _ => {
                let name = org.schema.field(&record.object, &path[0]);
                row.insert(name.map_or(path[0].clone(), |field| field.name.clone()), value);
            }
        }
    }
    for subquery in &select.subqueries {
        let (child, key) = relationship(&record.object, subquery)?;
        let is_child = |one: &Record| one.text(key) == Some(&record.id);
        let rows = rows(org, subquery, child, version, is_child)?;
        let size = rows.len();
        let shown = json!({ "totalSize": size, "done": true, "records": rows });
        row.insert(subquery.from.clone(), if size == 0 { Value::Null } else { shown });
    }
    Ok(Value::Object(row))
}

/// The object and the parent field of a subquery, or a refusal.
fn relationship(object: &str, subquery: &Select) -> Result<(&'static str, &'static str), ApiError> {
    let from = &subquery.from;
    children(object, from).ok_or_else(|| {
        let message =
            format!("Didn't understand relationship '{from}' in FROM part of query call.");
        ApiError::new("INVALID_TYPE", message, &[])
    })
}

/// The objects of a relationship, and their field that names the parent.
fn children(object: &str, relationship: &str) -> Option<(&'static str, &'static str)> {
    match (object, relationship) {
        ("Opportunity", "OpportunityContactRoles") => {
            Some(("OpportunityContactRole", "OpportunityId"))
        }
        ("Opportunity", "OpportunityHistories") => Some(("OpportunityHistory", "OpportunityId")),
        ("Lead" | "Contact", "Tasks") => Some(("Task", "WhoId")),
        ("Account", "Contacts") => Some(("Contact", "AccountId")),
        ("Account", "Opportunities") => Some(("Opportunity", "AccountId")),
        _ => None,
    }
}

fn attributes(record: &Record, version: &str) -> Value {
    json!({ "type": record.object, "url": address(version, &record.object, &record.id) })
}

/// `/services/data/v68.0/sobjects/Lead/00Q…`.
pub(super) fn address(version: &str, object: &str, id: &str) -> String {
    format!("/services/data/{version}/sobjects/{object}/{id}")
}

/// The type of the field at a path. Refuses an unknown path.
fn known<'a>(org: &'a Org, object: &str, path: &[String]) -> Result<&'a Type, ApiError> {
    let field = match path {
        [name] => org.schema.field(object, name),
        [relationship, name] => {
            let parent = org.schema.parent(object, relationship);
            parent.and_then(|(_, object)| org.schema.field(object, name))
        }
        _ => None,
    };
    field.map(|field| &field.holds).ok_or_else(|| {
        let message = format!("No such column '{}' on entity '{object}'", path.join("."));
        ApiError::new("INVALID_FIELD", message, &[])
    })
}

/// Refuses a condition whose literal does not fit the field's type.
fn check(org: &Org, object: &str, condition: &Condition) -> Result<(), ApiError> {
    let name = condition.path.join(".");
    let refuse = |message: String| Err(ApiError::new("INVALID_FIELD", message, &[]));
    let holds = known(org, object, &condition.path)?;
    if let Type::LongText(_) = holds {
        return refuse(format!("field '{name}' can not be filtered in a query call"));
    }
    for literal in &condition.literals {
        let fits = match (holds, literal) {
            (_, Literal::Plain(Value::Null)) => true,
            (Type::DateTime, Literal::Time(text)) => parse_iso(text).is_some(),
            (Type::Date, Literal::Time(text)) => parse_date(text).is_some(),
            (Type::Checkbox, Literal::Plain(value)) => value.is_boolean(),
            (Type::Number(..) | Type::Currency, Literal::Plain(value)) => value.is_number(),
            (Type::DateTime | Type::Date | Type::Checkbox, _) => false,
            (Type::Number(..) | Type::Currency, _) => false,
            (_, literal) => matches!(literal, Literal::Text(_)),
        };
        if !fits {
            return refuse(format!(
                "value of filter criterion for field '{name}' does not fit its type: {literal:?}"
            ));
        }
    }
    Ok(())
}

fn holds(org: &Org, record: &Record, condition: &Condition) -> bool {
    let found = read_path(org, record, &condition.path);
    let value = |literal: &Literal| match literal {
        Literal::Text(text) | Literal::Time(text) => json!(text),
        Literal::Plain(value) => value.clone(),
    };
    let mut literals = condition.literals.iter().map(value);
    if condition.operator == "IN" {
        return literals.any(|literal| compare(&found, &literal).is_eq());
    }
    let Some(literal) = literals.next() else { return false };
    if condition.operator == "LIKE" {
        return found.as_str().is_some_and(|text| {
            let pattern = literal.as_str().unwrap_or_default();
            is_like(&text.to_lowercase(), &pattern.to_lowercase())
        });
    }
    let order = compare(&found, &literal);
    match condition.operator.as_str() {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        _ if found.is_null() || literal.is_null() => false,
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// `%` matches any text, `_` one character.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut signs = pattern.chars();
    match signs.next() {
        None => text.is_empty(),
        Some('%') => (0..=text.len())
            .filter(|at| text.is_char_boundary(*at))
            .any(|at| is_like(&text[at..], signs.as_str())),
        Some(sign) => text.chars().next().is_some_and(|first| {
            (sign == '_' || sign == first) && is_like(&text[first.len_utf8()..], signs.as_str())
        }),
    }
}

/// Null comes first. Ids compare by their first fifteen characters, times as times, and text
/// without case.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            let time = |text: &str| parse_iso(text).or_else(|| parse_date(text));
            if let (Some(one), Some(other)) = (time(one), time(other)) {
                return one.cmp(&other);
            }
            one.to_lowercase().cmp(&other.to_lowercase())
        }
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => {
            one.as_f64().unwrap_or_default().total_cmp(&other.as_f64().unwrap_or_default())
        }
        // A checkbox that was never set is false.
        (Value::Null, Value::Bool(other)) => false.cmp(other),
        _ => one.is_null().cmp(&other.is_null()).reverse(),
    }
}

fn parent<'a>(org: &'a Org, record: &Record, relationship: &str) -> Option<&'a Record> {
    let (key, _) = org.schema.parent(&record.object, relationship)?;
    org.find(record.text(key)?)
}

fn read_path(org: &Org, record: &Record, path: &[String]) -> Value {
    let read = |record: &Record, name: &str| {
        let field = org.schema.field(&record.object, name);
        let value = field.and_then(|field| record.fields.get(&field.name).cloned());
        let is_checkbox = field.is_some_and(|field| field.holds == Type::Checkbox);
        value.unwrap_or(if is_checkbox { json!(false) } else { Value::Null })
    };
    match path {
        [name] => read(record, name),
        [relationship, name] => {
            parent(org, record, relationship).map_or(Value::Null, |parent| read(parent, name))
        }
        _ => Value::Null,
    }
}

/// A record with all visible fields.
pub(super) fn whole(org: &Org, id: &str, version: &str) -> Value {
    let Some(record) = org.find(id) else { return Value::Null };
    let mut shown = json!({ "attributes": attributes(record, version) });
    let object = org.schema.object(&record.object);
    for field in object.map(|object| object.fields.as_slice()).unwrap_or_default() {
        if org.schema.field(&record.object, &field.name).is_some() {
            shown[field.name.as_str()] = read_path(org, record, std::slice::from_ref(&field.name));
        }
    }
    shown
}

/// `GET /sobjects/{object}/{id}`.
pub(super) fn read(org: &Org, request: &Request, object: &str, id: &str, version: &str) -> Outcome {
    let Some(record) = org.find(id).filter(|record| record.object == object) else {
        return Err(error::not_found());
    };
    let Some(names) = request.parameter("fields") else {
        return Ok(Answer::json(200, whole(org, &record.id, version)));
    };
    let mut shown = json!({ "attributes": attributes(record, version) });
    for name in names.split(',') {
        let path = [name.to_owned()];
        known(org, object, &path).map_err(|wrong| wrong.answer())?;
        shown[name] = read_path(org, record, &path);
    }
    Ok(Answer::json(200, shown))
}

/// `GET /sobjects/{object}/deleted?start=…&end=…`.
pub(super) fn deleted(org: &Org, world: &World, request: &Request, object: &str) -> Outcome {
    let time = |name: &str| request.parameter(name).and_then(|text| parse_iso(&text));
    let (Some(start), Some(end)) = (time("start"), time("end")) else {
        let message = "start and end are times with an offset";
        return Err(error::error(400, "INVALID_REPLICATION_DATE", message));
    };
    let now = record::time(world.now_ms());
    let all = org.deleted.iter();
    let meant = all.filter(|(of, _, at_ms)| of == object && (start..=end).contains(at_ms));
    let shown: Vec<Value> = meant.map(|(_, id, at_ms)| write::show_deleted(id, *at_ms)).collect();
    Ok(Answer::json(
        200,
        json!({
            "deletedRecords": shown, "earliestDateAvailable": record::time(start),
            "latestDateCovered": now
        }),
    ))
}
