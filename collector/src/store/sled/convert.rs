//! The verb `convert` on sled: who it is, which lead, which visitor joins, what is to be delivered.

use super::transaction::Transaction;
use super::{ingest, keys};
use crate::store::{
    Converted, Delivery, DeliveryId, DeliveryState, Idempotency, NewConversion, StoreError, Visitor,
};
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::journey::next_begin_ms;
use shared::lead::{Contact, Conversion, IdentityKind, Join, JourneyState, Lead};
use shared::limits;
use shared::page_view::PageView;
use shared::visit::Journey;

/// What an idempotency key was used for.
#[derive(Serialize, Deserialize)]
struct Used {
    request: [u8; 32],
    lead: LeadId,
    conversion: ConversionId,
}

pub(super) fn convert(
    transaction: &mut Transaction<'_>,
    new: NewConversion,
) -> Result<Converted, StoreError> {
    let NewConversion {
        site,
        mut conversion,
        new_lead,
        destinations,
        due_at_ms,
        idempotency,
        from_page,
    } = new;
    if let Some(answer) = repeated(transaction, &site, idempotency.as_ref())? {
        return Ok(answer);
    }
    let known_key = keys::conversion_lead(&site, conversion.id);
    if let Some(lead) = transaction.get(&known_key)? {
        return Ok(Converted::Stored { lead, conversion: conversion.id, repeated: true });
    }
    let (mut lead, phone_conflict) = find_or_make(transaction, &site, &conversion, new_lead)?;
    if let Some(visitor) = conversion.visitor {
        join(transaction, &site, &mut lead, &mut conversion, visitor)?;
    }
    lead.conversions += 1;
    conversion.number = lead.conversions;
    lead.converted_at_ms = lead.converted_at_ms.max(conversion.at_ms);
    lead.phone_conflict = phone_conflict.or(lead.phone_conflict);
    if from_page && lead.conversions > 1 {
        // A page is anybody's word: it adds to a known person, it does not change them.
        lead.contact.fill(conversion.contact.clone());
    } else {
        lead.contact.take(conversion.contact.clone());
        claim_identities(transaction, &site, &lead.contact, lead.id)?;
    }
    for destination in destinations {
        put_delivery(transaction, &site, lead.id, &conversion, destination, due_at_ms)?;
    }
    if let Some(Idempotency { key, request }) = idempotency {
        let key = keys::idempotency(&site, &key);
        transaction.mark(keys::aged(conversion.at_ms, &key));
        transaction.put(&key, &Used { request, lead: lead.id, conversion: conversion.id })?;
    }
    transaction.mark(keys::site_lead(&site, lead.id));
    transaction.put(&known_key, &lead.id)?;
    transaction.put(&keys::conversion(lead.id, conversion.id), &conversion)?;
    transaction.put(&keys::lead(lead.id), &lead)?;
    Ok(Converted::Stored { lead: lead.id, conversion: conversion.id, repeated: false })
}

fn repeated(
    transaction: &Transaction<'_>,
    site: &SiteId,
    idempotency: Option<&Idempotency>,
) -> Result<Option<Converted>, StoreError> {
    let Some(Idempotency { key, request }) = idempotency else { return Ok(None) };
    let used: Option<Used> = transaction.get(&keys::idempotency(site, key))?;
    Ok(used.map(|used| match used.request == *request {
        true => Converted::Stored { lead: used.lead, conversion: used.conversion, repeated: true },
        false => Converted::KeyReused,
    }))
}

/// The e-mail decides, then the phone. Where the two say different leads, the e-mail's is taken and
/// the other recorded; they are never merged.
fn find_or_make(
    transaction: &Transaction<'_>,
    site: &SiteId,
    conversion: &Conversion,
    new_lead: LeadId,
) -> Result<(Lead, Option<LeadId>), StoreError> {
    let mut email = None;
    let mut phone = None;
    for (kind, value) in conversion.contact.identities() {
        let lead: Option<LeadId> = transaction.get(&keys::identity(site, kind, &value))?;
        match kind {
            IdentityKind::Email => email = lead,
            IdentityKind::Phone => phone = lead,
        }
    }
    let found = match (email, phone) {
        (Some(lead), other) => Some((lead, other.filter(|other| *other != lead))),
        (None, found) => found.map(|lead| (lead, None)),
    };
    match found {
        Some((id, conflict)) => Ok((transaction.expect(&keys::lead(id))?, conflict)),
        None => Ok((make(site, conversion, new_lead), None)),
    }
}

fn make(site: &SiteId, conversion: &Conversion, id: LeadId) -> Lead {
    Lead {
        id,
        site: site.clone(),
        created_at_ms: conversion.at_ms,
        converted_at_ms: conversion.at_ms,
        contact: Contact::default(),
        joins: Vec::new(),
        conversions: 0,
        phone_conflict: None,
    }
}

/// Joins the browser to the lead and takes its touches as they stand into the conversion. A browser
/// that was another lead's goes over to this one with what came after that lead's last conversion.
fn join(
    transaction: &mut Transaction<'_>,
    site: &SiteId,
    lead: &mut Lead,
    conversion: &mut Conversion,
    visitor: VisitorId,
) -> Result<(), StoreError> {
    let key = keys::visitor(site, visitor);
    let Some(mut record) = transaction.get::<Visitor>(&key)? else {
        conversion.journey = JourneyState::UnknownVisitor;
        return Ok(());
    };
    conversion.journey = JourneyState::Known;
    let views = ingest::views(transaction, site, visitor)?;
    if record.lead != Some(lead.id) && lead.joins.len() < limits::LEAD_JOINS {
        let mut from_ms = None;
        if let Some(other) = record.lead {
            let mut other: Lead = transaction.expect(&keys::lead(other))?;
            let begin_ms = next_begin_ms(&views, other.converted_at_ms);
            from_ms = Some(begin_ms);
            other.joins.iter_mut().filter(|join| join.visitor == visitor).for_each(|join| {
                join.until_ms = join.until_ms.or(from_ms);
            });
            transaction.put(&keys::lead(other.id), &other)?;
        }
        lead.joins.push(Join {
            visitor,
            joined_at_ms: conversion.at_ms,
            conversion: conversion.id,
            from_ms,
            until_ms: None,
        });
        record.lead = Some(lead.id);
        transaction.put(&key, &record)?;
    }
    let own = lead.joins.iter().rfind(|join| join.visitor == visitor);
    let seen = views.iter().filter(|view| own.is_some_and(|join| join.holds(view)));
    let seen: Vec<PageView> = seen.filter_map(|view| view.up_to(conversion.at_ms)).collect();
    conversion.touches = Journey::derive(&seen).touches;
    Ok(())
}

/// Whoever came first keeps an identity.
fn claim_identities(
    transaction: &mut Transaction<'_>,
    site: &SiteId,
    contact: &Contact,
    lead: LeadId,
) -> Result<(), StoreError> {
    for (kind, value) in contact.identities() {
        let key = keys::identity(site, kind, &value);
        if !transaction.contains(&key)? {
            transaction.put(&key, &lead)?;
        }
    }
    Ok(())
}

fn put_delivery(
    transaction: &mut Transaction<'_>,
    site: &SiteId,
    lead: LeadId,
    conversion: &Conversion,
    destination: String,
    due_at_ms: i64,
) -> Result<(), StoreError> {
    let id = DeliveryId::of(lead, &destination, conversion.id);
    let delivery = Delivery {
        id,
        site: site.clone(),
        destination,
        subject: conversion.id,
        state: DeliveryState::Pending,
        due_at_ms,
        attempts: 0,
        created_at_ms: conversion.at_ms,
        error: None,
    };
    transaction.mark(keys::due(&delivery.destination, due_at_ms, id));
    transaction.put(&keys::delivery(id), &delivery)
}
