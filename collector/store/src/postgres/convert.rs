//! The verb `convert` on PostgreSQL: one transaction over the buckets of the browser, the person and
//! what the person is found by.
//!
//! Nothing is locked before it is known to be there, so identities are claimed by inserting them:
//! where another transaction was faster, this one begins anew and finds them.

use super::delivery;
use super::pool::{Connections, Failure};
use super::rows::{self, Parameters};
use super::statements as sql;
use crate::conversion::{Converted, Decision, Known, NewConversion, Person, UsedKey};
use crate::error::StoreError;
use crate::membership::Browser;
use crate::visitor::only_views;
use deadpool_postgres::Transaction;
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::{Conversion, IdentityKind, Lead};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_postgres::Row;

/// The kind of identity that a conversion's own id is.
pub(super) const CONVERSION: &str = "conversion";

pub(super) async fn convert(
    connections: &Connections,
    new: &NewConversion,
) -> Result<Converted, Failure> {
    let given = (new, AtomicBool::new(false));
    connections
        .work(&given, |client, (new, tried)| {
            Box::pin(async move {
                let again = tried.swap(true, Ordering::Relaxed);
                let transaction = client.transaction().await?;
                let mut converted = attempt(&transaction, new).await?;
                transaction.commit().await?;
                if let Converted::Stored { conversion, repeated, .. } = &mut converted
                    && again
                    && *conversion == new.conversion.id
                {
                    // The attempt before this one was kept, and only its answer was lost.
                    *repeated = false;
                }
                Ok(converted)
            })
        })
        .await
}

async fn attempt(transaction: &Transaction<'_>, new: &NewConversion) -> Result<Converted, Failure> {
    let site = &new.site;
    if let Some(idempotency) = &new.idempotency
        && let Some(used) = used_key(transaction, site, &idempotency.key).await?
    {
        return Ok(used.answer(&idempotency.request));
    }
    let own_id = new.conversion.id;
    let own_key = rows::identity_key(site, CONVERSION, &own_id.to_text());
    if let Some(lead) = owner(transaction, &own_key).await? {
        return Ok(Converted::Stored { lead, conversion: own_id, repeated: true });
    }
    let mut free = BTreeSet::new();
    let known = known(transaction, new, &mut free).await?;

    let Decision { lead, conversion, visitor, other, identities, deliveries, used_key } =
        new.clone().decide(known);
    claim(transaction, own_key.and(lead.id.0), true).await?;
    for (kind, value) in identities {
        let key = rows::identity_key(site, kind.as_str(), &value).and(lead.id.0);
        claim(transaction, key, free.contains(&(kind, value))).await?;
    }
    if let Some((key, used)) = &used_key
        && use_keys(transaction, [(site, key.as_str(), used)]).await? == 0
    {
        return Err(Failure::Raced);
    }
    if let (Some(id), Some(record)) = (conversion.visitor, visitor) {
        let record = rows::visitor_key(site, id).and(rows::json(&record)?);
        rows::insert(transaction, &sql::PUT_VISITORS, &record).await?;
    }
    let leads = other.iter().chain([&lead]);
    put_leads(transaction, leads).await?;
    put_conversions(transaction, [(lead.id, &conversion)]).await?;
    let deliveries = deliveries.iter().map(|delivery| (delivery, None));
    delivery::put(transaction, deliveries).await?;
    Ok(Converted::Stored { lead: lead.id, conversion: conversion.id, repeated: false })
}

/// What is stored of the person and the browser, taken until the commit; `free` gets the identities
/// that nobody has.
async fn known(
    transaction: &Transaction<'_>,
    new: &NewConversion,
    free: &mut BTreeSet<(IdentityKind, String)>,
) -> Result<Known, Failure> {
    let (mut email, mut phone) = (None, None);
    for (kind, value) in new.conversion.contact.identities() {
        let key = rows::identity_key(&new.site, kind.as_str(), &value);
        let lead = owner(transaction, &key).await?;
        match kind {
            IdentityKind::Email => email = lead,
            IdentityKind::Phone => phone = lead,
            // No contact is found by these.
            IdentityKind::CrmRecord | IdentityKind::Deal => {}
        }
        if lead.is_none() {
            free.insert((kind, value));
        }
    }
    let person = Person::of(email, phone);
    let mut browser = None;
    if let Some(visitor) = new.conversion.visitor {
        let key = rows::visitor_key(&new.site, visitor);
        if let Some(taken) = rows::query(transaction, &sql::TAKE_VISITOR, &key).await?.first() {
            let record = rows::document(taken, 0)?;
            let views = rows::query(transaction, &sql::EVENTS, &key).await?;
            browser =
                Some(Browser { record, views: only_views(rows::documents(&views)?), other: None });
        }
    }
    let other = browser.as_ref().and_then(|browser| browser.record.lead);
    let other = other.filter(|other| Some(*other) != person.lead);
    // In one order, whoever takes them.
    let wanted: BTreeSet<LeadId> = person.lead.into_iter().chain(other).collect();
    let mut lead = None;
    for id in wanted {
        let taken = take_lead(transaction, id).await?;
        match (&mut browser, Some(id) == other) {
            (Some(browser), true) => browser.other = Some(taken),
            _ => lead = Some(taken),
        }
    }
    Ok(Known { person, lead, browser })
}

/// To whom an identity belongs.
pub(super) async fn owner(
    transaction: &Transaction<'_>,
    key: &Parameters,
) -> Result<Option<LeadId>, Failure> {
    let found = rows::query(transaction, &sql::IDENTITY, key).await?;
    Ok(found.first().map(|row| rows::column(row, 0).map(LeadId)).transpose()?)
}

pub(super) async fn take_lead(transaction: &Transaction<'_>, id: LeadId) -> Result<Lead, Failure> {
    let found = rows::query(transaction, &sql::TAKE_LEAD, &rows::lead_key(id)).await?;
    // On a cluster, what one transaction stored on two nodes may be seen on one of them first.
    Ok(rows::document(found.first().ok_or(Failure::Raced)?, 0)?)
}

/// Claims an identity. One that was free a moment ago must become this lead's.
pub(super) async fn claim(
    transaction: &Transaction<'_>,
    identity: Parameters,
    was_free: bool,
) -> Result<(), Failure> {
    let claimed = rows::insert(transaction, &sql::CLAIM_IDENTITIES, &identity).await?;
    match was_free && claimed == 0 {
        true => Err(Failure::Raced),
        false => Ok(()),
    }
}

async fn used_key(
    transaction: &Transaction<'_>,
    site: &SiteId,
    key: &str,
) -> Result<Option<UsedKey>, Failure> {
    let found = rows::query(transaction, &sql::USED_KEY, &rows::used_key(site, key)).await?;
    Ok(found.first().map(read_used_key).transpose()?)
}

/// What a key was used for, from the first columns of its statements.
pub(super) fn read_used_key(row: &Row) -> Result<UsedKey, StoreError> {
    let request: Vec<u8> = rows::column(row, 0)?;
    let wrong = |_| StoreError::Corrupt("a request's hash is not 32 bytes".into());
    Ok(UsedKey {
        request: request.try_into().map_err(wrong)?,
        lead: LeadId(rows::column(row, 1)?),
        conversion: ConversionId(rows::column(row, 2)?),
        used_at_ms: rows::column(row, 3)?,
    })
}

/// Stores what keys were used for, where nobody has used them; for how many that is so.
pub(super) async fn use_keys<'a>(
    transaction: &Transaction<'_>,
    keys: impl IntoIterator<Item = (&'a SiteId, &'a str, &'a UsedKey)>,
) -> Result<u64, Failure> {
    let mut all = Parameters::default();
    for (site, key, used) in keys {
        all.append(rows::used_key(site, key));
        all.push(used.request.to_vec());
        all.push(used.lead.0);
        all.push(used.conversion.0);
        all.push(used.used_at_ms);
    }
    rows::insert(transaction, &sql::USE_KEYS, &all).await
}

pub(super) async fn put_leads<'a>(
    transaction: &Transaction<'_>,
    leads: impl IntoIterator<Item = &'a Lead>,
) -> Result<(), Failure> {
    let mut all = Parameters::default();
    for lead in leads {
        all.push(rows::lead_bucket(lead.id));
        all.push(lead.id.0);
        all.push(lead.site.as_str().to_owned());
        all.push(rows::json(lead)?);
    }
    rows::insert(transaction, &sql::PUT_LEADS, &all).await.map(drop)
}

pub(super) async fn put_conversions<'a>(
    transaction: &Transaction<'_>,
    conversions: impl IntoIterator<Item = (LeadId, &'a Conversion)>,
) -> Result<(), Failure> {
    let mut all = Parameters::default();
    for (lead, conversion) in conversions {
        all.push(rows::lead_bucket(lead));
        all.push(lead.0);
        all.push(conversion.id.0);
        all.push(rows::json(conversion)?);
    }
    rows::insert(transaction, &sql::PUT_CONVERSIONS, &all).await.map(drop)
}
