//! Conversions, and how one changes the lead and the browser. This is the one definition of the
//! verb `convert`, independent of any backend.

use crate::delivery::{Delivery, DeliveryKind};
use crate::destination::DestinationId;
use crate::membership::{self, Browser};
use crate::visitor::Visitor;
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId};
use shared::lead::{
    Contact, Conversion, ConversionKind, FoundBy, IdentityKind, JoinEvidence, JourneyState, Lead,
    LeadStatus, LikeBy, Likeness, NamedBy, SharedBrowser,
};
use shared::limits;

/// A conversion to store.
#[derive(Clone, Debug)]
pub struct NewConversion {
    /// The site.
    pub site: SiteId,
    /// The conversion. The store fills in its number, journey state and context.
    pub conversion: Conversion,
    /// The new lead's id, used if the person is not known yet.
    pub new_lead: LeadId,
    /// The destinations that get a delivery.
    pub destinations: Vec<DestinationId>,
    /// When the deliveries fall due, Unix milliseconds.
    pub due_at_ms: i64,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// How the visitor was named, if one was.
    pub named_by: Option<NamedBy>,
    /// Whether the conversion is only proposed. Then it creates or changes the browser's proposed
    /// lead and nothing else.
    pub proposed: bool,
    /// What the lead shows of a browser that another lead had before.
    pub shared_browser: SharedBrowser,
}

/// An idempotency key and the request that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotency {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the request.
    pub request: [u8; 32],
}

/// The result of storing a conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Converted {
    /// It is stored.
    Stored {
        /// The lead.
        lead: LeadId,
        /// The conversion.
        conversion: ConversionId,
        /// Whether an earlier request had already stored it.
        repeated: bool,
    },
    /// The idempotency key was already used for a different request.
    KeyReused,
    /// The lead has the maximum number of conversions; nothing was stored.
    LeadFull(LeadId),
}

/// What an idempotency key was used for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UsedKey {
    /// SHA-256 of the request.
    pub request: [u8; 32],
    /// The lead.
    pub lead: LeadId,
    /// The conversion.
    pub conversion: ConversionId,
    /// When, Unix milliseconds.
    pub used_at_ms: i64,
}

/// Who converted. The e-mail address decides; without one, the phone number does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Person {
    /// The lead, if the person is known.
    pub(super) lead: Option<LeadId>,
    /// How the lead was found.
    pub(super) found_by: FoundBy,
    /// Another lead that has the phone number and a different e-mail address.
    pub(super) sharer: Option<LeadId>,
}

/// What is stored about the person and the browser that a conversion names.
pub(super) struct Existing {
    /// The person.
    pub(super) person: Person,
    /// The person's lead.
    pub(super) lead: Option<Lead>,
    /// The lead that shares the person's phone number.
    pub(super) sharer: Option<Lead>,
    /// Leads that may be the same person.
    pub(super) alike: Vec<Likeness>,
    /// The browser, if the conversion names one that has sent events.
    pub(super) browser: Option<Browser>,
}

/// What a conversion writes in one step.
pub(super) struct Decision {
    /// The lead after the conversion.
    pub(super) lead: Lead,
    /// The conversion, complete.
    pub(super) conversion: Conversion,
    /// The visitor's record, if it changes.
    pub(super) visitor: Option<Visitor>,
    /// Other leads that change: the lead that the browser leaves, and the proposed lead that is
    /// confirmed.
    pub(super) others: Vec<Lead>,
    /// The identities that the lead can be found by, or suggested by, from now on, unless they
    /// belong to another lead.
    pub(super) identities: Vec<(IdentityKind, String)>,
    /// The deliveries to make.
    pub(super) deliveries: Vec<Delivery>,
    /// The idempotency key, and what it was used for.
    pub(super) used_key: Option<(String, UsedKey)>,
}

impl UsedKey {
    /// The result for another request with the same key.
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
    /// For a proposal: the lead that the browser's pages proposed before.
    pub(super) fn proposed(lead: Option<LeadId>) -> Self {
        Self { lead, found_by: FoundBy::New, sharer: None }
    }

    /// Decides from the leads that the e-mail address and the phone number belong to. Two different
    /// addresses are two persons, whatever number they share, and a number that was seen with
    /// several of them identifies nobody.
    pub(super) fn of(contact: &Contact, email: Option<LeadId>, phone: Option<&Lead>) -> Self {
        let sharer = phone.filter(|phone| email != Some(phone.id)).filter(|phone| {
            contact.email.is_some() && (email.is_some() || phone.contact.email.is_some())
        });
        let by_phone =
            phone.filter(|phone| sharer.is_none() && phone.shares_phone_with().is_empty());
        let (lead, found_by) = match (email, by_phone) {
            (Some(email), _) => (Some(email), FoundBy::Email),
            (None, Some(phone)) => (Some(phone.id), FoundBy::Phone),
            (None, None) => (None, FoundBy::New),
        };
        Self { lead, found_by, sharer: sharer.map(|sharer| sharer.id) }
    }
}

impl NewConversion {
    /// The identities that the person may be found by. A signature vouches only for the first one.
    pub(super) fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> + '_ {
        let trusted = if self.named_by == Some(NamedBy::Signed) { 1 } else { usize::MAX };
        self.conversion.contact.identities().take(trusted)
    }

    /// The keys by which leads that may be the same person are noticed. Only a form handler's word
    /// counts.
    pub(super) fn likenesses(&self) -> impl Iterator<Item = (IdentityKind, String, LikeBy)> + '_ {
        let is_told = !matches!(self.named_by, Some(NamedBy::Page | NamedBy::Signed));
        let contact = Some(&self.conversion.contact).filter(|_| is_told && !self.proposed);
        contact.into_iter().flat_map(Contact::likenesses)
    }

    /// The lead that the browser belongs to, if its page proposes that same person. `named` holds
    /// the leads that the proposal's e-mail address and phone number belong to.
    pub(super) fn proposes_own(
        &self,
        own: Option<LeadId>,
        named: [Option<LeadId>; 2],
    ) -> Option<LeadId> {
        own.filter(|own| self.proposed && named.contains(&Some(*own)))
    }

    /// The result for a proposal of the person that the browser already belongs to.
    pub(super) fn is_known(&self, lead: LeadId) -> Converted {
        Converted::Stored { lead, conversion: self.conversion.id, repeated: true }
    }

    /// Decides what to write, given what is stored.
    ///
    /// # Errors
    /// The result to return if nothing is to be written.
    pub(super) fn decide(self, known: Existing) -> Result<Decision, Converted> {
        let like_keys: Vec<_> = self.likenesses().map(|(kind, value, _)| (kind, value)).collect();
        let Self {
            site,
            mut conversion,
            new_lead,
            destinations,
            due_at_ms,
            idempotency,
            named_by,
            proposed,
            shared_browser,
        } = self;
        let found_by = known.person.found_by;
        let mut lead = known.lead.unwrap_or_else(|| make(&site, &conversion, new_lead, proposed));
        let own = known.browser.as_ref().and_then(|browser| browser.owner);
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
                (visitor, others) =
                    membership::join(&mut lead, &mut conversion, browser, by, shared_browser);
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
        if let Some(sharer) = known.sharer.filter(|_| !proposed) {
            share_phone(&mut lead, sharer, &mut others);
        }
        let mut identities = Vec::new();
        match named_by {
            _ if proposed => lead.contact.take(conversion.contact.clone()),
            // Anyone can make a page say anything: it adds to a known person but does not change
            // them.
            Some(NamedBy::Page) if lead.conversions > 1 => {
                lead.contact.fill(conversion.contact.clone());
            }
            Some(NamedBy::Signed) => {
                lead.contact.fill(conversion.contact.clone());
                identities = conversion.contact.identities().take(1).collect();
            }
            _ => {
                lead.take_contact(conversion.contact.clone());
                identities = lead.contact.identities().chain(like_keys).collect();
            }
        }
        known.alike.into_iter().for_each(|likeness| lead.is_like(likeness));
        let event = (DeliveryKind::Converted, conversion.id.0);
        let deliver =
            |destination| Delivery::new(&lead, destination, event, conversion.at_ms, due_at_ms);
        let deliveries = destinations.into_iter().map(deliver).collect();
        let used_key = idempotency.map(|Idempotency { key, request }| {
            let (lead, conversion, used_at_ms) = (lead.id, conversion.id, conversion.at_ms);
            (key, UsedKey { request, lead, conversion, used_at_ms })
        });
        Ok(Decision { lead, conversion, visitor, others, identities, deliveries, used_key })
    }
}

/// Notes on both leads that they have a phone number in common. `others` are the other leads that
/// are written.
fn share_phone(lead: &mut Lead, sharer: Lead, others: &mut Vec<Lead>) {
    lead.share_phone(sharer.id);
    match others.iter_mut().find(|other| other.id == sharer.id) {
        Some(sharer) => sharer.share_phone(lead.id),
        None => {
            let mut sharer = sharer;
            sharer.share_phone(lead.id);
            others.push(sharer);
        }
    }
}

/// Whether a page only repeats who the browser's person is, as pages behind a login do on every
/// view. That is not a conversion.
fn says_nothing_new(lead: &Lead, conversion: &Conversion, by: Option<NamedBy>) -> bool {
    let by_page = matches!(by, Some(NamedBy::Page | NamedBy::Signed));
    let mut filled = lead.contact.clone();
    filled.fill(conversion.contact.clone());
    by_page && conversion.kind == ConversionKind::Api && filled == lead.contact
}

/// Whether the lead has no room for another conversion named in this way.
fn is_full(lead: &Lead, by: Option<NamedBy>) -> bool {
    match (lead.status, by) {
        (LeadStatus::Proposed, _) => lead.conversions >= limits::PROPOSED_CONVERSIONS,
        (_, Some(NamedBy::Page)) => lead.page_conversions >= limits::LEAD_PAGE_CONVERSIONS,
        _ => lead.conversions - lead.page_conversions >= limits::LEAD_CONVERSIONS,
    }
}

fn make(site: &SiteId, conversion: &Conversion, id: LeadId, proposed: bool) -> Lead {
    let status = if proposed { LeadStatus::Proposed } else { LeadStatus::Verified };
    Lead { status, ..Lead::new(id, site.clone(), conversion.at_ms) }
}
