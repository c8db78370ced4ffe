//! Records of what was reported about a lead after it converted. This is the one definition of the
//! verb `record`, independent of any backend.
//!
//! Records are only ever added. Each is identified by its origin and a reference, so that a
//! repeated report changes nothing.

use crate::delivery::{Delivery, DeliveryKind};
use crate::destination::DestinationId;
use crate::lead_key::LeadKey;
use serde::{Deserialize, Serialize};
use shared::deal::LedgerEntry;
use shared::ids::{LeadId, SiteId};
use shared::lead::{IdentityKind, Lead};
use shared::lifecycle::StageChange;
use shared::link::CrmLink;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// Something reported about a lead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A stage that the lead entered.
    Stage(StageChange),
    /// What became of one of its deals.
    Deal(LedgerEntry),
    /// The lead's record in a CRM.
    Link(CrmLink),
}

/// A record's id, unique within its lead: XXH3-128 of its type, origin and reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub(super) Uuid);

impl RecordId {
    /// Reads the 36-character hyphenated form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The id as the subject of a delivery.
    pub fn uuid(self) -> Uuid {
        self.0
    }

    /// The 36-character hyphenated form.
    pub fn to_text(self) -> String {
        self.0.hyphenated().to_string()
    }

    /// The 16 bytes used in store keys.
    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl Record {
    /// The record's id.
    pub fn id(&self) -> RecordId {
        let (kind, origin, reference) = match self {
            Self::Stage(change) => ("stage", change.by.to_string(), &change.reference),
            Self::Deal(entry) => ("deal", entry.source.to_string(), &entry.reference),
            Self::Link(link) => ("link", link.provider.clone(), &link.reference),
        };
        let hash = xxh3_128(format!("{kind}\0{origin}\0{reference}").as_bytes());
        RecordId(Uuid::from_u128(hash))
    }

    /// The identity that the lead can be found by from now on: one of its deals, or its record in a
    /// CRM.
    pub fn identity(&self) -> Option<(IdentityKind, String)> {
        match self {
            Self::Stage(_) => None,
            Self::Deal(entry) => {
                Some((IdentityKind::Deal, format!("{}:{}", entry.source, entry.deal)))
            }
            Self::Link(link) => Some((IdentityKind::CrmRecord, link.identity())),
        }
    }

    /// When it was recorded, Unix milliseconds.
    pub fn recorded_at_ms(&self) -> i64 {
        match self {
            Self::Stage(change) => change.recorded_at_ms,
            Self::Deal(entry) => entry.recorded_at_ms,
            Self::Link(link) => link.linked_at_ms,
        }
    }

    /// The kind of delivery that reports it, if any.
    pub fn delivered_as(&self) -> Option<DeliveryKind> {
        match self {
            Self::Stage(_) => Some(DeliveryKind::StageChanged),
            Self::Deal(_) => Some(DeliveryKind::Revenue),
            Self::Link(_) => None,
        }
    }

    /// Whether two records with the same id have the same content. When it was reported, and in
    /// what words, does not matter.
    fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stage(one), Self::Stage(other)) => one.to == other.to,
            (Self::Deal(one), Self::Deal(other)) => {
                (&one.deal, one.event, one.amount) == (&other.deal, other.event, other.amount)
            }
            (Self::Link(one), Self::Link(other)) => {
                (&one.object, &one.id) == (&other.object, &other.id)
            }
            _ => false,
        }
    }
}

/// A record to store.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The lead.
    pub lead: LeadId,
    /// What was reported.
    pub record: Record,
    /// The lead's record in a CRM, in the form of [`IdentityKind::CrmRecord`].
    pub crm_record: Option<String>,
    /// The destinations that get a delivery if the record is new. Links are never delivered.
    pub destinations: Vec<DestinationId>,
    /// When the deliveries fall due, Unix milliseconds.
    pub due_at_ms: i64,
}

/// A record that matches no lead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unmatched {
    /// The site.
    pub site: SiteId,
    /// The keys by which the lead was looked up.
    #[serde(rename = "names")]
    pub keys: Vec<LeadKey>,
    /// What was reported.
    pub record: Record,
    /// The CRM record that was reported with it.
    pub crm_record: Option<String>,
}

impl Unmatched {
    /// Its id: XXH3-128 of the record's id and the keys' texts.
    pub fn id(&self) -> RecordId {
        let keys: Vec<String> = self.keys.iter().map(LeadKey::to_string).collect();
        let keys = keys.join("\0");
        let hash = xxh3_128(&[self.record.id().as_bytes(), keys.as_bytes()].concat());
        RecordId(Uuid::from_u128(hash))
    }
}

/// The most unmatched records of one site: anyone who has a webhook's secret can send any number of
/// them.
pub const MOST_UNMATCHED: usize = 10_000;

/// Which of a site's unmatched records exceed the limit: the oldest. Takes the times and ids of
/// all.
pub(super) fn surplus(mut all: Vec<(i64, RecordId)>) -> Vec<RecordId> {
    all.sort_unstable();
    let too_many = all.len().saturating_sub(MOST_UNMATCHED);
    all.into_iter().take(too_many).map(|(_, id)| id).collect()
}

/// The result of storing a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// It is stored.
    Stored {
        /// Whether it was already stored before.
        repeated: bool,
    },
    /// The reference is already used for a different report.
    ReferenceUsed,
    /// The deal or the CRM record belongs to another lead.
    IdentityTaken(IdentityKind, LeadId),
    /// There is no such lead.
    NoLead,
}

/// The lead that a record is stored with: of the lead and those merged into it the one that has the
/// record's deal or else its CRM record, so that all of them stay together if a merge is undone.
pub(super) fn place(lead: &Lead, owners: &[(IdentityKind, Option<LeadId>)]) -> LeadId {
    let mut owners = owners.iter().rev().filter_map(|(_, owner)| *owner);
    owners.find(|owner| lead.answers_for(*owner)).unwrap_or(lead.id)
}

impl NewRecord {
    /// The identities that the lead can be found by from now on.
    pub(super) fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> {
        let crm_record = self.crm_record.clone().map(|value| (IdentityKind::CrmRecord, value));
        let of_record = self.record.identity().filter(|own| Some(own) != crm_record.as_ref());
        crm_record.into_iter().chain(of_record)
    }

    /// The deliveries to make if the record is new.
    pub(super) fn deliveries(&self, lead: &Lead) -> Vec<Delivery> {
        let Some(kind) = self.record.delivered_as() else { return Vec::new() };
        let (event, recorded_at_ms) = ((kind, self.record.id().0), self.record.recorded_at_ms());
        let deliver = |destination: &DestinationId| {
            Delivery::new(lead, destination.clone(), event, recorded_at_ms, self.due_at_ms)
        };
        self.destinations.iter().map(deliver).collect()
    }

    /// Decides the result, given the record stored under the same id and the owners of its
    /// identities. If it is kept and not repeated, the caller writes the record, the identities
    /// that nobody owns, and the deliveries.
    pub(super) fn decide(
        &self,
        lead: &Lead,
        stored: Option<&Record>,
        owners: &[(IdentityKind, Option<LeadId>)],
    ) -> Recorded {
        if let Some(stored) = stored {
            return match stored.says_the_same(&self.record) {
                true => Recorded::Stored { repeated: true },
                false => Recorded::ReferenceUsed,
            };
        }
        let other = owners.iter().find_map(|(kind, owner)| {
            let other = owner.filter(|owner| !lead.answers_for(*owner));
            other.map(|owner| Recorded::IdentityTaken(*kind, owner))
        });
        other.unwrap_or(Recorded::Stored { repeated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::lead::Merge;
    use shared::lifecycle::{Origin, Stage};

    fn stage(to: Stage, by: Origin, reference: &str) -> Record {
        let (entered_at_ms, recorded_at_ms, reason) = (1, 2, None);
        let reference = reference.into();
        Record::Stage(StageChange { to, entered_at_ms, recorded_at_ms, by, reason, reference })
    }

    #[test]
    fn the_oldest_unmatched_records_are_too_many() {
        let id = |number: usize| RecordId(Uuid::from_u128(number as u128));
        // The latest has the lowest id.
        let all = |count: usize| (0..count).map(|number| (-(number as i64), id(number))).collect();
        assert_eq!(surplus(all(MOST_UNMATCHED)), []);
        let expected = [MOST_UNMATCHED + 1, MOST_UNMATCHED].map(id);
        assert_eq!(surplus(all(MOST_UNMATCHED + 2)), expected);
    }

    #[test]
    fn ids_are_of_origin_and_reference() {
        let id = |by, reference| stage(Stage::Mql, by, reference).id();
        assert_eq!(id(Origin::Api, "a"), stage(Stage::Sql, Origin::Api, "a").id());
        assert_ne!(id(Origin::Api, "a"), id(Origin::Api, "b"));
        assert_ne!(id(Origin::Api, "a"), id(Origin::Crm("api".into()), "a"));
    }

    fn new(record: Record, crm_record: Option<&str>) -> NewRecord {
        let (lead, crm_record) = (LeadId::new(0, [1; 10]), crm_record.map(Into::into));
        NewRecord { lead, record, crm_record, destinations: vec!["crm".into()], due_at_ms: 9 }
    }

    fn link(id: &str, url: Option<&str>) -> Record {
        Record::Link(CrmLink {
            provider: "hubspot".into(),
            object: "contact".into(),
            id: id.into(),
            url: url.map(Into::into),
            linked_at_ms: 1,
            reference: "a".into(),
        })
    }

    #[test]
    fn what_becomes_of_records() {
        let id = |number: u8| LeadId::new(0, [number; 10]);
        let mut lead = Lead::new(id(1), SiteId::parse("demo").unwrap(), 0);
        let merged = Lead::new(id(3), lead.site.clone(), 0);
        lead.merges.push(Merge::of(&merged, 0, String::new()));
        let check = |record: &Record, stored: Option<Record>, owner: Option<u8>, expected| {
            let owners = [(IdentityKind::CrmRecord, owner.map(id))];
            let new = new(record.clone(), None);
            assert_eq!(new.decide(&lead, stored.as_ref(), &owners), expected);
            let place = id(if owner == Some(3) { 3 } else { 1 });
            assert_eq!(super::place(&lead, &owners), place);
        };
        // A deal of its own with the CRM record of a merged lead.
        let owners = [(IdentityKind::CrmRecord, Some(id(3))), (IdentityKind::Deal, Some(id(1)))];
        assert_eq!(place(&lead, &owners), id(1));
        let taken = Recorded::IdentityTaken(IdentityKind::CrmRecord, id(2));
        let mql = stage(Stage::Mql, Origin::Api, "a");
        check(&mql, None, None, Recorded::Stored { repeated: false });
        check(&mql, None, Some(1), Recorded::Stored { repeated: false });
        check(&mql, None, Some(2), taken);
        // Merged into the lead.
        check(&mql, None, Some(3), Recorded::Stored { repeated: false });
        check(&mql, Some(mql.clone()), Some(2), Recorded::Stored { repeated: true });
        let sql = stage(Stage::Sql, Origin::Api, "a");
        check(&mql, Some(sql), None, Recorded::ReferenceUsed);
        let linked = link("1", None);
        check(&linked, None, Some(2), taken);
        let seen = link("1", Some("https://crm.test/1"));
        check(&linked, Some(seen), None, Recorded::Stored { repeated: true });
        check(&linked, Some(link("2", None)), None, Recorded::ReferenceUsed);
    }

    #[test]
    fn what_is_claimed_and_handed_off() {
        let lead = Lead::new(LeadId::new(0, [1; 10]), SiteId::parse("demo").unwrap(), 0);
        let check = |record: Record, crm: Option<&str>, identities: &[&str], kind| {
            let (new, subject) = (new(record.clone(), crm), record.id().0);
            let claimed: Vec<String> = new.identities().map(|(_, value)| value).collect();
            assert_eq!(claimed, identities);
            let deliveries = new.deliveries(&lead);
            let delivered = deliveries.first().map(|delivery| (delivery.kind, delivery.subject));
            assert_eq!(delivered, Option::<DeliveryKind>::map(kind, |kind| (kind, subject)));
            assert!(
                deliveries.iter().all(|delivery| (delivery.due_at_ms, delivery.attempts) == (9, 0))
            );
        };
        let mql = || stage(Stage::Mql, Origin::Api, "a");
        check(mql(), None, &[], Some(DeliveryKind::StageChanged));
        check(mql(), Some("a:b:c"), &["a:b:c"], Some(DeliveryKind::StageChanged));
        check(link("7", None), None, &["hubspot:contact:7"], None);
        check(link("7", None), Some("hubspot:contact:7"), &["hubspot:contact:7"], None);
        check(link("7", None), Some("a:b:c"), &["a:b:c", "hubspot:contact:7"], None);
    }
}
