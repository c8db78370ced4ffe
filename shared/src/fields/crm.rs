//! The CRMs that fields can be named for, and their names in Clew.

use std::str::FromStr;

/// A system that receives leads.
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
    /// Any signed webhook; it gets Clew's own names and values.
    Webhook,
}

/// The error of an unknown CRM name. It never quotes the name; the caller that shows the error adds
/// where it was.
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
    /// All of them.
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

    /// The name used in data and in the API.
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
