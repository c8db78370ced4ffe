//! Merges of leads, and leads that may be one person, in JSON.

use crate::loose::text;
use crate::{Lead, Timestamp};
use serde::{Deserialize, Serialize};
use shared::ids::LeadId;
use shared::lead::{self, LikeBy};
use utoipa::ToSchema;

/// The body of `POST /v1/leads/{lead}/merge`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MergeRequest {
    /// The lead to merge: its id, or another way to name it, as in the path.
    #[serde(default, deserialize_with = "text")]
    #[schema(example = "email:lead@example.org", required = true, value_type = String)]
    pub lead: Option<String>,
}

/// A lead that was merged into another one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Merge<'a> {
    /// The lead. Its id finds the surviving lead until the merge is undone.
    pub lead: LeadId,
    /// When it was merged.
    pub merged_at: Timestamp,
    /// The name of the API key that merged it.
    pub by: &'a str,
    /// When that was undone; `null` if it is still merged.
    #[schema(required = true)]
    pub undone_at: Option<Timestamp>,
}

impl<'a> Merge<'a> {
    /// `None` if it names no lead.
    pub(crate) fn of(merge: &'a lead::Merge) -> Option<Self> {
        Some(Self {
            lead: merge.lead()?,
            merged_at: Timestamp(merge.merged_at_ms),
            by: &merge.by,
            undone_at: merge.undone_at_ms.map(Timestamp),
        })
    }
}

/// Two leads that may be one person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Duplicate<'a> {
    /// The lead at which it was noticed.
    pub lead: Lead<'a>,
    /// The other lead.
    pub other: Lead<'a>,
    /// What they have in common.
    pub reasons: Vec<LikeBy>,
}

/// The response to `GET /v1/duplicates`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Duplicates<'a> {
    /// The pairs, newest lead first.
    pub duplicates: Vec<Duplicate<'a>>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}
