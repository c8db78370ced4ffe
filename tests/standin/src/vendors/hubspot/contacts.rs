//! Merging two contacts into a new one.

use super::account::Account;
use super::error;
use super::record::Record;
use super::schema::Kind;
use crate::exchange::{Answer, Outcome, Request};
use crate::world::World;

/// `POST …/contacts/merge`.
pub(super) fn merge(account: &mut Account, world: &mut World, request: &Request) -> Outcome {
    let body = error::body(world, request, &["primaryObjectId", "objectIdToMerge"])?;
    let id = |name: &str| body[name].as_str().and_then(|text| text.parse::<u64>().ok());
    let (Some(primary), Some(other)) = (id("primaryObjectId"), id("objectIdToMerge")) else {
        return Err(error::invalid(world, "primaryObjectId and objectIdToMerge are ids in texts"));
    };
    match join(account, world, primary, other) {
        Ok(id) => Ok(Answer::json(200, account.objects.records[&id].show_all())),
        Err(message) => Err(error::not_found(world, &message)),
    }
}

/// Merges two contacts into a new one: the first's values, and the second's where the first has
/// none. Both old ids end.
pub(super) fn join(
    account: &mut Account,
    world: &mut World,
    primary: u64,
    other: u64,
) -> Result<u64, String> {
    let find = |id: u64| {
        let found = account.objects.records.get(&id).filter(|one| one.kind == Kind::Contact);
        found.cloned().ok_or(format!("Object not found.  objectId are: [{id}]"))
    };
    let (first, second) = (find(primary)?, find(other)?);
    if primary == other {
        return Err("a contact cannot be merged with itself".to_owned());
    }
    let mut record = Record::new(world.next_number(), Kind::Contact, world.now_ms());
    let own = record.properties.clone();
    record.properties = second.properties.clone();
    record.properties.extend(first.properties.clone());
    record.properties.extend(own);
    let emails = |record: &Record| {
        let more = record.get("hs_additional_emails").unwrap_or_default().to_owned();
        let all = record.get("email").into_iter().map(str::to_owned);
        all.chain(more.split(';').map(str::to_owned)).collect::<Vec<_>>()
    };
    let main = record.get("email").unwrap_or_default().to_owned();
    let rest: Vec<String> = [emails(&first), emails(&second)].concat();
    let rest: Vec<String> =
        rest.into_iter().filter(|email| !email.is_empty() && *email != main).collect();
    if !rest.is_empty() {
        record.properties.insert("hs_additional_emails".to_owned(), rest.join(";"));
    }
    record.properties.insert("hs_merged_object_ids".to_owned(), format!("{primary};{other}"));
    let links: Vec<u64> = account
        .objects
        .links
        .iter()
        .filter(|(one, _)| [primary, other].contains(one))
        .map(|(_, linked)| *linked)
        .collect();
    account.objects.remove(primary);
    account.objects.remove(other);
    let id = account.objects.insert(record);
    for linked in links {
        account.objects.link(id, linked);
    }
    Ok(id)
}
