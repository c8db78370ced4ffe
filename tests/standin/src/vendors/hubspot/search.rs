//! `…/search`: filter groups (every filter of a group, any of the groups), sorts, pages.

use super::account::Account;
use super::record::Record;
use super::schema::Kind;
use super::{error, object, value};
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// The most results of a search, over all its pages.
const MOST_RESULTS: usize = 10_000;
const MOST_ON_A_PAGE: u64 = 200;

/// A parsed filter.
struct Filter {
    property: String,
    /// Whether values compare as numbers, as numbers and times do.
    is_number: bool,
    operator: Operator,
}

enum Operator {
    Is(Vec<String>),
    IsNot(Vec<String>),
    Compares(fn(Ordering) -> bool, String),
    Between(String, String),
    Has,
    HasNot,
    Token(String),
    NoToken(String),
}

/// Searches one kind of object.
pub(super) fn search(
    account: &Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
) -> Outcome {
    let known = ["filterGroups", "properties", "sorts", "limit", "after", "query"];
    let body = error::body(world, request, &known)?;
    let names = names(world, &body["properties"])?;
    object::check_names(world, &names)?;
    let (limit, after) = page(world, &body)?;
    let groups = groups(account, world, kind, &body["filterGroups"])?;
    let mut found: Vec<&Record> = account.objects.of(kind).collect();
    if !groups.is_empty() {
        found.retain(|record| {
            groups.iter().any(|filters| filters.iter().all(|filter| matches(filter, record)))
        });
    }
    if let Some(words) = body["query"].as_str() {
        let words = words.to_lowercase();
        let usual = kind.usual();
        found.retain(|record| {
            usual
                .iter()
                .filter_map(|name| record.get(name))
                .any(|text| text.to_lowercase().contains(&words))
        });
    }
    if let Some((name, is_descending)) = sort(account, world, kind, &body["sorts"])? {
        found.sort_by(|one, other| {
            let order = compare(true, one.get(&name), other.get(&name));
            if is_descending { order.reverse() } else { order }
        });
    }
    let total = found.len();
    let page = found.into_iter().skip(after).take(limit);
    let results: Vec<Value> = page.map(|record| record.show(&account.schema, &names)).collect();
    let next = after + results.len();
    let mut body = json!({ "total": total, "results": results });
    if next < total {
        body["paging"] = json!({ "next": { "after": next.to_string() } });
    }
    Ok(Answer::json(200, body))
}

/// A list of names; absent means empty.
pub(super) fn names(world: &mut World, value: &Value) -> Result<Vec<String>, Answer> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(names) => names
            .iter()
            .map(|name| name.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| error::invalid(world, "Invalid input JSON: properties are texts")),
        _ => Err(error::invalid(world, "Invalid input JSON: properties is a list")),
    }
}

fn page(world: &mut World, body: &Value) -> Result<(usize, usize), Answer> {
    let number = |name: &str, usual: u64| match &body[name] {
        Value::Null => Some(usual),
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    };
    let limit = number("limit", 10).filter(|limit| (1..=MOST_ON_A_PAGE).contains(limit));
    let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
        return Err(error::invalid(world, "limit must be between 1 and 200"));
    };
    let Some(after) = number("after", 0).and_then(|after| usize::try_from(after).ok()) else {
        return Err(error::invalid(world, "after must be what paging.next.after said"));
    };
    if after + limit > MOST_RESULTS {
        return Err(error::invalid(world, "A search goes no further than 10,000 results"));
    }
    Ok((limit, after))
}

fn groups(
    account: &Account,
    world: &mut World,
    kind: Kind,
    value: &Value,
) -> Result<Vec<Vec<Filter>>, Answer> {
    let groups = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if groups.len() > 5 {
        return Err(error::invalid(world, "at most 5 filterGroups"));
    }
    let mut read = Vec::new();
    for group in groups {
        error::members(world, group, &["filters"])?;
        let filters = group["filters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if filters.is_empty() || filters.len() > 6 {
            return Err(error::invalid(world, "1 to 6 filters in a group"));
        }
        let mut group = Vec::new();
        for one in filters {
            group.push(filter(account, world, kind, one)?);
        }
        read.push(group);
    }
    Ok(read)
}

fn filter(
    account: &Account,
    world: &mut World,
    kind: Kind,
    value: &Value,
) -> Result<Filter, Answer> {
    let known = ["propertyName", "operator", "value", "highValue", "values"];
    error::members(world, value, &known)?;
    let name = value["propertyName"].as_str().unwrap_or_default();
    let Some(property) = account.schema.property(kind, name) else {
        let message =
            format!("There was a problem with the request: property {name} does not exist");
        return Err(error::invalid(world, &message));
    };
    let is_number = matches!(property.value_type.as_str(), "number" | "datetime" | "date");
    let operator = operator(value).ok_or_else(|| {
        let message = format!("Invalid input JSON: operator or values of the filter on {name}");
        error::invalid(world, &message)
    })?;
    Ok(Filter { property: name.to_owned(), is_number, operator })
}

fn operator(filter: &Value) -> Option<Operator> {
    let text = |name: &str| filter[name].as_str().map(str::to_owned);
    let one = || text("value");
    let list = || {
        let values = filter["values"].as_array().filter(|values| !values.is_empty())?;
        values.iter().map(|value| value.as_str().map(str::to_lowercase)).collect::<Option<Vec<_>>>()
    };
    let alone = || one().map(|value| vec![value.to_lowercase()]);
    Some(match filter["operator"].as_str()? {
        "EQ" => Operator::Is(alone()?),
        "NEQ" => Operator::IsNot(alone()?),
        "IN" => Operator::Is(list()?),
        "NOT_IN" => Operator::IsNot(list()?),
        "LT" => Operator::Compares(Ordering::is_lt, one()?),
        "LTE" => Operator::Compares(Ordering::is_le, one()?),
        "GT" => Operator::Compares(Ordering::is_gt, one()?),
        "GTE" => Operator::Compares(Ordering::is_ge, one()?),
        "BETWEEN" => Operator::Between(one()?, text("highValue")?),
        "HAS_PROPERTY" => Operator::Has,
        "NOT_HAS_PROPERTY" => Operator::HasNot,
        "CONTAINS_TOKEN" => Operator::Token(one()?.to_lowercase()),
        "NOT_CONTAINS_TOKEN" => Operator::NoToken(one()?.to_lowercase()),
        _ => return None,
    })
}

fn matches(filter: &Filter, record: &Record) -> bool {
    let found = record.get(&filter.property);
    let by = |value: &String| compare(filter.is_number, found, Some(value));
    let is = |values: &[String]| {
        values.iter().any(|value| {
            by(value).is_eq() || found.is_some_and(|found| found.to_lowercase() == *value)
        })
    };
    let has_token = |token: &String| {
        let token = token.trim_matches('*');
        found.is_some_and(|found| found.to_lowercase().contains(token))
    };
    match &filter.operator {
        Operator::Has => found.is_some(),
        Operator::HasNot => found.is_none(),
        Operator::IsNot(values) => !is(values),
        Operator::NoToken(token) => !has_token(token),
        _ if found.is_none() => false,
        Operator::Is(values) => is(values),
        Operator::Token(token) => has_token(token),
        Operator::Compares(holds, value) => holds(by(value)),
        Operator::Between(low, high) => by(low).is_ge() && by(high).is_le(),
    }
}

/// Compares as numbers or times if both are one, otherwise as strings. Missing values come first.
fn compare(by_number: bool, one: Option<&str>, other: Option<&str>) -> Ordering {
    let number = |text: &str| -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "times in milliseconds fit a double")]
        let time = value::time(text).map(|ms| ms as f64);
        time.or_else(|| text.parse().ok())
    };
    if by_number && let (Some(one), Some(other)) = (one.and_then(number), other.and_then(number)) {
        return one.total_cmp(&other);
    }
    one.cmp(&other)
}

/// The first sort: a name, or `{"propertyName","direction"}`.
fn sort(
    account: &Account,
    world: &mut World,
    kind: Kind,
    value: &Value,
) -> Result<Option<(String, bool)>, Answer> {
    let sorts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let [sort] = sorts else {
        if sorts.is_empty() {
            return Ok(None);
        }
        return Err(error::invalid(world, "Only one sort is supported"));
    };
    let (name, is_descending) = match sort {
        Value::String(name) => (name.trim_start_matches('-'), name.starts_with('-')),
        _ => {
            error::members(world, sort, &["propertyName", "direction"])?;
            (sort["propertyName"].as_str().unwrap_or_default(), sort["direction"] == "DESCENDING")
        }
    };
    if account.schema.property(kind, name).is_none() {
        return Err(error::invalid(world, &format!("cannot sort by {name}: no such property")));
    }
    Ok(Some((name.to_owned(), is_descending)))
}
