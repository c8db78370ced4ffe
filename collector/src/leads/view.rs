//! A lead with its history: what the API, the webhooks and the CRMs are told is made of this one view,
//! so that they agree.

use super::hand_off::HandOffState;
use crate::config::AttributionConfig;
use crate::settings::Settings;
use clew_store::{Dossier, Record};
use serde_json::{Map, Value, json};
use shared::attribution::Rule;
use shared::deal::{Deal, LedgerEntry};
use shared::fields::catalogue::Field;
use shared::fields::naming::Crm;
use shared::fields::{self, FIELDS_VERSION, HandOff, Subject};
use shared::ids::ConversionId;
use shared::journey::{Cursor, History, conversion_json};
use shared::lead::{Conversion, Join, Lead, Standing};
use shared::lifecycle::{LifeCycle, StageChange};
use shared::limits;
use shared::link::CrmLink;
use shared::revenue::{credit, deal_json};
use shared::time::rfc3339;
use std::collections::HashSet;

/// A lead with its history.
pub struct LeadView {
    /// The person.
    pub lead: Lead,
    /// The history up to the moment of the view.
    pub history: History,
    /// Visitors beyond those that are read of one lead.
    pub unread_visitors: usize,
    /// Its stages, as they are known now.
    pub life_cycle: LifeCycle,
    /// What was recorded of it since it converted.
    pub records: Vec<Record>,
    /// What was recorded of its deals.
    ledger: Vec<LedgerEntry>,
    /// Which records of CRMs it is.
    links: Vec<CrmLink>,
    /// When anything was last recorded of it, Unix milliseconds.
    updated_at_ms: i64,
    /// How far the hand-off is; `None` where nothing is to be delivered.
    hand_off: Option<HandOffState>,
}

/// Up to when a lead's history is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// All of it.
    Now,
    /// Up to one of its conversions.
    Conversion(ConversionId),
}

/// A moment that a lead's history does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the lead has no conversion {0}")]
pub struct UnknownConversion(pub ConversionId);

/// Which fields are wanted, and in whose words.
#[derive(Debug, Default)]
pub struct FieldSelection {
    /// These only.
    pub names: Option<HashSet<String>>,
    /// In one object a group.
    pub grouped: bool,
    /// Named and encoded for this CRM.
    pub crm: Option<Crm>,
}

impl LeadView {
    /// Of what the store knows, as it was at a moment.
    ///
    /// # Errors
    /// [`UnknownConversion`].
    pub fn new(dossier: Dossier, moment: Moment) -> Result<Self, UnknownConversion> {
        let Dossier { lead, mut conversions, records, deliveries, visitors, unread } = dossier;
        if let Moment::Conversion(id) = moment {
            let place = conversions.iter().position(|conversion| conversion.id == id);
            conversions.truncate(place.ok_or(UnknownConversion(id))? + 1);
        }
        let history = History::of_lead(&lead, &visitors, conversions);
        let (mut changes, mut ledger, mut links) = (Vec::new(), Vec::new(), Vec::new());
        let mut updated_at_ms = lead.converted_at_ms;
        for record in &records {
            match record {
                Record::Stage(change) => changes.push(StageChange::clone(change)),
                Record::Deal(entry) => ledger.push(entry.clone()),
                Record::Link(link) => {
                    links.push(link.clone());
                    continue;
                }
            }
            updated_at_ms = updated_at_ms.max(record.recorded_at_ms());
        }
        let life_cycle = match lead.standing {
            Standing::Proposed if changes.is_empty() => LifeCycle::default(),
            _ => LifeCycle::of(lead.created_at_ms, &changes),
        };
        let hand_off = HandOffState::of(&deliveries);
        Ok(Self {
            lead,
            history,
            unread_visitors: unread,
            life_cycle,
            records,
            ledger,
            links,
            updated_at_ms,
            hand_off,
        })
    }

    /// The record that it is now in a CRM, where that is known.
    pub fn link(&self, vendor: Crm) -> Option<&CrmLink> {
        CrmLink::present(&self.links, vendor.as_str())
    }

    fn deals(&self) -> Vec<Deal<'_>> {
        Deal::all(&self.ledger)
    }

    /// The deals with their ledgers, and which touches their revenue is credited to.
    pub fn deals_json(&self, settings: &Settings) -> Vec<Value> {
        let rule = self.rule(settings);
        let shown = |deal: &Deal<'_>| {
            let credit = credit(rule, &self.lead, &self.history, &self.life_cycle, deal);
            deal_json(deal, &credit)
        };
        self.deals().iter().map(shown).collect()
    }

    fn rule(&self, settings: &Settings) -> Rule {
        // Leads outlive their site's settings; then the default rule holds.
        let site = settings.config.site(&self.lead.site);
        let AttributionConfig(rule) = site.map(|site| site.attribution).unwrap_or_default();
        rule
    }

    fn subject<'a>(
        &'a self,
        settings: &Settings,
        deals: &'a [Deal<'a>],
        long_text: usize,
    ) -> Subject<'a> {
        let link = self.links.iter().max_by_key(|link| link.linked_at_ms);
        let hand_off = self.hand_off.as_ref().map(|hand_off| HandOff {
            provider: hand_off.provider(settings, link),
            link,
            status: hand_off.state.as_str(),
            synced_at_ms: hand_off.sent_at_ms,
        });
        Subject {
            lead: &self.lead,
            history: &self.history,
            life_cycle: &self.life_cycle,
            deals,
            hand_off,
            rule: self.rule(settings),
            long_text,
        }
    }

    /// All canonical fields, their long texts of at most so many characters.
    pub fn fields(&self, settings: &Settings, long_text: usize) -> Map<String, Value> {
        fields::by_name(self.subject(settings, &self.deals(), long_text))
    }

    /// The answer of `GET /v1/leads/{id}/fields`.
    pub fn fields_json(&self, settings: &Settings, wanted: &FieldSelection) -> Value {
        let long_text = wanted.crm.map_or(limits::JOURNEY_BYTES, Crm::long_text);
        let is_wanted =
            |field: &Field| wanted.names.as_ref().is_none_or(|names| names.contains(&field.name));
        let (deals, mut selected) = (self.deals(), Map::new());
        for (field, value) in fields::build(self.subject(settings, &deals, long_text), is_wanted) {
            let (name, value) = match wanted.crm {
                None => (field.name.clone(), value),
                Some(crm) => match crm.encode(field, value) {
                    Some(value) => (crm.field_name(&settings.config.field_prefix, field), value),
                    None => continue,
                },
            };
            let group = match wanted.grouped {
                true => selected.entry(field.group).or_insert_with(|| json!({})).as_object_mut(),
                false => Some(&mut selected),
            };
            if let Some(group) = group {
                group.insert(name, value);
            }
        }
        let mut answer = json!({
            "lead_id": self.lead.id,
            "fields_version": FIELDS_VERSION,
            "updated_at": rfc3339(self.updated_at_ms),
            "fields": selected,
        });
        if let Some(crm) = wanted.crm {
            answer["crm"] = crm.as_str().into();
        }
        answer
    }

    /// The answer of `POST /v1/leads` to a caller that may only report: of the person no more than that
    /// there is one, and of the last conversion what the call itself made.
    pub fn receipt_json(&self) -> Value {
        let made = |conversion: &Conversion| {
            json!({
                "id": conversion.id,
                "number": conversion.number,
                "type": conversion.kind,
                "journey": conversion.journey,
            })
        };
        json!({
            "lead": { "id": self.lead.id },
            "conversion": self.history.conversions.last().map(made),
        })
    }

    /// The answer of `POST /v1/leads` and `GET /v1/leads/{id}` to a caller that may read the lead.
    pub fn to_json(&self, settings: &Settings) -> Value {
        json!({
            "lead": lead_json(&self.lead),
            "conversion": self.history.conversions.last().map(conversion_json),
            "fields": self.fields(settings, limits::JOURNEY_BYTES),
            "journey": self.with_unread(self.history.to_json()),
        })
    }

    /// A page of the journey, and how the next one begins.
    pub fn journey_page(&self, after: Option<Cursor>, limit: usize) -> (Value, Option<Cursor>) {
        let (journey, next) = self.history.page_json(after, limit);
        (self.with_unread(journey), next)
    }

    fn with_unread(&self, mut journey: Value) -> Value {
        journey["left_out"]["visitors"] = self.unread_visitors.into();
        journey
    }
}

/// A lead without its journey, as lists show it.
pub fn lead_json(lead: &Lead) -> Value {
    json!({
        "id": lead.id,
        "site": lead.site,
        "created_at": rfc3339(lead.created_at_ms),
        "converted_at": rfc3339(lead.converted_at_ms),
        "conversions": lead.conversions,
        "verified": lead.standing == Standing::Verified,
        "contact": lead.contact,
        "visitors": lead.joins.iter().map(join_json).collect::<Vec<_>>(),
        "phone_conflict": lead.phone_conflict,
    })
}

fn join_json(join: &Join) -> Value {
    json!({
        "visitor": join.visitor,
        "joined_at": rfc3339(join.joined_at_ms),
        "conversion": join.conversion,
        "by": join.by,
        "shared_browser": join.from_ms.is_some() || join.until_ms.is_some(),
        "undone_at": join.undone_at_ms.map(rfc3339),
    })
}
