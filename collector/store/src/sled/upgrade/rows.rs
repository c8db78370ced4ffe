//! Rows as earlier layouts stored them, and how they become today's.

use crate::visitor::Visitor;
use serde::{Deserialize, Serialize};
use shared::context::VisitorContext;
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::{
    Contact, Conversion, ConversionKind, Join, JoinEvidence, JourneyState, Lead, LeadStatus,
};
use shared::source::Label;
use shared::visit::Began;

/// A visitor's record up to layout 6. The journey that follows it is not read.
#[derive(Deserialize)]
pub(super) struct OldVisitor {
    lead: Option<LeadId>,
    views: u32,
    actions: u32,
    context: VisitorContext,
}

impl OldVisitor {
    pub(super) fn renew(self) -> Visitor {
        let Self { lead, views, actions, context } = self;
        Visitor { lead, views, actions, context, ..Visitor::default() }
    }
}

/// A contact up to layout 7.
#[derive(Serialize, Deserialize)]
pub(super) struct Contact7 {
    email: Option<String>,
    phone: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    full_name: Option<String>,
    company: Option<String>,
    job_title: Option<String>,
}

impl Contact7 {
    pub(super) fn renew(self) -> Contact {
        let Self { email, phone, first_name, last_name, full_name, company, job_title } = self;
        Contact {
            email,
            phone,
            first_name,
            last_name,
            full_name,
            company,
            job_title,
            ..Contact::default()
        }
    }
}

/// A membership up to layout 7.
#[derive(Serialize, Deserialize)]
pub(super) struct Join7 {
    visitor: VisitorId,
    joined_at_ms: i64,
    conversion: ConversionId,
    by: JoinEvidence,
    from_ms: Option<i64>,
    from_lead: Option<LeadId>,
    until_ms: Option<i64>,
    until_lead: Option<LeadId>,
    undone_at_ms: Option<i64>,
}

impl Join7 {
    pub(super) fn renew(self) -> Join {
        let Self { visitor, joined_at_ms, conversion, by, from_ms, from_lead, .. } = self;
        Join {
            visitor,
            joined_at_ms,
            conversion,
            by,
            from_ms,
            shown_from_ms: None,
            from_lead,
            until_ms: self.until_ms,
            until_lead: self.until_lead,
            undone_at_ms: self.undone_at_ms,
        }
    }
}

/// A lead of layout 7.
#[derive(Serialize, Deserialize)]
pub(super) struct Lead7 {
    id: LeadId,
    site: SiteId,
    created_at_ms: i64,
    converted_at_ms: i64,
    contact: Contact7,
    joins: Vec<Join7>,
    conversions: u32,
    page_conversions: u32,
    status: LeadStatus,
    phone_conflict: Option<LeadId>,
}

impl Lead7 {
    pub(super) fn renew(self) -> Lead {
        let Self { id, site, created_at_ms, converted_at_ms, contact, joins, .. } = self;
        Lead {
            converted_at_ms,
            contact: contact.renew(),
            joins: joins.into_iter().map(Join7::renew).collect(),
            conversions: self.conversions,
            page_conversions: self.page_conversions,
            status: self.status,
            phone_shared_with: self.phone_conflict.into_iter().collect(),
            ..Lead::new(id, site, created_at_ms)
        }
    }
}

/// A lead up to layout 6.
#[derive(Deserialize)]
pub(super) struct OldLead {
    id: LeadId,
    site: SiteId,
    created_at_ms: i64,
    converted_at_ms: i64,
    contact: Contact7,
    joins: Vec<Join7>,
    conversions: u32,
    phone_conflict: Option<LeadId>,
}

impl OldLead {
    pub(super) fn renew(self) -> Lead {
        let Self { id, site, created_at_ms, converted_at_ms, contact, joins, .. } = self;
        let renewed = Lead7 {
            id,
            site,
            created_at_ms,
            converted_at_ms,
            contact,
            joins,
            conversions: self.conversions,
            page_conversions: 0,
            status: LeadStatus::Verified,
            phone_conflict: self.phone_conflict,
        };
        renewed.renew()
    }
}

/// A conversion of layout 7.
#[derive(Serialize, Deserialize)]
pub(super) struct Conversion7 {
    id: ConversionId,
    number: u32,
    at_ms: i64,
    kind: ConversionKind,
    visitor: Option<VisitorId>,
    journey: JourneyState,
    contact: Contact7,
    form_id: Option<String>,
    form_name: Option<String>,
    page_url: Option<String>,
    page_title: Option<String>,
    context: Option<VisitorContext>,
}

impl Conversion7 {
    pub(super) fn renew(self) -> Conversion {
        Conversion {
            id: self.id,
            number: self.number,
            at_ms: self.at_ms,
            kind: self.kind,
            visitor: self.visitor,
            journey: self.journey,
            contact: self.contact.renew(),
            form_id: self.form_id,
            form_name: self.form_name,
            page_url: self.page_url,
            page_title: self.page_title,
            context: self.context,
            raw: Vec::new(),
        }
    }
}

/// A conversion up to layout 6.
#[derive(Deserialize)]
pub(super) struct OldConversion {
    id: ConversionId,
    number: u32,
    at_ms: i64,
    kind: ConversionKind,
    visitor: Option<VisitorId>,
    journey: JourneyState,
    contact: Contact7,
    form_id: Option<String>,
    form_name: Option<String>,
    page_url: Option<String>,
    page_title: Option<String>,
    #[serde(rename = "touches")]
    _touches: Vec<OldTouch>,
    context: Option<VisitorContext>,
}

/// A touch as stored in conversions up to layout 6.
#[derive(Deserialize)]
pub(super) struct OldTouch {
    _at_ms: i64,
    _page: EventId,
    _visit: u32,
    _began: Began,
    _evidence: EventId,
    _label: Label,
    _landing_page: String,
    _page_views: u32,
    _engaged_ms: u64,
}

impl OldConversion {
    pub(super) fn renew(self) -> Conversion {
        let renewed = Conversion7 {
            id: self.id,
            number: self.number,
            at_ms: self.at_ms,
            kind: self.kind,
            visitor: self.visitor,
            journey: self.journey,
            contact: self.contact,
            form_id: self.form_id,
            form_name: self.form_name,
            page_url: self.page_url,
            page_title: self.page_title,
            context: self.context,
        };
        renewed.renew()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sled::keys;
    use crate::sled::transaction::Transaction;
    use crate::sled::upgrade::{upgrade, write};
    use shared::lead::{FoundBy, NamedBy};

    #[test]
    fn rows_of_layout_7() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let (lead, other) = (LeadId::new(0, [1; 10]), LeadId::new(0, [2; 10]));
        let visitor = VisitorId(uuid::Uuid::from_u128(3));
        let site = SiteId::parse("demo").unwrap();
        let email = || Some("lead@example.com".to_owned());
        let contact = || Contact7 {
            email: email(),
            phone: None,
            first_name: None,
            last_name: Some("Example".into()),
            full_name: None,
            company: None,
            job_title: Some("Buyer".into()),
        };
        let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Token };
        let conversion = ConversionId::new(5, [4; 10]);
        let before = Lead7 {
            id: lead,
            site,
            created_at_ms: 5,
            converted_at_ms: 6,
            contact: contact(),
            joins: vec![Join7 {
                visitor,
                joined_at_ms: 5,
                conversion,
                by,
                from_ms: Some(4),
                from_lead: Some(other),
                until_ms: None,
                until_lead: None,
                undone_at_ms: Some(9),
            }],
            conversions: 2,
            page_conversions: 1,
            status: LeadStatus::Proposed,
            phone_conflict: Some(other),
        };
        let made = Conversion7 {
            id: conversion,
            number: 1,
            at_ms: 5,
            kind: ConversionKind::Chat,
            visitor: Some(visitor),
            journey: JourneyState::Known,
            contact: contact(),
            form_id: None,
            form_name: Some("Chat".into()),
            page_url: None,
            page_title: None,
            context: None,
        };
        let mut transaction = Transaction::new(&db);
        let (lead_key, made_key) = (keys::lead(lead), keys::conversion(lead, conversion));
        transaction.run(|transaction| transaction.put(&lead_key, &before)).unwrap();
        transaction.run(|transaction| transaction.put(&made_key, &made)).unwrap();
        write(&db, &mut transaction, None).unwrap();
        upgrade(&db, 7).unwrap();
        let mut read = Transaction::new(&db);
        let after: Lead = read.run(|read| read.expect(&lead_key)).unwrap();
        assert_eq!(after.phone_shared_with, [other]);
        assert_eq!(
            (after.contact.email, after.contact.job_title.as_deref()),
            (email(), Some("Buyer"))
        );
        assert_eq!((after.conversions, after.page_conversions), (2, 1));
        assert_eq!(after.status, LeadStatus::Proposed);
        let [join] = &after.joins[..] else { panic!("{:?}", after.joins) };
        assert_eq!((join.from_ms, join.shown_from_ms, join.undone_at_ms), (Some(4), None, Some(9)));
        let made: Conversion = read.run(|read| read.expect(&made_key)).unwrap();
        assert_eq!((made.kind, made.form_name.as_deref()), (ConversionKind::Chat, Some("Chat")));
        assert!(made.raw.is_empty() && made.contact.email == email());
    }
}
