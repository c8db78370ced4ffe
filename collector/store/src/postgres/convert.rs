//! The verb `convert` on PostgreSQL: one transaction over the buckets of the browser, the lead and
//! the lead's identities.
//!
//! A row that does not exist yet cannot be locked, so identities are claimed by inserting them. If
//! another transaction was faster, this one is retried and finds them.

use super::delivery;
use super::merging::answering;
use super::pool::{ConnectionPool, PostgresError};
use super::rows::{self, Parameters};
use super::statements as sql;
use crate::conversion::{Converted, Decision, Existing, NewConversion, Person, UsedKey};
use crate::error::StoreError;
use crate::membership::{Browser, Other};
use crate::visitor::Visitor;
use deadpool_postgres::Transaction;
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::{Conversion, IdentityKind, Lead, Likeness};
use shared::visit::Trail;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_postgres::Row;

/// The identity kind under which a conversion's own id is stored.
pub(super) const CONVERSION: &str = "conversion";

pub(super) async fn convert(
    connections: &ConnectionPool,
    new: &NewConversion,
) -> Result<Converted, PostgresError> {
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
                    // The previous attempt was committed, and only its response was lost.
                    *repeated = false;
                }
                Ok(converted)
            })
        })
        .await
}

async fn attempt(
    transaction: &Transaction<'_>,
    new: &NewConversion,
) -> Result<Converted, PostgresError> {
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
    let known = match known(transaction, new, &mut free).await? {
        Ok(known) => known,
        Err(lead) => return Ok(new.is_known(lead)),
    };
    let Decision { lead, conversion, visitor, others, identities, deliveries, used_key } =
        match new.clone().decide(known) {
            Ok(decision) => decision,
            Err(answer) => return Ok(answer),
        };
    claim(transaction, own_key.and(lead.id.0), true).await?;
    for (kind, value) in identities {
        let key = rows::identity_key(site, kind.as_str(), &value).and(lead.id.0);
        claim(transaction, key, free.contains(&(kind, value))).await?;
    }
    if let Some((key, used)) = &used_key
        && use_keys(transaction, [(site, key.as_str(), used)]).await? == 0
    {
        return Err(PostgresError::Raced);
    }
    if let (Some(id), Some(record)) = (conversion.visitor, visitor) {
        let record = rows::visitor_key(site, id).and(rows::json(&record)?);
        rows::insert(transaction, &sql::PUT_VISITORS, &record).await?;
    }
    let leads = others.iter().chain([&lead]);
    put_leads(transaction, leads).await?;
    put_conversions(transaction, [(lead.id, &conversion)]).await?;
    let deliveries = deliveries.iter().map(|delivery| (delivery, None));
    delivery::put(transaction, deliveries).await?;
    Ok(Converted::Stored { lead: lead.id, conversion: conversion.id, repeated: false })
}

/// What is stored about the person and the browser, locked until the commit. The error is the lead
/// that the browser belongs to, if the conversion proposes that same person. `free` receives the
/// identities that nobody has.
async fn known(
    transaction: &Transaction<'_>,
    new: &NewConversion,
    free: &mut BTreeSet<(IdentityKind, String)>,
) -> Result<Result<Existing, LeadId>, PostgresError> {
    // Leads are read without a lock first, as they are locked in the order of their ids; the ones
    // that matter are judged again below.
    let (mut email, mut phone_lead) = (None, None);
    // The leads that another one answered for, and that one.
    let mut answered: Vec<(LeadId, LeadId)> = Vec::new();
    let mut alike = Vec::new();
    let named = new.identities().map(|(kind, value)| (kind, value, None));
    let likely = new.likenesses().map(|(kind, value, by)| (kind, value, Some(by)));
    for (kind, value, by) in named.chain(likely) {
        let key = rows::identity_key(&new.site, kind.as_str(), &value);
        let Some(lead) = owner(transaction, &key).await? else {
            free.insert((kind, value));
            continue;
        };
        let named = lead;
        let lead = answering(transaction, named).await?;
        answered.extend((named != lead.id).then_some((named, lead.id)));
        match (kind, by) {
            (IdentityKind::Email, _) => email = Some(lead.id),
            (IdentityKind::Phone, _) => phone_lead = Some(lead),
            (_, Some(by)) => alike.push(Likeness { lead: lead.id, by }),
            (_, None) => {}
        }
    }
    let contact = &new.conversion.contact;
    let phone = phone_lead.as_ref().map(|lead| lead.id);
    let mut person = Person::of(contact, email, phone_lead.as_ref());
    if new.proposed {
        person = Person::proposed(None);
    }
    let (mut browser, mut owner_lead) = (None, None);
    if let Some(visitor) = new.conversion.visitor {
        let key = rows::visitor_key(&new.site, visitor);
        if let Some(taken) = rows::query(transaction, &sql::TAKE_VISITOR, &key).await?.first() {
            let record: Visitor = rows::document(taken, 0)?;
            if let Some(lead) = record.lead {
                let owner = answering(transaction, lead).await?;
                answered.extend((lead != owner.id).then_some((lead, owner.id)));
                owner_lead = Some(owner);
            }
            let owner = owner_lead.as_ref().map(|lead| lead.id);
            if let Some(own) = new.proposes_own(owner, [email, phone]) {
                return Ok(Err(own));
            }
            if new.proposed {
                person = Person::proposed(record.proposed);
            }
            browser = Some(Browser { record, owner, other: None, proposed: None });
        }
    }
    let record = browser.as_ref().map(|browser| &browser.record);
    let is_others = browser.as_ref().is_some_and(|browser| browser.owner != person.lead);
    let other = record.and_then(|record| record.lead).filter(|_| !new.proposed && is_others);
    let proposed = record.and_then(|record| record.proposed).filter(|_| !new.proposed);
    let mut trail = Trail::default();
    if let (Some(_), Some(visitor)) = (other, new.conversion.visitor) {
        let key = rows::visitor_key(&new.site, visitor);
        trail = rows::trail(&rows::query(transaction, &sql::EVENTS, &key).await?)?;
    }
    // Always lock in the same order.
    let phone = phone.filter(|_| !new.proposed);
    let named = person.lead.into_iter().chain(phone);
    let wanted: BTreeSet<LeadId> = named.chain(other).chain(proposed).collect();
    let (mut lead, mut phone_lead) = (None, None);
    for id in wanted {
        let taken = take_lead(transaction, id).await?;
        if Some(id) == phone {
            phone_lead = Some(taken.clone());
        }
        if Some(id) == person.lead {
            if taken.status.answered_by().is_some() {
                // It has been merged since.
                return Err(PostgresError::Raced);
            }
            lead = Some(taken);
            continue;
        }
        match &mut browser {
            Some(browser) if Some(id) == other => {
                let owner_ms = owner_lead.as_ref().map_or(i64::MIN, Lead::last_converted_at_ms);
                let converted_at_ms = taken.converted_at_ms.max(owner_ms);
                let trail = std::mem::take(&mut trail);
                browser.other = Some(Other { lead: taken, converted_at_ms, trail });
            }
            Some(browser) if Some(id) == proposed => browser.proposed = Some(taken),
            _ => {}
        }
    }
    for (named, before) in answered {
        // A merge into a lead that is locked cannot be undone before the commit.
        if person.lead == Some(before) && answering(transaction, named).await?.id != before {
            return Err(PostgresError::Raced);
        }
    }
    if !new.proposed && person != Person::of(contact, email, phone_lead.as_ref()) {
        // The lead with the phone number has changed since.
        return Err(PostgresError::Raced);
    }
    let sharer = phone_lead.filter(|phone| person.sharer == Some(phone.id));
    Ok(Ok(Existing { person, lead, sharer, alike, browser }))
}

/// The lead that an identity belongs to.
pub(super) async fn owner(
    transaction: &Transaction<'_>,
    key: &Parameters,
) -> Result<Option<LeadId>, PostgresError> {
    let found = rows::query(transaction, &sql::IDENTITY, key).await?;
    Ok(found.first().map(|row| rows::column(row, 0).map(LeadId)).transpose()?)
}

pub(super) async fn take_lead(
    transaction: &Transaction<'_>,
    id: LeadId,
) -> Result<Lead, PostgresError> {
    let found = rows::query(transaction, &sql::TAKE_LEAD, &rows::lead_key(id)).await?;
    // On a cluster, the parts of a transaction on two nodes may become visible at different times.
    Ok(rows::document(found.first().ok_or(PostgresError::Raced)?, 0)?)
}

/// Claims an identity. If it was free a moment ago, it must become this lead's.
pub(super) async fn claim(
    transaction: &Transaction<'_>,
    identity: Parameters,
    was_free: bool,
) -> Result<(), PostgresError> {
    let claimed = rows::insert(transaction, &sql::CLAIM_IDENTITIES, &identity).await?;
    match was_free && claimed == 0 {
        true => Err(PostgresError::Raced),
        false => Ok(()),
    }
}

async fn used_key(
    transaction: &Transaction<'_>,
    site: &SiteId,
    key: &str,
) -> Result<Option<UsedKey>, PostgresError> {
    let found = rows::query(transaction, &sql::USED_KEY, &rows::used_key(site, key)).await?;
    Ok(found.first().map(read_used_key).transpose()?)
}

/// Reads what a key was used for, from the first columns of its statements.
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

/// Stores what keys were used for, unless they are already in use. Returns how many were stored.
pub(super) async fn use_keys<'a>(
    transaction: &Transaction<'_>,
    keys: impl IntoIterator<Item = (&'a SiteId, &'a str, &'a UsedKey)>,
) -> Result<u64, PostgresError> {
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
) -> Result<(), PostgresError> {
    let mut all = Parameters::default();
    for lead in leads {
        all.push(rows::lead_bucket(lead.id));
        all.push(lead.id.0);
        all.push(rows::list(&lead.site, lead.status));
        all.push(rows::json(lead)?);
    }
    rows::insert(transaction, &sql::PUT_LEADS, &all).await.map(drop)
}

pub(super) async fn put_conversions<'a>(
    transaction: &Transaction<'_>,
    conversions: impl IntoIterator<Item = (LeadId, &'a Conversion)>,
) -> Result<(), PostgresError> {
    let mut all = Parameters::default();
    for (lead, conversion) in conversions {
        all.push(rows::lead_bucket(lead));
        all.push(lead.0);
        all.push(conversion.id.0);
        all.push(rows::json(conversion)?);
    }
    rows::insert(transaction, &sql::PUT_CONVERSIONS, &all).await.map(drop)
}
