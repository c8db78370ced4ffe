//! The verbs `convert` and `undo_join` on sled: they read what is known and write what changes.

use super::merging::answering;
use super::rows::{put_conversion, put_delivery, put_lead, put_used_key};
use super::transaction::Transaction;
use super::{keys, trails};
use crate::conversion::{Converted, Decision, Existing, NewConversion, Person, UsedKey};
use crate::error::StoreError;
use crate::membership::{self, Browser, Other};
use crate::visitor::Visitor;
use shared::ids::{LeadId, VisitorId};
use shared::lead::{IdentityKind, Lead, Likeness};
use std::collections::BTreeMap;

pub(super) fn convert(
    transaction: &mut Transaction<'_>,
    new: NewConversion,
) -> Result<Converted, StoreError> {
    let site = new.site.clone();
    if let Some(idempotency) = &new.idempotency
        && let Some(used) =
            transaction.get::<UsedKey>(&keys::idempotency(&site, &idempotency.key))?
    {
        return Ok(used.answer(&idempotency.request));
    }
    let known_key = keys::conversion_lead(&site, new.conversion.id);
    if let Some(lead) = transaction.get(&known_key)? {
        return Ok(Converted::Stored { lead, conversion: new.conversion.id, repeated: true });
    }
    let known = match known(transaction, &new)? {
        Ok(known) => known,
        Err(lead) => return Ok(new.is_known(lead)),
    };
    let visitor_key = new.conversion.visitor.map(|visitor| keys::visitor(&site, visitor));

    let decision = match new.decide(known) {
        Ok(decision) => decision,
        Err(answer) => return Ok(answer),
    };
    let Decision { lead, conversion, .. } = &decision;
    if let (Some(key), Some(record)) = (visitor_key, &decision.visitor) {
        transaction.put(&key, record)?;
    }
    for other in &decision.others {
        put_lead(transaction, other)?;
    }
    for (kind, value) in &decision.identities {
        let key = keys::identity(&site, *kind, value);
        // The first lead to claim an identity keeps it.
        if !transaction.contains(&key)? {
            transaction.put(&key, &lead.id)?;
        }
    }
    for delivery in &decision.deliveries {
        put_delivery(transaction, delivery)?;
    }
    if let Some((key, used)) = &decision.used_key {
        put_used_key(transaction, &keys::idempotency(&site, key), used)?;
    }
    put_lead(transaction, lead)?;
    put_conversion(transaction, lead, conversion)?;
    Ok(Converted::Stored { lead: lead.id, conversion: conversion.id, repeated: false })
}

/// What is stored about the person and the browser. The error is the lead that the browser belongs
/// to, if the conversion proposes that same person.
fn known(
    transaction: &Transaction<'_>,
    new: &NewConversion,
) -> Result<Result<Existing, LeadId>, StoreError> {
    let owner = |kind: IdentityKind, value: &str| -> Result<Option<Lead>, StoreError> {
        let lead: Option<LeadId> = transaction.get(&keys::identity(&new.site, kind, value))?;
        lead.map(|lead| answering(transaction, lead)).transpose()
    };
    let (mut email, mut phone): (Option<LeadId>, Option<Lead>) = (None, None);
    for (kind, value) in new.identities() {
        let lead = owner(kind, &value)?;
        match kind {
            IdentityKind::Email => email = lead.map(|lead| lead.id),
            IdentityKind::Phone => phone = lead,
            _ => {}
        }
    }
    let mut person = Person::of(&new.conversion.contact, email, phone.as_ref());
    let mut alike = Vec::new();
    for (kind, value, by) in new.likenesses() {
        let lead = owner(kind, &value)?;
        alike.extend(lead.map(|lead| Likeness { lead: lead.id, by }));
    }
    let mut browser = None;
    if let Some(visitor) = new.conversion.visitor
        && let Some(record) = transaction.get::<Visitor>(&keys::visitor(&new.site, visitor))?
    {
        let owner = record.lead.map(|lead| answering(transaction, lead)).transpose()?;
        let owner_id = owner.as_ref().map(|owner| owner.id);
        if new.proposed {
            if let Some(own) =
                new.proposes_own(owner_id, [email, phone.as_ref().map(|lead| lead.id)])
            {
                return Ok(Err(own));
            }
            person = Person::proposed(record.proposed);
        }
        let mut other = None;
        if let (Some(lead), Some(owner)) = (record.lead, owner)
            && !new.proposed
            && person.lead != owner_id
        {
            other = Some(Other {
                lead: transaction.expect(&keys::lead(lead))?,
                converted_at_ms: owner.last_converted_at_ms(),
                trail: trails::trail(transaction, &new.site, visitor)?,
            });
        }
        let proposed = record.proposed.filter(|_| !new.proposed);
        let proposed = proposed.map(|lead| transaction.expect(&keys::lead(lead)));
        let proposed = proposed.transpose()?;
        browser = Some(Browser { record, owner: owner_id, other, proposed });
    } else if new.proposed {
        person = Person::proposed(None);
    }
    let lead = person.lead.map(|lead| transaction.expect(&keys::lead(lead))).transpose()?;
    let sharer = phone.filter(|phone| person.sharer == Some(phone.id));
    Ok(Ok(Existing { person, lead, sharer, alike, browser }))
}

pub(super) fn undo_join(
    transaction: &mut Transaction<'_>,
    id: LeadId,
    visitor: VisitorId,
    now_ms: i64,
) -> Result<Option<Lead>, StoreError> {
    let Some(lead) = transaction.get::<Lead>(&keys::lead(id))? else { return Ok(None) };
    if !membership::has_ever_joined(&lead, visitor) {
        return Ok(None);
    }
    let visitor_key = keys::visitor(&lead.site, visitor);
    // A visitor that was erased belonged to no lead.
    let Some(mut record) = transaction.get::<Visitor>(&visitor_key)? else { return Ok(Some(lead)) };
    let mut leads = BTreeMap::new();
    for id in membership::in_line(&lead, visitor) {
        leads.insert(id, transaction.expect(&keys::lead(id))?);
    }
    if membership::undo(&mut leads, &mut record, id, visitor, now_ms) {
        transaction.put(&visitor_key, &record)?;
        for lead in leads.values() {
            put_lead(transaction, lead)?;
        }
    }
    Ok(leads.remove(&id))
}
