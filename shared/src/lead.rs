//! The person: contact, lead, conversion, and how a visitor is joined to a lead.
//!
//! Plain data that the store keeps. The store decides in one atomic step what a conversion changes;
//! [`crate::fields`] derives what readers see.

mod contact;
mod email;
mod identity;
mod likeness;
mod merge;
mod name;
mod phone;
mod raw;
mod text;

pub use contact::{Contact, ContactError, NormalContact};
pub use email::email_identity;
pub use identity::IdentityKind;
pub use likeness::{LikeBy, Likeness};
pub use merge::Merge;
pub use name::{NameParts, parts as name_parts};
pub use phone::{Country, CountryError, e164};
pub use raw::{RawReason, RawValue};

use crate::context::VisitorContext;
use crate::ids::{ConversionId, LeadId, SiteId, VisitorId};
use crate::limits;
use serde::{Deserialize, Serialize};

/// The kind of conversion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ConversionKind {
    /// A form was sent.
    #[default]
    Form,
    /// A phone call.
    Call,
    /// A chat.
    Chat,
    /// A booking.
    Booking,
    /// An import from a file.
    Import,
    /// Reported by a program through the API.
    Api,
}

/// Whether the journey of a conversion is known, and if not, why. docs/forms.md explains each
/// value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum JourneyState {
    /// The visitor's page views are known.
    Known,
    /// The form handler named no visitor.
    NoVisitor,
    /// It named a visitor that never reported a page view, or none that belongs to this lead.
    UnknownVisitor,
    /// Its token was forged, damaged or from another site.
    BadToken,
    /// Its visitor was not a UUID.
    InvalidVisitor,
    /// The join of its visitor was undone. Used for a lead's history, never for a conversion.
    Undone,
}

/// A form, call, chat, booking, import or API call that names a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conversion {
    /// Its own id.
    pub id: ConversionId,
    /// Its number among the lead's conversions, from 1; assigned by the store.
    pub number: u32,
    /// When the collector received it, Unix milliseconds.
    pub at_ms: i64,
    /// Its kind.
    pub kind: ConversionKind,
    /// The browser that it came from.
    pub visitor: Option<VisitorId>,
    /// Whether its journey is known, and if not, why.
    pub journey: JourneyState,
    /// The contact as this conversion reported it.
    pub contact: Contact,
    /// The form's id.
    pub form_id: Option<String>,
    /// The form's display name.
    pub form_name: Option<String>,
    /// The URL of the form's page.
    pub page_url: Option<String>,
    /// The title of that page.
    pub page_title: Option<String>,
    /// What the visitor's browser had reported about itself by then, if known.
    pub context: Option<VisitorContext>,
    /// Values of the contact that could not be used, as typed.
    #[serde(default)]
    pub raw: Vec<RawValue>,
}

/// How a conversion identified its browser.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum NamedBy {
    /// By the form's sealed token.
    Token,
    /// By the cookie's value, as sent by the form handler.
    Cookie,
    /// By the page itself, with `clew('identify', …)`.
    Page,
    /// By the page, with the site's signature of the contact.
    Signed,
}

/// How a conversion's person was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FoundBy {
    /// Not found: no lead had this e-mail or phone.
    New,
    /// By the e-mail.
    Email,
    /// By the phone.
    Phone,
}

/// The evidence that joined a browser to a lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JoinEvidence {
    /// How the person was found.
    pub person: FoundBy,
    /// How the browser was identified.
    pub visitor: NamedBy,
}

/// A visitor's membership in a lead. A browser's valid memberships follow each other without a gap:
/// each begins where the previous one ends, and the last has no end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Join {
    /// The browser.
    pub visitor: VisitorId,
    /// When it was joined, Unix milliseconds.
    pub joined_at_ms: i64,
    /// The conversion that joined it.
    pub conversion: ConversionId,
    /// The evidence.
    pub by: JoinEvidence,
    /// Set if the browser was another lead's before: only what came from this time on belongs to
    /// this lead.
    pub from_ms: Option<i64>,
    /// Set if what the browser did before that is shown for this lead as well, from this time on:
    /// the visit in which the person converted may have begun before.
    #[serde(default)]
    pub shown_from_ms: Option<i64>,
    /// The lead that it was taken from and goes back to if this join is undone. `None` also if that
    /// lead's own membership was undone since.
    pub from_lead: Option<LeadId>,
    /// Set if the browser became another lead's: only what came before this time belongs to this
    /// lead.
    pub until_ms: Option<i64>,
    /// The lead that it went to, unless that has been undone.
    pub until_lead: Option<LeadId>,
    /// When the membership was undone, Unix milliseconds. From then on nothing of the browser
    /// belongs to this lead through it.
    pub undone_at_ms: Option<i64>,
}

impl Join {
    /// The membership of a browser that no lead had before.
    pub fn new(visitor: VisitorId, conversion: &Conversion, by: JoinEvidence) -> Self {
        Self {
            visitor,
            joined_at_ms: conversion.at_ms,
            conversion: conversion.id,
            by,
            from_ms: None,
            shown_from_ms: None,
            from_lead: None,
            until_ms: None,
            until_lead: None,
            undone_at_ms: None,
        }
    }

    /// Whether it has not been undone.
    pub fn is_valid(&self) -> bool {
        self.undone_at_ms.is_none()
    }

    /// Whether what the browser did at this time (Unix milliseconds) belongs to this membership, or
    /// is shown for it.
    pub fn holds(&self, at_ms: i64) -> bool {
        let from_ms =
            self.from_ms.map(|from_ms| self.shown_from_ms.unwrap_or(from_ms).min(from_ms));
        self.is_valid()
            && from_ms.is_none_or(|from_ms| at_ms >= from_ms)
            && self.until_ms.is_none_or(|until_ms| at_ms < until_ms)
    }
}

/// How far a lead is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeadStatus {
    /// It came with an API key, from a form handler, CRM or program, or with the site's signature.
    #[default]
    Verified,
    /// Proposed by a page only. It cannot be found by e-mail or phone, and takes nothing from
    /// verified leads.
    Proposed,
    /// Proposed by a page; later confirmed with a key and made this lead.
    Confirmed(LeadId),
    /// Merged into this lead, which answers for it.
    Merged(LeadId),
}

impl LeadStatus {
    /// The lead that answers for this one, if that is another.
    pub fn answered_by(self) -> Option<LeadId> {
        match self {
            Self::Verified | Self::Proposed => None,
            Self::Confirmed(lead) | Self::Merged(lead) => Some(lead),
        }
    }
}

/// A person, with the visitors joined to it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lead {
    /// The external id in every CRM.
    pub id: LeadId,
    /// Its site.
    pub site: SiteId,
    /// When it first converted, Unix milliseconds.
    pub created_at_ms: i64,
    /// When it last converted, Unix milliseconds.
    pub converted_at_ms: i64,
    /// The newest value of each contact field.
    pub contact: Contact,
    /// All joins to browsers, including those undone.
    pub joins: Vec<Join>,
    /// The number of its conversions.
    pub conversions: u32,
    /// How many of them only a page reported.
    #[serde(default)]
    pub page_conversions: u32,
    /// How far it is verified.
    #[serde(default, rename = "standing")]
    pub status: LeadStatus,
    /// Other leads with one of its phone numbers and another e-mail, at most
    /// `limits::PHONE_SHARED_WITH`. The number then identifies nobody.
    #[serde(default)]
    pub phone_shared_with: Vec<LeadId>,
    /// The leads that were merged into this one, including those taken out again.
    #[serde(default)]
    pub merges: Vec<Merge>,
    /// Older leads that may be the same person, at most `limits::LEAD_LIKENESSES`.
    #[serde(default)]
    pub likenesses: Vec<Likeness>,
}

/// What a second lead in one browser shows of what the browser did before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedBrowser {
    /// The visit in which the person converted, and, if nothing shows where that came from, the
    /// browser's last touch that does.
    #[default]
    Visit,
    /// Everything.
    Whole,
    /// Nothing.
    None,
}

impl Lead {
    /// A verified lead of whom nothing else is known yet, as of its first conversion.
    pub fn new(id: LeadId, site: SiteId, created_at_ms: i64) -> Self {
        Self {
            id,
            site,
            created_at_ms,
            converted_at_ms: created_at_ms,
            contact: Contact::default(),
            joins: Vec::new(),
            conversions: 0,
            page_conversions: 0,
            status: LeadStatus::Verified,
            phone_shared_with: Vec::new(),
            merges: Vec::new(),
            likenesses: Vec::new(),
        }
    }

    /// Notes that another lead with another e-mail has one of its numbers.
    pub fn share_phone(&mut self, other: LeadId) {
        let has_room = self.phone_shared_with.len() < limits::PHONE_SHARED_WITH;
        if has_room && other != self.id && !self.phone_shared_with.contains(&other) {
            self.phone_shared_with.push(other);
        }
    }

    /// The memberships that have not been undone.
    pub fn valid_joins(&self) -> impl DoubleEndedIterator<Item = &Join> {
        self.joins.iter().filter(|join| join.is_valid())
    }

    /// Whether a browser was joined to the lead and every such join has been undone.
    pub fn has_lost(&self, visitor: VisitorId) -> bool {
        let mut joins = self.joins.iter().filter(|join| join.visitor == visitor).peekable();
        joins.peek().is_some() && joins.all(|join| !join.is_valid())
    }
}
