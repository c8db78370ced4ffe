//! Merges: leads that turned out to be one person.

use super::{Contact, Lead, Likeness};
use crate::ids::LeadId;
use crate::limits;
use serde::{Deserialize, Serialize};

/// A lead that was merged into another one. Its conversions, joins, records and deliveries stay
/// with it, so that the merge can be undone; who reads the surviving lead reads them, too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Merge {
    /// The lead, and the leads that had been merged into it before.
    pub leads: Vec<LeadId>,
    /// Its contact at that time.
    pub contact: Contact,
    /// The e-mail addresses of all of `leads`.
    pub emails: Vec<String>,
    /// How many conversions they have.
    pub conversions: u32,
    /// When the first of them was, Unix milliseconds.
    pub created_at_ms: i64,
    /// When the last of them was, Unix milliseconds.
    pub converted_at_ms: i64,
    /// Other leads with one of their phone numbers and another e-mail.
    pub phone_shared_with: Vec<LeadId>,
    /// Leads that may be the same person.
    pub likenesses: Vec<Likeness>,
    /// When, Unix milliseconds.
    pub merged_at_ms: i64,
    /// The name of the API key with which it was done.
    pub by: String,
    /// When it was undone, Unix milliseconds.
    pub undone_at_ms: Option<i64>,
}

impl Merge {
    /// The merge of a lead with everything that was merged into it.
    pub fn of(merged: &Lead, merged_at_ms: i64, by: String) -> Self {
        Self {
            leads: std::iter::once(merged.id).chain(merged.merged_leads()).collect(),
            contact: merged.known_contact(),
            emails: merged.emails().into_iter().map(str::to_owned).collect(),
            conversions: merged.all_conversions(),
            created_at_ms: merged.first_converted_at_ms(),
            converted_at_ms: merged.last_converted_at_ms(),
            phone_shared_with: merged.shares_phone_with(),
            likenesses: merged.all_likenesses().collect(),
            merged_at_ms,
            by,
            undone_at_ms: None,
        }
    }

    /// The lead that was merged.
    pub fn lead(&self) -> Option<LeadId> {
        self.leads.first().copied()
    }

    /// Whether it has not been undone.
    pub fn is_valid(&self) -> bool {
        self.undone_at_ms.is_none()
    }
}

impl Lead {
    /// The merges that have not been undone.
    pub fn valid_merges(&self) -> impl Iterator<Item = &Merge> {
        self.merges.iter().filter(|merge| merge.is_valid())
    }

    /// The other leads that it answers for.
    pub fn merged_leads(&self) -> impl Iterator<Item = LeadId> {
        self.valid_merges().flat_map(|merge| merge.leads.iter().copied())
    }

    /// Its e-mail addresses, the primary one first.
    pub fn emails(&self) -> Vec<&str> {
        let merged = self.valid_merges().flat_map(|merge| &merge.emails);
        let mut emails: Vec<&str> = Vec::new();
        for email in self.contact.email.iter().chain(merged) {
            if !emails.iter().any(|known| known.eq_ignore_ascii_case(email)) {
                emails.push(email);
            }
        }
        emails
    }

    /// How many conversions it has with those of the leads merged into it.
    pub fn all_conversions(&self) -> u32 {
        self.conversions + self.valid_merges().map(|merge| merge.conversions).sum::<u32>()
    }

    /// When it or one of the leads merged into it first converted, Unix milliseconds.
    pub fn first_converted_at_ms(&self) -> i64 {
        let merged = self.valid_merges().map(|merge| merge.created_at_ms);
        merged.fold(self.created_at_ms, i64::min)
    }

    /// When it or one of the leads merged into it last converted, Unix milliseconds.
    pub fn last_converted_at_ms(&self) -> i64 {
        let merged = self.valid_merges().map(|merge| merge.converted_at_ms);
        merged.fold(self.converted_at_ms, i64::max)
    }

    /// Whether it answers for a lead: for itself, or for one merged into it.
    pub fn answers_for(&self, lead: LeadId) -> bool {
        self.id == lead || self.merged_leads().any(|merged| merged == lead)
    }

    /// The other people with whom it shares a phone number; the number then identifies nobody.
    pub fn shares_phone_with(&self) -> Vec<LeadId> {
        let merged = self.valid_merges().flat_map(|merge| &merge.phone_shared_with);
        let mut others: Vec<LeadId> = Vec::new();
        for other in self.phone_shared_with.iter().chain(merged) {
            if !self.answers_for(*other) && !others.contains(other) {
                others.push(*other);
            }
        }
        others
    }

    /// The other leads that may be the same person.
    pub fn all_likenesses(&self) -> impl Iterator<Item = Likeness> {
        let merged = self.valid_merges().flat_map(|merge| &merge.likenesses);
        let all = self.likenesses.iter().chain(merged).copied();
        all.filter(|likeness| !self.answers_for(likeness.lead))
    }

    /// Its contact; what it lacks is taken from the leads that were merged into it.
    pub fn known_contact(&self) -> Contact {
        let mut contact = self.contact.clone();
        self.valid_merges().for_each(|merge| contact.fill(merge.contact.clone()));
        contact
    }

    /// Takes over what a newer contact says. The primary e-mail address stays, and what a merged
    /// lead is found by stays with that one.
    pub fn take_contact(&mut self, mut newer: Contact) {
        for merge in self.valid_merges() {
            let is_its =
                |email: &String| merge.emails.iter().any(|own| own.eq_ignore_ascii_case(email));
            newer.email = newer.email.filter(|email| !is_its(email));
            newer.phone = newer.phone.filter(|phone| merge.contact.phone.as_ref() != Some(phone));
        }
        let primary = self.contact.email.take();
        self.contact.take(newer);
        self.contact.email = primary.or(self.contact.email.take());
    }

    /// Notes that an older lead may be the same person.
    pub fn is_like(&mut self, likeness: Likeness) {
        let has_room = self.likenesses.len() < limits::LEAD_LIKENESSES;
        if has_room && likeness.lead != self.id && !self.likenesses.contains(&likeness) {
            self.likenesses.push(likeness);
        }
    }
}
