//! Identities: what a lead is found by, or suggested by.

use serde::{Deserialize, Serialize};

/// The kinds of identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// An e-mail address in lower case.
    Email,
    /// An E.164 phone number.
    Phone,
    /// A CRM record: `provider:type:id`.
    CrmRecord,
    /// A deal: `provider:id`.
    Deal,
    /// A name. It finds nobody; it only suggests that two leads are one person.
    Name,
    /// What is before the `@` of an e-mail address. It finds nobody, either.
    Mailbox,
}

impl IdentityKind {
    /// The name used in keys and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::CrmRecord => "crm",
            Self::Deal => "deal",
            Self::Name => "name",
            Self::Mailbox => "mailbox",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        let all =
            [Self::Email, Self::Phone, Self::CrmRecord, Self::Deal, Self::Name, Self::Mailbox];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}
