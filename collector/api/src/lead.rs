//! Leads in JSON.

use crate::loose::{or_default, text};
use crate::{Conversion, FieldValues, FlatEvent, Journey, Merge, Timestamp};
use serde::{Deserialize, Serialize};
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::lead::{self, Contact, ConversionKind, JoinEvidence, JourneyState, LeadStatus};
use utoipa::ToSchema;

/// The body of `POST /v1/leads`. Unknown members are ignored; `null` is the same as a missing member, and numbers are
/// read as texts.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LeadRequest {
    /// The site, if the key opens several.
    #[serde(default, deserialize_with = "text")]
    #[schema(example = "demo")]
    pub site: Option<String>,
    /// The value of the visitor's `clew_id` cookie.
    #[serde(default, deserialize_with = "text")]
    pub visitor: Option<String>,
    /// The sealed token from the form's hidden field. It takes precedence over `visitor`.
    #[serde(default, deserialize_with = "text")]
    pub token: Option<String>,
    /// The kind of conversion. Default: `form`.
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    pub kind: ConversionKind,
    /// The person. An e-mail address or a phone number is required.
    #[serde(deserialize_with = "or_default")]
    pub contact: ContactRequest,
    /// The form that was sent.
    #[serde(default, deserialize_with = "or_default")]
    pub form: FormNames,
    /// The page with the form.
    #[serde(default, deserialize_with = "or_default")]
    pub page: PageNames,
}

/// The person as a form reports them. A value that cannot be used refuses nothing as long as another one names the
/// person: it is kept in the conversion's `raw`, and reported in `warnings`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactRequest {
    /// E-mail address.
    #[serde(deserialize_with = "text")]
    #[schema(example = "ann@example.com")]
    pub email: Option<String>,
    /// Phone number. Without a country code, it is one of the site's country.
    #[serde(deserialize_with = "text")]
    pub phone: Option<String>,
    /// First name.
    #[serde(deserialize_with = "text")]
    pub first_name: Option<String>,
    /// Last name.
    #[serde(deserialize_with = "text")]
    pub last_name: Option<String>,
    /// The full name; built from first and last name if absent.
    #[serde(deserialize_with = "text")]
    pub full_name: Option<String>,
    /// First name in kana.
    #[serde(deserialize_with = "text")]
    pub first_name_kana: Option<String>,
    /// Last name in kana.
    #[serde(deserialize_with = "text")]
    pub last_name_kana: Option<String>,
    /// Company.
    #[serde(deserialize_with = "text")]
    pub company: Option<String>,
    /// Job title.
    #[serde(deserialize_with = "text")]
    pub job_title: Option<String>,
}

impl From<ContactRequest> for Contact {
    fn from(typed: ContactRequest) -> Self {
        let ContactRequest { email, phone, first_name, last_name, full_name, .. } = typed;
        Self {
            email,
            phone,
            first_name,
            last_name,
            full_name,
            first_name_kana: typed.first_name_kana,
            last_name_kana: typed.last_name_kana,
            company: typed.company,
            job_title: typed.job_title,
        }
    }
}

/// The form that was sent.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct FormNames {
    /// The form's id on the page.
    #[serde(default, deserialize_with = "text")]
    #[schema(example = "contact")]
    pub id: Option<String>,
    /// The form's display name.
    #[serde(default, deserialize_with = "text")]
    #[schema(example = "Contact form")]
    pub name: Option<String>,
}

/// The page with the form.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct PageNames {
    /// The page's address.
    #[serde(default, deserialize_with = "text")]
    #[schema(example = "https://www.example.com/contact")]
    pub url: Option<String>,
    /// The page's title.
    #[serde(default, deserialize_with = "text")]
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
    /// The number of its conversions, with those of the leads merged into it.
    pub conversions: u32,
    /// `false` if only a page named the person, through `clew('identify', …)`.
    pub verified: bool,
    /// The person: the newest value of each member.
    #[schema(value_type = Contact)]
    pub contact: Contact,
    /// Its e-mail addresses: its own, then those of the leads merged into it.
    pub emails: Vec<&'a str>,
    /// The browsers that belong to the lead, and those that were removed from it.
    pub visitors: Vec<Join<'a>>,
    /// Other leads with one of this lead's phone numbers and another e-mail address. The number then identifies nobody.
    pub phone_shared_with: Vec<LeadId>,
    /// The leads that were merged into it, including those taken out again.
    pub merges: Vec<Merge<'a>>,
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
    /// How certain it is that this person did what is shown of a shared browser; `null` for a browser of one's own.
    #[schema(required = true)]
    pub confidence: Option<&'static str>,
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
    /// The members of the contact that could not be used as they were.
    pub warnings: Vec<Warning>,
}

/// A member of a request that could not be used as it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct Warning {
    /// The member, such as `contact.email`.
    pub member: String,
    /// What is wrong with it, and what was done.
    pub message: String,
}

impl From<&lead::RawValue> for Warning {
    fn from(raw: &lead::RawValue) -> Self {
        let member = format!("contact.{}", raw.member);
        let message = format!("{member} {}.", raw.reason.as_sentence());
        Self { member, message }
    }
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
            created_at: Timestamp(lead.first_converted_at_ms()),
            converted_at: Timestamp(lead.last_converted_at_ms()),
            conversions: lead.all_conversions(),
            verified: lead.status == LeadStatus::Verified,
            contact: lead.known_contact(),
            emails: lead.emails(),
            visitors: lead.joins.iter().map(Join::from).collect(),
            phone_shared_with: lead.shares_phone_with(),
            merges: lead.merges.iter().filter_map(Merge::of).collect(),
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
            confidence: confidence(join),
            undone_at: join.undone_at_ms.map(Timestamp),
        }
    }
}

/// What is known of who used a shared browser.
fn confidence(join: &lead::Join) -> Option<&'static str> {
    match (join.from_ms, join.shown_from_ms, join.until_ms) {
        (None, _, None) => None,
        (None, _, Some(_)) => Some("certain until the browser's other person converted"),
        (Some(_), None, _) => {
            Some("certain: only what came after the other person's last conversion is shown")
        }
        (Some(_), Some(i64::MIN), _) => {
            Some("uncertain: all of the browser is shown, whoever used it")
        }
        (Some(_), Some(_), _) => Some(
            "likely: the visit in which this person converted is shown, or the browser's last touch before it",
        ),
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
