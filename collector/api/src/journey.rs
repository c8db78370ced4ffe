//! Journeys in JSON.

mod listing;

pub use listing::Cursor;

use crate::{Deal, StageEntry, Timestamp};
use serde::Serialize;
use shared::ids::{ConversionId, EventId, LeadId, VisitorId};
use shared::journey::{History, TouchEntry};
use shared::lead::{self, Contact, ConversionKind, JourneyState, RawValue};
use shared::page_view;
use shared::visit::{self, Began};
use shared::why::{self, why};
use std::collections::{BTreeMap, HashMap};
use utoipa::ToSchema;

/// A lead's or a visitor's journey, or a part of it. Each list is oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Journey<'a> {
    /// Whether the journey is known, and if not, why.
    pub state: JourneyState,
    /// The touches.
    pub touches: Vec<Touch<'a>>,
    /// The visits of these touches.
    pub visits: Vec<Visit>,
    /// The page views.
    pub pages: Vec<PageView<'a>>,
    /// The conversions.
    pub conversions: Vec<Conversion<'a>>,
    /// How much of the journey this response leaves out.
    pub left_out: LeftOut,
}

/// A contact with its marketing evidence: where the visitor came from, and with which campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct Touch<'a> {
    /// The touch as in the field `journey_json`.
    #[serde(flatten)]
    pub entry: TouchEntry<'a>,
    /// The number of its visit, from 1.
    pub visit: usize,
    /// How long the visitor was engaged, in milliseconds.
    pub engaged_ms: u64,
    /// `true` if a visit without an origin of its own continues an earlier source; otherwise left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continued: Option<bool>,
    /// `true` if the visit began without evidence and a later page view brought some; otherwise left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upgraded: Option<bool>,
    /// Why it has this source and channel.
    pub why: Why<'a>,
}

/// Why a touch has its source and channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct Why<'a> {
    /// The rule that decided.
    pub rule: &'a str,
    /// The rule set that it belongs to; left out if the page view is no longer kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The evidence of the page view, as written.
    pub evidence: Evidence<'a>,
    /// Evidence that did not decide, each with what it lost to.
    pub lost: Vec<String>,
    /// All of this in words.
    #[schema(
        example = "utm_source=google and utm_medium=cpc on the landing page make it Paid Search."
    )]
    pub words: String,
}

/// Marketing evidence as written. What a page view did not have is left out.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Evidence<'a> {
    /// Campaign tags by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<&'a str, &'a str>,
    /// The value of the parameter `source` or `ref`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_or_ref: Option<&'a str>,
    /// Click ids by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub click_ids: BTreeMap<&'a str, &'a str>,
    /// The referrer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<&'a str>,
}

/// A run of a visitor's activity. It ends after 30 minutes without activity, or after 24 hours.
#[derive(Debug, Serialize, ToSchema)]
pub struct Visit {
    /// Its number among all visits, from 1.
    pub n: usize,
    /// When it began.
    pub at: Timestamp,
    /// When its last activity was.
    pub ended_at: Timestamp,
    /// The number of its page views.
    pub pageviews: u32,
    /// How long the visitor was engaged, in milliseconds.
    pub engaged_ms: u64,
}

/// A page view with its engagement.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageView<'a> {
    /// Its id.
    pub id: EventId,
    /// When the page was shown.
    pub at: Timestamp,
    /// The page's address, without campaign tags, click ids and fragment.
    pub url: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// How long the visitor was engaged, in milliseconds.
    pub engaged_ms: u32,
    /// The largest part of the page that was seen, in percent.
    pub scroll_pct: u8,
    /// Whether a form on the page was focused.
    pub form_focused: bool,
    /// Whether the page is engaged: 10 seconds of engagement; or 3 seconds and half of the page seen; or a form
    /// was focused.
    pub engaged: bool,
    /// Why the page view is not counted as a person's, such as `webdriver`; `null` if it is.
    #[schema(required = true)]
    pub bot: Option<&'a str>,
    /// The campaign (or the source) of tags on a link within the site, which is no origin; `null` if there were none.
    #[schema(required = true)]
    pub internal_campaign: Option<&'a str>,
}

/// A form, call, chat, booking, import or API call that named a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversion<'a> {
    /// Its id.
    pub id: ConversionId,
    /// When the collector received it.
    pub at: Timestamp,
    /// The kind of conversion.
    pub r#type: ConversionKind,
    /// The form's id.
    #[schema(required = true)]
    pub form_id: Option<&'a str>,
    /// The form's name.
    #[schema(required = true)]
    pub form_name: Option<&'a str>,
    /// The form's page.
    #[schema(required = true)]
    pub page_url: Option<&'a str>,
    /// The title of that page.
    #[schema(required = true)]
    pub page_title: Option<&'a str>,
    /// The browser that it came from.
    #[schema(required = true)]
    pub visitor: Option<VisitorId>,
    /// Whether the journey that led to it is known, and if not, why.
    pub journey: JourneyState,
    /// The person as this conversion named them.
    pub contact: &'a Contact,
    /// Values of the contact that could not be used, as typed.
    pub raw: &'a [RawValue],
}

/// How many entries of a journey a response leaves out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct LeftOut {
    /// Touches.
    pub touches: usize,
    /// Visits.
    pub visits: usize,
    /// Page views.
    pub pages: usize,
    /// Conversions.
    pub conversions: usize,
    /// Visitors of the lead whose journeys were not read, because it has too many. Only for leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitors: Option<usize>,
}

/// A page of a lead's journey.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadJourney<'a> {
    /// The lead.
    pub lead_id: LeadId,
    /// This page of the journey.
    pub journey: Journey<'a>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
    /// Every stage that the lead entered, oldest first.
    pub stages: Vec<StageEntry<'a>>,
    /// The lead's deals.
    pub deals: Vec<Deal<'a>>,
}

/// A page of a visitor's journey.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisitorJourney<'a> {
    /// The visitor.
    pub visitor: VisitorId,
    /// The lead that the visitor belongs to.
    #[schema(required = true)]
    pub lead_id: Option<LeadId>,
    /// This page of the journey.
    pub journey: Journey<'a>,
    /// The cursor of the next page, for `after`; `null` on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl<'a> Touch<'a> {
    /// The touches at some places of a history.
    fn all(history: &'a History, places: Vec<usize>) -> Vec<Self> {
        let pages: HashMap<_, _> = history.pages.iter().map(|page| (page.id, page)).collect();
        let entries = history.touch_entries(places.clone());
        let touch = |(entry, place): (TouchEntry<'a>, usize)| {
            let touch = &history.touches[place];
            Self {
                entry,
                visit: history.visit_number(touch.visit as usize),
                engaged_ms: touch.engaged_ms,
                continued: (touch.began == Began::Continued).then_some(true),
                upgraded: (touch.began == Began::Upgraded).then_some(true),
                why: why(touch, |page| pages.get(&page).copied()).into(),
            }
        };
        entries.zip(places).map(touch).collect()
    }
}

impl<'a> From<why::Why<'a>> for Why<'a> {
    fn from(why: why::Why<'a>) -> Self {
        let why::Why { rule, rules, evidence, lost, words } = why;
        let evidence = Evidence {
            tags: evidence.tags.into_iter().collect(),
            source_or_ref: evidence.source_or_ref,
            click_ids: evidence.click_ids.into_iter().collect(),
            referrer: evidence.referrer,
        };
        Self { rule, rules, evidence, lost, words }
    }
}

impl Visit {
    fn new(n: usize, visit: &visit::Visit) -> Self {
        Self {
            n,
            at: Timestamp(visit.at_ms),
            ended_at: Timestamp(visit.active_at_ms),
            pageviews: visit.page_views,
            engaged_ms: visit.engaged_ms,
        }
    }
}

impl<'a> From<&'a page_view::PageView> for PageView<'a> {
    fn from(view: &'a page_view::PageView) -> Self {
        Self {
            id: view.id,
            at: Timestamp(view.at_ms),
            url: &view.url,
            title: &view.title,
            engaged_ms: view.totals.engaged_ms,
            scroll_pct: view.totals.scroll_pct,
            form_focused: view.totals.form_focused,
            engaged: view.is_engaged(),
            bot: view.bot.as_deref(),
            internal_campaign: view.internal_campaign(),
        }
    }
}

impl<'a> From<&'a lead::Conversion> for Conversion<'a> {
    fn from(conversion: &'a lead::Conversion) -> Self {
        Self {
            id: conversion.id,
            at: Timestamp(conversion.at_ms),
            r#type: conversion.kind,
            form_id: conversion.form_id.as_deref(),
            form_name: conversion.form_name.as_deref(),
            page_url: conversion.page_url.as_deref(),
            page_title: conversion.page_title.as_deref(),
            visitor: conversion.visitor,
            journey: conversion.journey,
            contact: &conversion.contact,
            raw: &conversion.raw,
        }
    }
}
