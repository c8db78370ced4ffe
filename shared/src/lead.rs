//! The person: contact, lead, conversion, and how a visitor came to belong to a lead.
//!
//! Plain data that the store keeps; what a conversion does to it is decided in the store's one
//! atomic step, what a reader sees of it is made in [`crate::fields`].

mod contact;
mod phone;

pub use contact::{Contact, ContactError, IdentityKind, email_identity};
pub use phone::{Country, CountryError, e164};

use crate::context::VisitorContext;
use crate::ids::{ConversionId, LeadId, SiteId, VisitorId};
use serde::{Deserialize, Serialize};

/// What kind of act made the conversion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversionKind {
    /// A form was sent.
    #[default]
    Form,
    /// Somebody rang.
    Call,
    /// A chat.
    Chat,
    /// A booking.
    Booking,
    /// Read from a file.
    Import,
    /// Told by a program.
    Api,
}

/// Whether the journey behind a conversion is known, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JourneyState {
    /// The visitor's page views are there.
    Known,
    /// The form handler named no visitor.
    NoVisitor,
    /// It named one that never reported a page view.
    UnknownVisitor,
    /// Its token was forged, damaged or of another site.
    BadToken,
    /// Its visitor was no UUID.
    InvalidVisitor,
    /// Its visitor was taken from the lead again. Said of a lead's history, never of a conversion.
    Undone,
}

/// A form, a call, a chat, a booking, an import or an API call that names a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conversion {
    /// Its own id.
    pub id: ConversionId,
    /// Its place among the lead's conversions, from 1; given by the store.
    pub number: u32,
    /// When the collector received it, Unix milliseconds.
    pub at_ms: i64,
    /// What made it.
    pub kind: ConversionKind,
    /// The browser that it came from.
    pub visitor: Option<VisitorId>,
    /// Whether its journey is known.
    pub journey: JourneyState,
    /// The contact as this conversion told it.
    pub contact: Contact,
    /// The form's id.
    pub form_id: Option<String>,
    /// The form's name for people.
    pub form_name: Option<String>,
    /// The form's page.
    pub page_url: Option<String>,
    /// That page's title.
    pub page_title: Option<String>,
    /// What the visitor's browser had said of itself by then, where it is known.
    pub context: Option<VisitorContext>,
}

/// By what a conversion named its browser.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// The sealed token of the form.
    Token,
    /// The cookie's value, as the form handler sent it.
    Cookie,
    /// The page itself, by `clew('identify', …)`.
    Page,
    /// The page, with the site's signature of who it is.
    Signed,
}

/// By what a conversion's person was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// By nothing: nobody with this e-mail or phone was known.
    New,
    /// The e-mail.
    Email,
    /// The phone.
    Phone,
}

/// What tied a browser to a lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JoinEvidence {
    /// By what the person was found.
    pub person: FoundBy,
    /// By what the browser was named.
    pub visitor: NamedBy,
}

/// A visitor's membership in a lead. Of one browser's memberships that are not undone, each begins
/// where the one before it ends, and the last has no end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Join {
    /// The browser.
    pub visitor: VisitorId,
    /// When it was joined, Unix milliseconds.
    pub joined_at_ms: i64,
    /// The conversion that joined it.
    pub conversion: ConversionId,
    /// What tied the two.
    pub by: JoinEvidence,
    /// Where the browser was another lead's before: only what came from this moment on is this
    /// lead's.
    pub from_ms: Option<i64>,
    /// The lead that it was taken from, and goes back to should this be undone; `None` too where
    /// that lead's own membership was undone since.
    pub from_lead: Option<LeadId>,
    /// Where the browser became another lead's: only what came before this moment is this lead's.
    pub until_ms: Option<i64>,
    /// The lead that it became, where that has not been undone.
    pub until_lead: Option<LeadId>,
    /// When the membership was undone, Unix milliseconds: from then on nothing of the browser is
    /// this lead's by it.
    pub undone_at_ms: Option<i64>,
}

impl Join {
    /// Of a browser that nobody had before.
    pub fn new(visitor: VisitorId, conversion: &Conversion, by: JoinEvidence) -> Self {
        Self {
            visitor,
            joined_at_ms: conversion.at_ms,
            conversion: conversion.id,
            by,
            from_ms: None,
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

    /// Whether what the browser did at a time, Unix milliseconds, belongs to this membership.
    pub fn holds(&self, at_ms: i64) -> bool {
        self.is_valid()
            && self.from_ms.is_none_or(|from_ms| at_ms >= from_ms)
            && self.until_ms.is_none_or(|until_ms| at_ms < until_ms)
    }
}

/// Who says that a lead is this person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Somebody with a key: a form handler, a CRM, the site.
    #[default]
    Verified,
    /// Only a page. It is not found by e-mail or phone, and takes nothing from leads that are verified.
    Proposed,
    /// A page at first; then somebody with a key made it this lead.
    Confirmed(LeadId),
}

/// A person, with one or more visitors joined.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lead {
    /// The external id in every CRM.
    pub id: LeadId,
    /// The site that it belongs to.
    pub site: SiteId,
    /// Its first conversion, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its last conversion, Unix milliseconds.
    pub converted_at_ms: i64,
    /// The newest value of each.
    pub contact: Contact,
    /// The browsers that are this person's, and those that were said to be and were not.
    pub joins: Vec<Join>,
    /// How many conversions it has had.
    pub conversions: u32,
    /// How many of them only a page reported.
    #[serde(default)]
    pub page_conversions: u32,
    /// Who says that it is this person.
    #[serde(default)]
    pub standing: Standing,
    /// The e-mail said this lead and the phone said that one: recorded, never merged.
    pub phone_conflict: Option<LeadId>,
}

impl Lead {
    /// The memberships that have not been undone.
    pub fn valid_joins(&self) -> impl DoubleEndedIterator<Item = &Join> {
        self.joins.iter().filter(|join| join.is_valid())
    }

    /// Whether a browser was joined to the lead and taken from it again.
    pub fn has_lost(&self, visitor: VisitorId) -> bool {
        let mut joins = self.joins.iter().filter(|join| join.visitor == visitor).peekable();
        joins.peek().is_some() && joins.all(|join| !join.is_valid())
    }
}
