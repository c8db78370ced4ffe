//! The keys by which a lead can be looked up.

use serde::{Deserialize, Serialize};
use shared::ids::LeadId;
use shared::lead::{Country, IdentityKind, e164, email_identity};
use shared::lifecycle::Origin;
use std::fmt;

/// A key that names a lead. Its text form is `UUID`, `email:ADDRESS`, `phone:NUMBER`,
/// `crm:PROVIDER:TYPE:ID` or `deal:SOURCE:ID`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LeadKey {
    /// The lead's id.
    Id(LeadId),
    /// An e-mail address, as written.
    Email(String),
    /// A phone number, as written.
    Phone(String),
    /// The lead's record in a CRM: `PROVIDER:TYPE:ID`.
    CrmRecord(String),
    /// One of the lead's deals: `SOURCE:ID`.
    Deal(String),
    /// Any other text: an id in another spelling, or something that names no lead.
    Unparsed(String),
}

impl LeadKey {
    /// A key for a CRM record.
    pub fn crm_record(provider: &str, object: &str, id: &str) -> Self {
        Self::CrmRecord(format!("{provider}:{object}:{id}"))
    }

    /// A key for a deal, by its id in the system that reported it.
    pub fn deal(source: &Origin, id: &str) -> Self {
        Self::Deal(format!("{source}:{id}"))
    }

    /// The lead's id in any spelling, if the key is one.
    pub fn id(&self) -> Option<LeadId> {
        match self {
            Self::Id(lead) => Some(*lead),
            Self::Unparsed(text) => LeadId::parse(text),
            Self::Email(_) | Self::Phone(_) | Self::CrmRecord(_) | Self::Deal(_) => None,
        }
    }

    /// The identity that the store knows the lead by, normalised; `None` for an id and for values
    /// that cannot identify anyone. A phone number without a country code is read as one of
    /// `country`.
    pub fn identity(&self, country: Option<Country>) -> Option<(IdentityKind, String)> {
        match self {
            Self::Email(email) => email_identity(email).map(|value| (IdentityKind::Email, value)),
            Self::Phone(phone) => e164(phone, country).map(|value| (IdentityKind::Phone, value)),
            Self::CrmRecord(record) => Some((IdentityKind::CrmRecord, record.clone())),
            Self::Deal(deal) => Some((IdentityKind::Deal, deal.clone())),
            Self::Id(_) | Self::Unparsed(_) => None,
        }
    }
}

impl From<&str> for LeadKey {
    fn from(text: &str) -> Self {
        match text.split_once(':') {
            Some(("email", email)) => Self::Email(email.to_owned()),
            Some(("phone", phone)) => Self::Phone(phone.to_owned()),
            Some(("crm", record)) => Self::CrmRecord(record.to_owned()),
            Some(("deal", deal)) => Self::Deal(deal.to_owned()),
            // Another spelling of an id keeps its text, because the ids of unmatched records
            // include it.
            _ => match LeadId::parse(text).filter(|lead| lead.to_text() == text) {
                Some(lead) => Self::Id(lead),
                None => Self::Unparsed(text.to_owned()),
            },
        }
    }
}

impl From<String> for LeadKey {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<LeadKey> for String {
    fn from(key: LeadKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for LeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(lead) => lead.fmt(f),
            Self::Email(email) => write!(f, "email:{email}"),
            Self::Phone(phone) => write!(f, "phone:{phone}"),
            Self::CrmRecord(record) => write!(f, "crm:{record}"),
            Self::Deal(deal) => write!(f, "deal:{deal}"),
            Self::Unparsed(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_identities() {
        use IdentityKind::{CrmRecord, Deal, Email, Phone};
        let id = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";
        let upper = "0197A2B4-7C1E-7D8A-9F00-5B2F6F1F0C11";
        for (text, expected) in [
            (id, None),
            (upper, None),
            ("email: A@B.example ", Some((Email, "a@b.example"))),
            ("email:nobody", None),
            ("phone:06 12 34 56 78", Some((Phone, "+33612345678"))),
            ("crm:hubspot:contact:151", Some((CrmRecord, "hubspot:contact:151"))),
            ("deal:hubspot:7", Some((Deal, "hubspot:7"))),
            ("anything", None),
            ("other:thing", None),
        ] {
            let key = LeadKey::from(text);
            let found = key.identity("FR".to_owned().try_into().ok());
            assert_eq!(found.as_ref().map(|(kind, value)| (*kind, value.as_str())), expected);
            assert_eq!(
                (key.to_string().as_str(), key.id().is_some()),
                (text, text.eq_ignore_ascii_case(id))
            );
        }
        assert_eq!(LeadKey::from(id), LeadKey::Id(LeadId::parse(id).unwrap()));
        assert_eq!(LeadKey::crm_record("a", "b", "c"), "crm:a:b:c".into());
        assert_eq!(LeadKey::deal(&Origin::Crm("sales".into()), "7"), "deal:crm:sales:7".into());
    }
}
