//! The CRMs that fields can be named for, and the words that stand for them.

use std::str::FromStr;

/// Where leads are handed to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names are the vendors' own")]
pub enum Crm {
    Hubspot,
    Salesforce,
    Pipedrive,
    Zoho,
    Monday,
    Acton,
    Waalaxy,
    /// Any signed webhook: our own names and values.
    Webhook,
}

/// A name that no CRM has. Never quotes it: who shows the error names its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a supported CRM; use one of {names}", names = names())]
pub struct UnknownCrm;

fn names() -> String {
    Crm::ALL.map(Crm::as_str).join(", ")
}

impl FromStr for Crm {
    type Err = UnknownCrm;

    fn from_str(text: &str) -> Result<Self, UnknownCrm> {
        let found = Self::ALL.into_iter().find(|crm| crm.as_str() == text);
        found.ok_or(UnknownCrm)
    }
}

impl Crm {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Hubspot,
        Self::Salesforce,
        Self::Pipedrive,
        Self::Zoho,
        Self::Monday,
        Self::Acton,
        Self::Waalaxy,
        Self::Webhook,
    ];

    /// The word in data and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
            Self::Pipedrive => "pipedrive",
            Self::Zoho => "zoho",
            Self::Monday => "monday",
            Self::Acton => "acton",
            Self::Waalaxy => "waalaxy",
            Self::Webhook => "webhook",
        }
    }
}
