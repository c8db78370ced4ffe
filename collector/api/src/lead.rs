//! Leads in JSON.

use crate::{Conversion, FieldValues, FlatEvent, Journey, Timestamp};
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::lead::{self, Contact, ConversionKind, JoinEvidence, JourneyState, LeadStatus};
use utoipa::ToSchema;

/// The body of `POST /v1/leads`. Unknown members are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LeadRequest {
    /// The site, if the key opens several.
    #[serde(default)]
    #[schema(example = "demo")]
    pub site: Option<String>,
    /// The value of the visitor's `clew_id` cookie.
    #[serde(default)]
    pub visitor: Option<String>,
    /// The sealed token from the form's hidden field. It takes precedence over `visitor`.
    #[serde(default)]
    pub token: Option<String>,
    /// The kind of conversion. Default: `form`.
    #[serde(default, rename = "type")]
    pub kind: ConversionKind,
    /// The person. An e-mail address or a phone number is required.
    pub contact: Contact,
    /// The form that was sent.
    #[serde(default)]
    pub form: FormNames,
    /// The page with the form.
    #[serde(default)]
    pub page: PageNames,
}

/// The form that was sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct FormNames {
    /// The form's id on the page.
    #[serde(default)]
    #[schema(example = "contact")]
    pub id: Option<String>,
    /// The form's display name.
    #[serde(default)]
    #[schema(example = "Contact form")]
    pub name: Option<String>,
}

/// The page with the form.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PageNames {
    /// The page's address.
    #[serde(default)]
    #[schema(example = "https://www.example.com/contact")]
    pub url: Option<String>,
    /// The page's title.
    #[serde(default)]
    #[schema(example = "Contact")]
    pub title: Option<String>,
}

/// A lead without its journey.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lead<'a> {
    /// The lead's id, also its external id in every CRM.
    pub id: LeadId,
    /// The site that the lead belongs to.
    #[schema(value_type = String, example = "demo")]
    pub site: &'a SiteId,
    /// When it first converted.
    pub created_at: Timestamp,
    /// When it last converted.
    pub converted_at: Timestamp,
    /// The number of its conversions.
    pub conversions: u32,
    /// `false` if only a page named the person, through `clew('identify', …)`.
    pub verified: bool,
    /// The person: the newest value of each member.
    pub contact: &'a Contact,
    /// The browsers that belong to the lead, and those that were removed from it.
    pub visitors: Vec<Join<'a>>,
    /// The id of another lead that one of this lead's phone numbers belongs to. Leads are never merged.
    #[schema(required = true)]
    pub phone_conflict: Option<LeadId>,
}

/// A browser that belongs, or belonged, to a lead.
#[derive(Debug, Serialize, ToSchema)]
pub struct Join<'a> {
    /// The browser, by the id in its cookie.
    pub visitor: VisitorId,
    /// When it was joined to the lead.
    pub joined_at: Timestamp,
    /// The conversion that joined it.
    pub conversion: ConversionId,
    /// How the person was found and how the browser was named.
    pub by: &'a JoinEvidence,
    /// Whether the browser belonged to another lead before or afterwards.
    pub shared_browser: bool,
    /// When it was removed from the lead; `null` if it still belongs to it.
    #[schema(required = true)]
    pub undone_at: Option<Timestamp>,
}

/// A page of leads.
#[derive(Debug, Serialize, ToSchema)]
pub struct Leads<'a> {
    /// The leads.
    pub leads: Vec<Lead<'a>>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// The response to `GET /v1/leads`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LeadsListed<'a> {
    /// A page of leads.
    Page(Leads<'a>),
    /// Flat objects, as subscriptions receive them (`flat=1`).
    Flat(Vec<FlatEvent>),
}

/// A lead with its fields and its journey.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadDetails<'a> {
    /// The lead.
    pub lead: Lead<'a>,
    /// Its last conversion.
    #[schema(required = true)]
    pub conversion: Option<Conversion<'a>>,
    /// Its canonical fields.
    pub fields: FieldValues,
    /// Its journey: the first touch and the newest entries, up to 200 in each list.
    pub journey: Journey<'a>,
}

/// A lead for a key without `leads:read`: nothing that was known before.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadReceipt {
    /// The lead.
    pub lead: ReceiptLead,
    /// Its last conversion.
    #[schema(required = true)]
    pub conversion: Option<ConversionReceipt>,
}

/// A lead, by its id only.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLead {
    /// Its id.
    pub id: LeadId,
}

/// A conversion, for a key without `leads:read`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConversionReceipt {
    /// Its id.
    pub id: ConversionId,
    /// Its place among the lead's conversions, from 1.
    pub number: u32,
    /// The kind of conversion.
    pub r#type: ConversionKind,
    /// Whether the journey that led to it is known, and if not, why.
    pub journey: JourneyState,
}

/// A lead, as far as the key may read it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LeadShown<'a> {
    /// For a key with `leads:read`.
    Details(Box<LeadDetails<'a>>),
    /// For a key without `leads:read`.
    Receipt(LeadReceipt),
}

/// The lead, and the conversion that the request created.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedLead<T> {
    /// The lead.
    #[serde(flatten)]
    pub lead: T,
    /// The conversion that the request created.
    pub conversion_id: ConversionId,
    /// Whether an earlier request with the same `Idempotency-Key` had created it.
    pub repeated: bool,
}

/// The response to `POST /v1/leads`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LeadCreated<'a> {
    /// For a key with `leads:read`.
    Details(Box<CreatedLead<LeadDetails<'a>>>),
    /// For a key without `leads:read`.
    Receipt(CreatedLead<LeadReceipt>),
}

impl<'a> From<&'a lead::Lead> for Lead<'a> {
    fn from(lead: &'a lead::Lead) -> Self {
        Self {
            id: lead.id,
            site: &lead.site,
            created_at: Timestamp(lead.created_at_ms),
            converted_at: Timestamp(lead.converted_at_ms),
            conversions: lead.conversions,
            verified: lead.status == LeadStatus::Verified,
            contact: &lead.contact,
            visitors: lead.joins.iter().map(Join::from).collect(),
            phone_conflict: lead.phone_conflict,
        }
    }
}

impl<'a> From<&'a lead::Join> for Join<'a> {
    fn from(join: &'a lead::Join) -> Self {
        Self {
            visitor: join.visitor,
            joined_at: Timestamp(join.joined_at_ms),
            conversion: join.conversion,
            by: &join.by,
            shared_browser: join.from_ms.is_some() || join.until_ms.is_some(),
            undone_at: join.undone_at_ms.map(Timestamp),
        }
    }
}

impl From<&lead::Conversion> for ConversionReceipt {
    fn from(conversion: &lead::Conversion) -> Self {
        Self {
            id: conversion.id,
            number: conversion.number,
            r#type: conversion.kind,
            journey: conversion.journey,
        }
    }
}
