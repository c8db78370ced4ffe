//! What is told of a lead after it converted, and when it is kept: the one definition of the verb
//! `record`, without any store.
//!
//! Records are only added. Each is known by its origin and a reference, so that telling it again
//! changes nothing.

use serde::{Deserialize, Serialize};
use shared::deal::LedgerEntry;
use shared::ids::{LeadId, SiteId};
use shared::lead::IdentityKind;
use shared::lifecycle::StageChange;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// Something that was told of a lead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A stage that it entered.
    Stage(StageChange),
    /// What became of a deal of it.
    Deal(LedgerEntry),
}

/// A record's id among those of its lead: XXH3-128 of what it is, origin and reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub(super) Uuid);

impl RecordId {
    /// Reads the 36-character hyphenated form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// The 36-character hyphenated form.
    pub fn to_text(self) -> String {
        self.0.hyphenated().to_string()
    }

    /// The 16 bytes that stand in store keys.
    pub(super) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl Record {
    /// Its id.
    pub fn id(&self) -> RecordId {
        let (kind, origin, reference) = match self {
            Self::Stage(change) => ("stage", &change.by, &change.reference),
            Self::Deal(entry) => ("deal", &entry.source, &entry.reference),
        };
        let hash = xxh3_128(format!("{kind}\0{origin}\0{reference}").as_bytes());
        RecordId(Uuid::from_u128(hash))
    }

    /// The identity of the deal that it is about.
    pub fn deal(&self) -> Option<String> {
        match self {
            Self::Stage(_) => None,
            Self::Deal(entry) => Some(format!("{}:{}", entry.source, entry.deal)),
        }
    }

    /// Whether two records under one id say the same. When it was told, and in what words, does not
    /// matter.
    fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stage(one), Self::Stage(other)) => one.to == other.to,
            (Self::Deal(one), Self::Deal(other)) => {
                (&one.deal, one.event, one.amount) == (&other.deal, other.event, other.amount)
            }
            _ => false,
        }
    }
}

/// A record to be kept.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Of whom.
    pub lead: LeadId,
    /// What was told.
    pub record: Record,
    /// The record of a CRM that the lead is, in the form of [`IdentityKind::CrmRecord`].
    pub crm_record: Option<String>,
}

/// Something that was told of somebody whom no lead was known for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unmatched {
    /// Where.
    pub site: SiteId,
    /// The names that were told, in the form in which a lead is asked for.
    pub names: Vec<String>,
    /// What was told.
    pub record: Record,
    /// The record of a CRM that was told with it.
    pub crm_record: Option<String>,
}

impl Unmatched {
    /// Its id: XXH3-128 of the names and of the record's id.
    pub fn id(&self) -> RecordId {
        let names = self.names.join("\0");
        let hash = xxh3_128(&[self.record.id().as_bytes(), names.as_bytes()].concat());
        RecordId(Uuid::from_u128(hash))
    }
}

/// What became of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    /// It is kept; `repeated` where it was before.
    Kept {
        /// Whether it had been told before.
        repeated: bool,
    },
    /// The reference was used for something else.
    ReferenceUsed,
    /// The deal, or the CRM's record, is another lead's.
    Taken(IdentityKind, LeadId),
    /// There is no such lead.
    NoLead,
}

impl NewRecord {
    /// What the lead can be found by from now on.
    pub(super) fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> {
        let crm_record = self.crm_record.clone().map(|value| (IdentityKind::CrmRecord, value));
        crm_record.into_iter().chain(self.record.deal().map(|deal| (IdentityKind::Deal, deal)))
    }

    /// What becomes of it, given what is stored under its id and whose its identities are. It is to be
    /// written where it is kept and not repeated, together with the identities that nobody has.
    pub(super) fn decide(
        &self,
        stored: Option<&Record>,
        owners: &[(IdentityKind, Option<LeadId>)],
    ) -> Recorded {
        if let Some(stored) = stored {
            return match stored.says_the_same(&self.record) {
                true => Recorded::Kept { repeated: true },
                false => Recorded::ReferenceUsed,
            };
        }
        let other = owners.iter().find_map(|(kind, owner)| {
            owner.filter(|owner| *owner != self.lead).map(|owner| Recorded::Taken(*kind, owner))
        });
        other.unwrap_or(Recorded::Kept { repeated: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::lifecycle::{Origin, Stage};

    fn stage(to: Stage, by: Origin, reference: &str) -> Record {
        let (entered_at_ms, recorded_at_ms, reason) = (1, 2, None);
        let reference = reference.into();
        Record::Stage(StageChange { to, entered_at_ms, recorded_at_ms, by, reason, reference })
    }

    #[test]
    fn ids_are_of_origin_and_reference() {
        let id = |by, reference| stage(Stage::Mql, by, reference).id();
        assert_eq!(id(Origin::Api, "a"), stage(Stage::Sql, Origin::Api, "a").id());
        assert_ne!(id(Origin::Api, "a"), id(Origin::Api, "b"));
        assert_ne!(id(Origin::Api, "a"), id(Origin::Crm("api".into()), "a"));
    }

    #[test]
    fn what_becomes_of_records() {
        let id = |number: u8| LeadId::new(0, [number; 10]);
        let record = stage(Stage::Mql, Origin::Api, "a");
        let new = NewRecord { lead: id(1), record, crm_record: None };
        let check = |stored: Option<Stage>, owner: Option<u8>, expected: Recorded| {
            let stored = stored.map(|to| stage(to, Origin::Api, "a"));
            let owners = [(IdentityKind::CrmRecord, owner.map(id))];
            assert_eq!(new.decide(stored.as_ref(), &owners), expected);
        };
        check(None, None, Recorded::Kept { repeated: false });
        check(None, Some(1), Recorded::Kept { repeated: false });
        check(None, Some(2), Recorded::Taken(IdentityKind::CrmRecord, id(2)));
        check(Some(Stage::Mql), Some(2), Recorded::Kept { repeated: true });
        check(Some(Stage::Sql), None, Recorded::ReferenceUsed);
    }
}
