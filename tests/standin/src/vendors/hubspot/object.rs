//! The calls that read, list or archive single records.

use super::account::Account;
use super::error;
use super::record::Record;
use super::schema::Kind;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;
use serde_json::{Value, json};

/// Refuses property names that HubSpot has removed. Other unknown names are ignored.
pub(super) fn check_names(world: &mut World, names: &[String]) -> Result<(), Answer> {
    let is_legacy =
        |name: &&String| name.starts_with("hs_lifecyclestage_") && name.ends_with("_date");
    match names.iter().find(is_legacy) {
        None => Ok(()),
        Some(name) => {
            Err(error::invalid(world, &format!("The property {name} is no longer supported")))
        }
    }
}

/// The query parameter `properties`, split at commas.
fn query_properties(world: &mut World, request: &Request) -> Result<Vec<String>, Answer> {
    let text = request.parameter("properties").unwrap_or_default();
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    check_names(world, &names)?;
    Ok(names)
}

/// Refuses an `idProperty` whose values are not unique.
pub(super) fn check_key(
    account: &Account,
    world: &mut World,
    kind: Kind,
    key: Option<&str>,
) -> Result<(), Answer> {
    let Some(name) = key.filter(|name| *name != "hs_object_id") else { return Ok(()) };
    if account.schema.property(kind, name).is_some_and(|property| property.has_unique_value) {
        return Ok(());
    }
    let message = format!("{name} cannot be used as idProperty: its values are not unique");
    Err(error::invalid(world, &message))
}

/// `GET …/{id}`.
pub(super) fn get(
    account: &Account,
    world: &mut World,
    request: &Request,
    kind: Kind,
    id: &str,
) -> Outcome {
    let key = request.parameter("idProperty");
    check_key(account, world, kind, key.as_deref())?;
    let names = query_properties(world, request)?;
    match account.objects.find(kind, key.as_deref(), id) {
        Some(record) => Ok(Answer::json(200, record.show(&account.schema, &names))),
        None => Err(missing(world, id)),
    }
}

/// The refusal of an unknown id.
pub(super) fn missing(world: &mut World, id: &str) -> Answer {
    error::not_found(world, &format!("Object not found.  objectId are: [{id}]"))
}

/// `GET …`: a page of at most 100 records, ordered by id.
pub(super) fn list(account: &Account, world: &mut World, request: &Request, kind: Kind) -> Outcome {
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
        account.objects.of(kind).filter(|record| record.id >= after).take(limit + 1).collect();
    let next = page.get(limit).map(|record| record.id.to_string());
    page.truncate(limit);
    let shown: Vec<Value> =
        page.iter().map(|record| record.show(&account.schema, &names)).collect();
    let mut body = json!({ "results": shown });
    if let Some(after) = next {
        body["paging"] = json!({ "next": { "after": after } });
    }
    Ok(Answer::json(200, body))
}

/// `DELETE …/{id}`: 204, whether the record exists or not.
pub(super) fn archive(account: &mut Account, world: &mut World, kind: Kind, id: &str) -> Outcome {
    let Ok(number) = id.parse::<u64>() else {
        return Err(error::invalid(world, &format!("{id} is not an id")));
    };
    if account.objects.records.get(&number).is_some_and(|record| record.kind == kind) {
        account.objects.remove(number);
    }
    Ok(Answer::empty(204))
}
