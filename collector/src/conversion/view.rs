//! A lead with its history, as the API and the webhooks tell it.

use crate::app::App;
use crate::config::{AttributionConfig, CrmConfig};
use crate::error::ApiError;
use crate::settings::Settings;
use crate::store::{Delivery, DeliveryFilter, DeliveryKind, DeliveryState, Record, StoreError};
use crate::subscription;
use serde_json::{Map, Value, json};
use shared::attribution::Rule;
use shared::deal::{Deal, LedgerEntry};
use shared::fields::catalogue::Field;
use shared::fields::naming::Crm;
use shared::fields::{self, FIELDS_VERSION, HandOff, Subject};
use shared::ids::{ConversionId, LeadId, SiteId, VisitorId};
use shared::journey::{History, conversion_json};
use shared::lead::{IdentityKind, Join, Lead, e164, email_identity};
use shared::lifecycle::LifeCycle;
use shared::limits;
use shared::link::CrmLink;
use shared::revenue::{credit, deal_json};
use shared::time::rfc3339;
use std::collections::HashSet;

/// A lead with its history: what every answer about it is made of.
pub struct LeadView {
    /// The person.
    pub lead: Lead,
    /// The history up to the last conversion.
    pub history: History,
    /// Its stages, as they are known now.
    pub life_cycle: LifeCycle,
    /// What was told of its deals.
    ledger: Vec<LedgerEntry>,
    /// Which records of CRMs it is.
    links: Vec<CrmLink>,
    /// When anything was last told of it, Unix milliseconds.
    told_at_ms: i64,
    /// Where the hand-off stands; `None` where nothing is to be delivered.
    hand_off: Option<Stand>,
}

/// Where a lead's deliveries stand.
struct Stand {
    destinations: Vec<String>,
    state: DeliveryState,
    sent_at_ms: Option<i64>,
}

/// Which fields are asked for, and in whose words.
#[derive(Debug, Default)]
pub struct Asked {
    /// These only.
    pub names: Option<HashSet<String>>,
    /// In one object a group.
    pub grouped: bool,
    /// Named and encoded for this CRM.
    pub crm: Option<Crm>,
}

impl LeadView {
    /// Reads a lead and everything that belongs to it: as it was at one of its conversions, or as
    /// it is.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(
        app: &App,
        id: LeadId,
        at: Option<ConversionId>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(lead) = app.store.lead(id).await? else { return Ok(None) };
        let mut visitors: Vec<VisitorId> = lead.valid_joins().map(|join| join.visitor).collect();
        visitors.sort_unstable();
        visitors.dedup();
        let mut views = Vec::with_capacity(visitors.len());
        for visitor in visitors {
            views.push((visitor, app.store.page_views(&lead.site, visitor).await?));
        }
        let mut conversions = app.store.conversions(id).await?;
        conversions.sort_by_key(|conversion| conversion.number);
        let place = conversions.iter().position(|conversion| Some(conversion.id) == at);
        conversions.truncate(place.map_or(conversions.len(), |place| place + 1));
        let history = History::of_lead(&lead, &views, conversions);
        let filter = DeliveryFilter {
            site: lead.site.clone(),
            state: None,
            lead: Some(id),
            after: None,
            limit: 1_000,
        };
        let hand_off = Stand::of(&app.store.deliveries(filter).await?);
        let (mut changes, mut ledger, mut links) = (Vec::new(), Vec::new(), Vec::new());
        let mut told_at_ms = lead.converted_at_ms;
        for record in app.store.records(id).await? {
            let at_ms = match record {
                Record::Stage(change) => {
                    changes.push(change);
                    changes.last().map(|change| change.recorded_at_ms)
                }
                Record::Deal(entry) => {
                    ledger.push(entry);
                    ledger.last().map(|entry| entry.recorded_at_ms)
                }
                Record::Link(link) => {
                    links.push(link);
                    None
                }
            };
            told_at_ms = told_at_ms.max(at_ms.unwrap_or(told_at_ms));
        }
        let life_cycle = LifeCycle::of(lead.created_at_ms, &changes);
        Ok(Some(Self { lead, history, life_cycle, ledger, links, told_at_ms, hand_off }))
    }

    /// Finds a lead of a site, see [`find_lead`], with its history.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] or the store's.
    pub async fn find(
        app: &App,
        settings: &Settings,
        site: &SiteId,
        name: &str,
    ) -> Result<Self, ApiError> {
        let lead = find_lead(app, settings, site, name).await?;
        Self::load(app, lead.id, None).await?.ok_or(ApiError::NotFound("lead"))
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
        let told = |deal: &Deal<'_>| {
            let credit = credit(rule, &self.lead, &self.history, &self.life_cycle, deal);
            deal_json(deal, &credit)
        };
        self.deals().iter().map(told).collect()
    }

    fn rule(&self, settings: &Settings) -> Rule {
        // Leads outlive the site's settings; those of no site are the usual ones.
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
        let hand_off = self.hand_off.as_ref().map(|stand| HandOff {
            provider: stand.provider(settings, link),
            link,
            status: stand.state.as_str(),
            synced_at_ms: stand.sent_at_ms,
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
    pub fn fields_json(&self, settings: &Settings, asked: &Asked) -> Value {
        let long_text = asked.crm.map_or(limits::JOURNEY_BYTES, Crm::long_text);
        let wanted =
            |field: &Field| asked.names.as_ref().is_none_or(|names| names.contains(&field.name));
        let (deals, mut told) = (self.deals(), Map::new());
        for (field, value) in fields::build(self.subject(settings, &deals, long_text), wanted) {
            let (name, value) = match asked.crm {
                None => (field.name.clone(), value),
                Some(crm) => match crm.encode(field, value) {
                    Some(value) => (crm.field_name(&settings.config.field_prefix, field), value),
                    None => continue,
                },
            };
            let group = match asked.grouped {
                true => told.entry(field.group).or_insert_with(|| json!({})).as_object_mut(),
                false => Some(&mut told),
            };
            if let Some(group) = group {
                group.insert(name, value);
            }
        }
        let mut answer = json!({
            "lead_id": self.lead.id,
            "fields_version": FIELDS_VERSION,
            "updated_at": rfc3339(self.told_at_ms),
            "fields": told,
        });
        if let Some(crm) = asked.crm {
            answer["crm"] = crm.as_str().into();
        }
        answer
    }

    /// The answer of `POST /v1/leads` and `GET /v1/leads/{id}`.
    pub fn to_json(&self, settings: &Settings) -> Value {
        json!({
            "lead": lead_json(&self.lead),
            "conversion": self.history.conversions.last().map(conversion_json),
            "fields": self.fields(settings, limits::JOURNEY_BYTES),
            "journey": self.history.to_json(),
        })
    }
}

/// Finds a lead of a site by `UUID`, `email:ADDRESS`, `phone:NUMBER`, `crm:PROVIDER:TYPE:ID` or
/// `deal:SOURCE:ID`, without its history.
///
/// # Errors
/// [`ApiError::NotFound`] or the store's.
pub async fn find_lead(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    name: &str,
) -> Result<Lead, ApiError> {
    let identity = match name.split_once(':') {
        Some(("email", email)) => email_identity(email).map(|it| (IdentityKind::Email, it)),
        Some(("phone", phone)) => {
            e164(phone, settings.country(site)).map(|it| (IdentityKind::Phone, it))
        }
        Some(("crm", record)) => Some((IdentityKind::CrmRecord, record.to_owned())),
        Some(("deal", deal)) => Some((IdentityKind::Deal, deal.to_owned())),
        _ => None,
    };
    let id = match identity {
        Some((kind, value)) => app.store.find_lead(site, kind, &value).await?,
        None => LeadId::parse(name),
    };
    let lead = match id {
        Some(id) => app.store.lead(id).await?,
        None => None,
    };
    lead.filter(|lead| lead.site == *site).ok_or(ApiError::NotFound("lead"))
}

impl Stand {
    fn of(deliveries: &[Delivery]) -> Option<Self> {
        // The state that most needs somebody's eye.
        let need = |state: &DeliveryState| match state {
            DeliveryState::Sent => 0,
            DeliveryState::Pending => 1,
            DeliveryState::Sending => 2,
            DeliveryState::Retry => 3,
            DeliveryState::Dead => 4,
        };
        // Where the lead itself is handed off: neither what is told of it later, nor a subscription.
        let of_lead = |delivery: &&Delivery| {
            delivery.kind == DeliveryKind::Converted && !subscription::is_id(&delivery.destination)
        };
        let deliveries: Vec<&Delivery> = deliveries.iter().filter(of_lead).collect();
        let state = deliveries.iter().map(|delivery| delivery.state).max_by_key(need)?;
        let sent = deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Sent);
        let sent_at_ms = sent.map(|delivery| delivery.due_at_ms).max();
        let destinations = deliveries.iter().map(|delivery| delivery.destination.clone()).collect();
        Some(Self { destinations, state, sent_at_ms })
    }

    /// The CRM: that of the link, else one that the lead is on its way to, else a webhook.
    fn provider(&self, settings: &Settings, link: Option<&CrmLink>) -> Crm {
        let linked = link.and_then(|link| link.provider.parse().ok());
        let mut crms = settings.config.crm.iter();
        let mut on_its_way = || crms.find(|crm| self.destinations.contains(&crm.name));
        linked.or_else(|| on_its_way().map(CrmConfig::vendor)).unwrap_or(Crm::Webhook)
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fields::catalogue::find;

    #[test]
    fn the_catalogue_knows_the_states_of_deliveries() {
        let words = find("crm_sync_status").and_then(|field| field.kind.values()).unwrap();
        assert_eq!(words, DeliveryState::ALL.map(DeliveryState::as_str));
    }
}
