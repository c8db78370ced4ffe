//! A conversion, and what it makes of the person and the browser: the one definition of the verb
//! `convert`, without any store.

use crate::delivery::{Delivery, DeliveryKind};
use crate::destination::DestinationId;
use crate::membership::{self, Browser};
use crate::visitor::Visitor;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::{
    Contact, Conversion, ConversionKind, FoundBy, IdentityKind, JoinEvidence, JourneyState, Lead,
    NamedBy, Standing,
};
use shared::limits;

/// A conversion to be stored.
#[derive(Clone, Debug)]
pub struct NewConversion {
    /// Where.
    pub site: SiteId,
    /// The conversion; its number, touches and journey state are filled in the store's step.
    pub conversion: Conversion,
    /// The lead's id, should this be a new person.
    pub new_lead: LeadId,
    /// The destinations that get a delivery.
    pub destinations: Vec<DestinationId>,
    /// When the deliveries fall due, Unix milliseconds.
    pub due_at_ms: i64,
    /// The caller's key for repeats.
    pub idempotency: Option<Idempotency>,
    /// By what the conversion's visitor was named, where one was.
    pub named_by: Option<NamedBy>,
    /// Whether it is only proposed: it makes or changes the browser's proposed lead and nothing else.
    pub proposed: bool,
}

/// A caller's key, and what it was used for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotency {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// What became of a conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Converted {
    /// It is stored; `repeated` where it was stored before.
    Stored {
        /// The person.
        lead: LeadId,
        /// The conversion.
        conversion: ConversionId,
        /// Whether an earlier request had stored it.
        repeated: bool,
    },
    /// The idempotency key was used for another request.
    KeyReused,
    /// The lead has as many conversions as one may have; nothing was stored.
    LeadFull(LeadId),
}

/// What an idempotency key was used for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsedKey {
    /// SHA-256 of the request.
    pub request: [u8; 32],
    /// The person.
    pub lead: LeadId,
    /// The conversion.
    pub conversion: ConversionId,
    /// When, Unix milliseconds.
    pub used_at_ms: i64,
}

/// Whose conversion it is: the e-mail decides, then the phone.
#[derive(Clone, Copy)]
pub(super) struct Person {
    /// The lead, where it is known.
    pub(super) lead: Option<LeadId>,
    /// By what it was found.
    pub(super) found_by: FoundBy,
    /// The lead that the phone names where the e-mail names another: recorded, never merged.
    pub(super) phone_conflict: Option<LeadId>,
}

/// What is stored of the persons and the browser that a conversion names.
pub(super) struct Known {
    /// Who it is.
    pub(super) person: Person,
    /// The person's lead.
    pub(super) lead: Option<Lead>,
    /// The browser, where the conversion names one that has reported something.
    pub(super) browser: Option<Browser>,
}

/// What a conversion writes, in one step.
pub(super) struct Decision {
    /// The lead as it is now.
    pub(super) lead: Lead,
    /// The conversion, complete.
    pub(super) conversion: Conversion,
    /// The visitor's record, where it changes.
    pub(super) visitor: Option<Visitor>,
    /// Other leads that change: one that the browser left, one that it had proposed.
    pub(super) others: Vec<Lead>,
    /// What the lead can be found by from now on, where nobody else can.
    pub(super) identities: Vec<(IdentityKind, String)>,
    /// What is to be handed off.
    pub(super) deliveries: Vec<Delivery>,
    /// The caller's key, and what it was used for.
    pub(super) used_key: Option<(String, UsedKey)>,
}

impl UsedKey {
    /// What a further request with the same key is answered.
    pub(super) fn answer(&self, request: &[u8; 32]) -> Converted {
        match self.request == *request {
            true => {
                Converted::Stored { lead: self.lead, conversion: self.conversion, repeated: true }
            }
            false => Converted::KeyReused,
        }
    }
}

impl Person {
    /// Of a proposal: the lead that the browser's pages proposed before.
    pub(super) fn proposed(lead: Option<LeadId>) -> Self {
        Self { lead, found_by: FoundBy::New, phone_conflict: None }
    }

    /// From whom the e-mail and the phone belong to.
    pub(super) fn of(email: Option<LeadId>, phone: Option<LeadId>) -> Self {
        let phone_conflict = phone.filter(|phone| email.is_some_and(|email| email != *phone));
        let found_by = match (email, phone) {
            (Some(_), _) => FoundBy::Email,
            (None, Some(_)) => FoundBy::Phone,
            (None, None) => FoundBy::New,
        };
        Self { lead: email.or(phone), found_by, phone_conflict }
    }
}

impl NewConversion {
    /// What the person may be found by. A signature is that of the first alone.
    pub(super) fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> + '_ {
        let trusted = if self.named_by == Some(NamedBy::Signed) { 1 } else { usize::MAX };
        self.conversion.contact.identities().take(trusted)
    }

    /// The lead that the browser belongs to, where its page proposes just that person, by whom its e-mail
    /// and its phone lead to.
    pub(super) fn proposes_own(
        &self,
        own: Option<LeadId>,
        named: [Option<LeadId>; 2],
    ) -> Option<LeadId> {
        own.filter(|own| self.proposed && named.contains(&Some(*own)))
    }

    /// What a proposal of the person whom the browser belongs to is answered: it is known already.
    pub(super) fn is_known(&self, lead: LeadId) -> Converted {
        Converted::Stored { lead, conversion: self.conversion.id, repeated: true }
    }

    /// What it writes, given what is stored.
    ///
    /// # Errors
    /// What the caller is answered where it writes nothing.
    pub(super) fn decide(self, known: Known) -> Result<Decision, Converted> {
        let Self {
            site,
            mut conversion,
            new_lead,
            destinations,
            due_at_ms,
            idempotency,
            named_by,
            proposed,
        } = self;
        let Person { found_by, phone_conflict, .. } = known.person;
        let mut lead = known.lead.unwrap_or_else(|| make(&site, &conversion, new_lead, proposed));
        let own = known.browser.as_ref().and_then(|browser| browser.record.lead);
        if own == Some(lead.id) && says_nothing_new(&lead, &conversion, named_by) {
            let (lead, conversion) = (lead.id, conversion.id);
            return Err(Converted::Stored { lead, conversion, repeated: true });
        }
        if is_full(&lead, named_by) {
            return Err(Converted::LeadFull(lead.id));
        }
        let (mut visitor, mut others) = (None, Vec::new());
        match known.browser {
            Some(browser) => {
                let by = named_by.map(|visitor| JoinEvidence { person: found_by, visitor });
                (visitor, others) = membership::join(&mut lead, &mut conversion, browser, by);
            }
            None if conversion.visitor.is_some() => {
                conversion.journey = JourneyState::UnknownVisitor;
            }
            None => {}
        }
        lead.conversions += 1;
        lead.page_conversions += u32::from(named_by == Some(NamedBy::Page));
        conversion.number = lead.conversions;
        lead.converted_at_ms = lead.converted_at_ms.max(conversion.at_ms);
        lead.phone_conflict = phone_conflict.or(lead.phone_conflict);
        let mut identities = Vec::new();
        match named_by {
            _ if proposed => lead.contact.take(conversion.contact.clone()),
            // A page is anybody's word: it adds to a known person, it does not change them.
            Some(NamedBy::Page) if lead.conversions > 1 => {
                lead.contact.fill(conversion.contact.clone());
            }
            Some(NamedBy::Signed) => {
                lead.contact.fill(conversion.contact.clone());
                identities = conversion.contact.identities().take(1).collect();
            }
            _ => {
                lead.contact.take(conversion.contact.clone());
                identities = lead.contact.identities().collect();
            }
        }
        let told = (DeliveryKind::Converted, conversion.id.0);
        let deliver =
            |destination| Delivery::new(&lead, destination, told, conversion.at_ms, due_at_ms);
        let deliveries = destinations.into_iter().map(deliver).collect();
        let used_key = idempotency.map(|Idempotency { key, request }| {
            let (lead, conversion, used_at_ms) = (lead.id, conversion.id, conversion.at_ms);
            (key, UsedKey { request, lead, conversion, used_at_ms })
        });
        Ok(Decision { lead, conversion, visitor, others, identities, deliveries, used_key })
    }
}

/// Whether a page only says again who the browser's person is, as pages behind a login do on every view:
/// that is no conversion.
fn says_nothing_new(lead: &Lead, conversion: &Conversion, by: Option<NamedBy>) -> bool {
    let by_page = matches!(by, Some(NamedBy::Page | NamedBy::Signed));
    let mut filled = lead.contact.clone();
    filled.fill(conversion.contact.clone());
    by_page && conversion.kind == ConversionKind::Api && filled == lead.contact
}

/// Whether a lead takes no more conversions that are named so.
fn is_full(lead: &Lead, by: Option<NamedBy>) -> bool {
    match (lead.standing, by) {
        (Standing::Proposed, _) => lead.conversions >= limits::PROPOSED_CONVERSIONS,
        (_, Some(NamedBy::Page)) => lead.page_conversions >= limits::LEAD_PAGE_CONVERSIONS,
        _ => lead.conversions - lead.page_conversions >= limits::LEAD_CONVERSIONS,
    }
}

fn make(site: &SiteId, conversion: &Conversion, id: LeadId, proposed: bool) -> Lead {
    Lead {
        id,
        site: site.clone(),
        created_at_ms: conversion.at_ms,
        converted_at_ms: conversion.at_ms,
        contact: Contact::default(),
        joins: Vec::new(),
        conversions: 0,
        page_conversions: 0,
        standing: if proposed { Standing::Proposed } else { Standing::Verified },
        phone_conflict: None,
    }
}
