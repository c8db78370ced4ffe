//! A lead with its history. The API, the webhooks and the CRMs all show this one view, so that they agree.

use super::hand_off::HandOffState;
use crate::config::AttributionConfig;
use crate::settings::Settings;
use clew_api::{
    self as api, Cursor, FieldGroups, FieldValues, Fields, Journey, LeadDetails, LeadFields,
    LeadReceipt, ReceiptLead, Timestamp,
};
use clew_store::{Dossier, Record};
use serde_json::{Map, Value};
use shared::attribution::Rule;
use shared::deal::{Deal, LedgerEntry};
use shared::fields::catalogue::Field;
use shared::fields::naming::Crm;
use shared::fields::{self, FIELDS_VERSION, HandOff, Subject};
use shared::ids::{ConversionId, LeadId};
use shared::journey::History;
use shared::lead::{Conversion, Lead, LeadStatus};
use shared::lifecycle::{LifeCycle, StageChange};
use shared::limits;
use shared::link::CrmLink;
use shared::revenue::credit;
use std::collections::{BTreeMap, HashSet};

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
    /// What conversions of merged leads are stored as.
    numbers: BTreeMap<ConversionId, (LeadId, u32)>,
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
        let Dossier { lead, mut conversions, records, deliveries, visitors, unread, numbers } =
            dossier;
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
        let life_cycle = match lead.status {
            LeadStatus::Proposed if changes.is_empty() => LifeCycle::default(),
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
            numbers,
            updated_at_ms,
            hand_off,
        })
    }

    /// The lead with which one of its conversions is stored, and its number there.
    pub fn stored_as(&self, conversion: &Conversion) -> (LeadId, u32) {
        let merged = self.numbers.get(&conversion.id).copied();
        merged.unwrap_or((self.lead.id, conversion.number))
    }

    /// The record that it is now in a CRM, where that is known.
    pub fn link(&self, vendor: Crm) -> Option<&CrmLink> {
        CrmLink::present(&self.links, vendor.as_str())
    }

    fn deals(&self) -> Vec<Deal<'_>> {
        Deal::all(&self.ledger)
    }

    /// The deals with their ledgers, and the touches that their revenue is credited to.
    pub fn deals_shown(&self, settings: &Settings) -> Vec<api::Deal<'_>> {
        let rule = self.rule(settings);
        let deals = self.deals();
        let shown = deals.iter().map(|deal| {
            let credit = credit(rule, &self.lead, &self.history, &self.life_cycle, deal);
            api::Deal::new(deal, &credit)
        });
        shown.collect()
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

    /// The fields that are wanted: the response to `GET /v1/leads/{lead}/fields`.
    pub fn selected(&self, settings: &Settings, wanted: &FieldSelection) -> LeadFields {
        let long_text = wanted.crm.map_or(limits::JOURNEY_BYTES, Crm::long_text);
        let is_wanted =
            |field: &Field| wanted.names.as_ref().is_none_or(|names| names.contains(&field.name));
        let (deals, mut groups) = (self.deals(), FieldGroups::default());
        for (field, value) in fields::build(self.subject(settings, &deals, long_text), is_wanted) {
            let (name, value) = match wanted.crm {
                None => (field.name.clone(), value),
                Some(crm) => match crm.encode(field, value) {
                    Some(value) => (crm.field_name(&settings.config.field_prefix, field), value),
                    None => continue,
                },
            };
            groups.0.entry(field.group).or_default().0.insert(name, value);
        }
        let fields = match wanted.grouped {
            true => Fields::Grouped(groups),
            false => Fields::Flat(groups.into_flat()),
        };
        LeadFields {
            lead_id: self.lead.id,
            fields_version: FIELDS_VERSION,
            updated_at: Timestamp(self.updated_at_ms),
            fields,
            crm: wanted.crm.map(Crm::as_str),
        }
    }

    /// The lead for a caller that may only report: its id, and the last conversion as that call created it.
    pub fn receipt(&self) -> LeadReceipt {
        LeadReceipt {
            lead: ReceiptLead { id: self.lead.id },
            conversion: self.history.conversions.last().map(Into::into),
        }
    }

    /// The lead for a caller that may read it.
    pub fn details(&self, settings: &Settings) -> LeadDetails<'_> {
        LeadDetails {
            lead: (&self.lead).into(),
            conversion: self.history.conversions.last().map(Into::into),
            fields: FieldValues(self.fields(settings, limits::JOURNEY_BYTES)),
            journey: self.with_unread(Journey::ends(&self.history)),
        }
    }

    /// A page of the journey, and how the next one begins.
    pub fn journey_page(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> (Journey<'_>, Option<Cursor>) {
        let (journey, next) = Journey::page(&self.history, after, limit);
        (self.with_unread(journey), next)
    }

    fn with_unread<'a>(&self, mut journey: Journey<'a>) -> Journey<'a> {
        journey.left_out.visitors = Some(self.unread_visitors);
        journey
    }
}
