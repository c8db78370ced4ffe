//! The verbs `convert` and `undo_join` on sled: they read what is known, and write what becomes of it.

use super::rows::{put_conversion, put_delivery, put_lead, put_used_key};
use super::transaction::Transaction;
use super::{keys, views};
use crate::conversion::{Converted, Decision, Known, NewConversion, Person, UsedKey};
use crate::error::StoreError;
use crate::membership::{self, Browser};
use crate::visitor::Visitor;
use shared::ids::{LeadId, VisitorId};
use shared::lead::{IdentityKind, Lead};
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
    let known = known(transaction, &new)?;
    let visitor_key = new.conversion.visitor.map(|visitor| keys::visitor(&site, visitor));

    let decision = new.decide(known);
    let Decision { lead, conversion, .. } = &decision;
    if let (Some(key), Some(record)) = (visitor_key, &decision.visitor) {
        transaction.put(&key, record)?;
    }
    if let Some(other) = &decision.other {
        put_lead(transaction, other)?;
    }
    for (kind, value) in &decision.identities {
        let key = keys::identity(&site, *kind, value);
        // Whoever came first keeps it.
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

fn known(transaction: &Transaction<'_>, new: &NewConversion) -> Result<Known, StoreError> {
    let (mut email, mut phone) = (None, None);
    for (kind, value) in new.conversion.contact.identities() {
        let lead: Option<LeadId> = transaction.get(&keys::identity(&new.site, kind, &value))?;
        match kind {
            IdentityKind::Email => email = lead,
            IdentityKind::Phone => phone = lead,
            // No contact is found by these.
            IdentityKind::CrmRecord | IdentityKind::Deal => {}
        }
    }
    let person = Person::of(email, phone);
    let mut browser = None;
    if let Some(visitor) = new.conversion.visitor
        && let Some(record) = transaction.get::<Visitor>(&keys::visitor(&new.site, visitor))?
    {
        let views = views::views(transaction, &new.site, visitor)?;
        let other = record.lead.filter(|other| Some(*other) != person.lead);
        let other = other.map(|other| transaction.expect(&keys::lead(other))).transpose()?;
        browser = Some(Browser { record, views, other });
    }
    let lead = person.lead.map(|lead| transaction.expect(&keys::lead(lead))).transpose()?;
    Ok(Known { person, lead, browser })
}

pub(super) fn undo_join(
    transaction: &mut Transaction<'_>,
    id: LeadId,
    visitor: VisitorId,
    now_ms: i64,
) -> Result<Option<Lead>, StoreError> {
    let Some(lead) = transaction.get::<Lead>(&keys::lead(id))? else { return Ok(None) };
    if !lead.joins.iter().any(|join| join.visitor == visitor) {
        return Ok(None);
    }
    let visitor_key = keys::visitor(&lead.site, visitor);
    let mut record: Visitor = transaction.expect(&visitor_key)?;
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
