//! Why a reported stage or deal was not recorded.

use clew_store::StoreError;
use shared::ids::LeadId;
use shared::lead::IdentityKind;
use std::fmt::Display;

/// Why a report was not recorded. The error never quotes the report.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The body cannot be read.
    #[error("{0}.")]
    Malformed(String),
    /// The body can be read, but a value in it is not valid.
    #[error("{0}.")]
    Invalid(String),
    /// The report matches no lead; it was stored as an unmatched record.
    #[error("no lead matches; the record was kept as unmatched")]
    Unmatched,
    /// The lead no longer exists.
    #[error("There is no such lead.")]
    NoLead,
    /// The reference was already used for a different record.
    #[error("This reference was used for a different record; use a new one.")]
    ReferenceUsed,
    /// The deal or CRM record already belongs to another lead.
    #[error("This {what} already belongs to the lead {1}.", what = what(*.0))]
    IdentityTaken(IdentityKind, LeadId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn what(kind: IdentityKind) -> &'static str {
    match kind {
        IdentityKind::Deal => "deal",
        _ => "CRM record",
    }
}

/// An error about one member of the body.
pub(super) fn invalid(member: &str, error: impl Display) -> FeedbackError {
    FeedbackError::Invalid(format!("{member}: {error}"))
}
