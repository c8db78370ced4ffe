//! Why something that was reported of a lead was not kept.

use clew_store::StoreError;
use shared::ids::LeadId;
use shared::lead::IdentityKind;
use std::fmt::Display;

/// What is wrong with a report. It never quotes the report.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// It cannot be read.
    #[error("{0}.")]
    Malformed(String),
    /// It can be read and cannot be.
    #[error("{0}.")]
    Invalid(String),
    /// It names no lead that is known. It was kept, and is listed as unmatched.
    #[error("no lead matches; the record was kept as unmatched")]
    Unmatched,
    /// The lead has gone meanwhile.
    #[error("There is no such lead.")]
    NoLead,
    /// Its reference was used for something else.
    #[error("This reference was used for something else; use a new one.")]
    ReferenceUsed,
    /// Its deal, or its record of a CRM, is another lead's.
    #[error("This {what} is that of the lead {1}.", what = what(*.0))]
    Taken(IdentityKind, LeadId),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn what(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Deal => "deal",
        IdentityKind::Email | IdentityKind::Phone | IdentityKind::CrmRecord => "record of the CRM",
    }
}

/// What is wrong with one member.
pub(super) fn invalid(member: &str, error: impl Display) -> FeedbackError {
    FeedbackError::Invalid(format!("{member}: {error}"))
}
