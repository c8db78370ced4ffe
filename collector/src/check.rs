//! Whether a store holds together: counts are those of the rows, and what one entity says of another is
//! so. Pure; it takes entities one after the other and tells at the end.

use clew_store::visitor::{Row, Visitor, trail};
use clew_store::{DeliveryId, Entity, Record};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead, Standing};
use shared::time::rfc3339;
use std::collections::{BTreeMap, HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// Problems that are told one by one; further ones are counted.
const TOLD: usize = 20;

/// Takes everything that a store holds.
#[derive(Default)]
pub struct Check {
    counts: Counts,
    rules: BTreeMap<u64, u64>,
    digest: u128,
    problems: Vec<String>,
    further: u64,
    leads: HashSet<LeadId>,
    /// Which lead a browser's record names, and which leads name the browser as theirs now.
    members: HashMap<(SiteId, VisitorId), Membership>,
    /// To which lead a deal or a record of a CRM leads, and of which it was told.
    told_of: HashMap<(SiteId, IdentityKind, String), Membership>,
    /// Leads that something else names, and what.
    named: HashMap<LeadId, &'static str>,
    /// Where browsers change hands: how many leads say that they gave one, less those that took it.
    handovers: HashMap<Handover, i32>,
}

/// Site, browser, time, from whom, to whom.
type Handover = (SiteId, VisitorId, i64, LeadId, LeadId);

#[derive(Default)]
struct Membership {
    by_record: Option<LeadId>,
    by_lead: Option<LeadId>,
}

/// How much there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Browsers.
    pub visitors: u64,
    /// Page views.
    pub page_views: u64,
    /// Totals whose page view has not come.
    pub stubs: u64,
    /// Forms, custom events, identifications.
    pub actions: u64,
    /// Touches of all journeys.
    pub touches: u64,
    /// Persons.
    pub leads: u64,
    /// What they did.
    pub conversions: u64,
    /// What was handed off, or is to be.
    pub deliveries: u64,
    /// What was told of leads since.
    pub records: u64,
    /// What was told of nobody who is known.
    pub unmatched: u64,
    /// What was remembered.
    pub memos: u64,
    /// What leads are found by.
    pub identities: u64,
    /// Idempotency keys.
    pub used_keys: u64,
}

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// How much there is.
    pub counts: Counts,
    /// Page views by the hash of the rules that labelled them.
    pub rules: BTreeMap<u64, u64>,
    /// The same for the same entities in any order, on any backend.
    pub digest: String,
    /// What does not hold together, in sentences.
    pub problems: Vec<String>,
    /// Problems beyond those.
    pub further: u64,
}

impl Check {
    /// Takes an entity.
    ///
    /// # Errors
    /// None that a correct serializer makes.
    pub fn take(&mut self, entity: &Entity) -> serde_json::Result<()> {
        self.digest = self.digest.wrapping_add(xxh3_128(&serde_json::to_vec(entity)?));
        match entity {
            Entity::Visitor { site, visitor, record, events } => {
                let rows = events.iter().map(|event| &event.row);
                self.visitor(site, *visitor, record, rows);
            }
            Entity::Lead { lead, conversions, deliveries, records } => {
                self.records(lead, records);
                let ids = deliveries.iter().map(|hand_off| hand_off.delivery.id);
                self.lead(lead, conversions, ids);
            }
            Entity::Identity { site, kind, value, lead } => {
                self.counts.identities += 1;
                if matches!(kind, IdentityKind::Deal | IdentityKind::CrmRecord) {
                    let key = (site.clone(), *kind, value.clone());
                    self.told_of.entry(key).or_default().by_record = Some(*lead);
                }
                self.named.insert(*lead, "an identity");
            }
            Entity::UsedKey { used, .. } => {
                self.counts.used_keys += 1;
                self.named.insert(used.lead, "an idempotency key");
            }
            Entity::Unmatched(_) => self.counts.unmatched += 1,
            Entity::Memo(_) => self.counts.memos += 1,
        }
        Ok(())
    }

    /// What was found.
    pub fn finish(mut self) -> Report {
        for (lead, what) in std::mem::take(&mut self.named) {
            if !self.leads.contains(&lead) {
                self.complain(format!("{what} names the lead {lead}, which is not there"));
            }
        }
        for ((site, visitor), member) in std::mem::take(&mut self.members) {
            if member.by_record != member.by_lead {
                let told = |lead: Option<LeadId>| lead.map_or("none".into(), |lead| lead.to_text());
                let (record, lead) = (told(member.by_record), told(member.by_lead));
                self.complain(format!(
                    "visitor {visitor} of {site}: its record names the lead {record}, the leads name {lead}"
                ));
            }
        }
        for ((site, kind, name), member) in std::mem::take(&mut self.told_of) {
            // A record of a CRM may have been told with something else.
            let told_with = kind == IdentityKind::CrmRecord && member.by_lead.is_none();
            if member.by_record != member.by_lead && !told_with {
                let kind = kind.as_str();
                self.complain(format!(
                    "{kind} {name} of {site}: the lead of which it was told is not found by it"
                ));
            }
        }
        for ((site, visitor, at_ms, from, to), sides) in std::mem::take(&mut self.handovers) {
            if sides != 0 {
                let at = rfc3339(at_ms);
                self.complain(format!(
                    "visitor {visitor} of {site}: that it went from the lead {from} to {to} at {at}, only one \
                     of them says"
                ));
            }
        }
        self.problems.sort_unstable();
        let digest = base16ct::lower::encode_string(&self.digest.to_be_bytes());
        let Self { counts, rules, problems, further, .. } = self;
        Report { counts, rules, digest, problems, further }
    }

    fn visitor<'a>(
        &mut self,
        site: &SiteId,
        visitor: VisitorId,
        record: &Visitor,
        rows: impl Iterator<Item = &'a Row>,
    ) {
        let rows: Vec<&Row> = rows.collect();
        let count = |is_it: fn(&Row) -> bool| rows.iter().filter(|row| is_it(row)).count() as u32;
        let stubs = count(|row| matches!(row, Row::Stub(_)));
        let actions = count(|row| matches!(row, Row::Action(_)));
        let trail = trail(rows.into_iter().cloned());
        let views = &trail.views;
        for view in views {
            *self.rules.entry(view.rules).or_default() += 1;
        }
        self.counts.visitors += 1;
        self.counts.stubs += u64::from(stubs);
        self.counts.actions += u64::from(actions);
        let journey = trail.journey();
        self.counts.page_views += u64::from(journey.page_views());
        self.counts.touches += journey.touches.len() as u64 + u64::from(journey.left_out.touches);
        let name = || format!("visitor {visitor} of {site}");
        if (record.views, record.actions) != (views.len() as u32 + stubs, actions) {
            self.complain(format!(
                "{}: {} page views and {actions} actions are there, {} and {} are counted",
                name(),
                views.len() as u32 + stubs,
                record.views,
                record.actions
            ));
        }
        if record.summed_up.is_some() != trail.past.is_some() {
            self.complain(format!(
                "{}: its record and its rows do not agree on whether rows were summed up",
                name()
            ));
        }
        if let Some(until) = record.summed_up.map(|summed_up| summed_up.until)
            && views.iter().any(|view| view.position() <= until)
        {
            self.complain(format!("{}: a page view is there and summed up, too", name()));
        }
        if let Some(lead) = record.proposed {
            self.named.insert(lead, "a visitor");
        }
        if record.lead.is_some() {
            self.members.entry((site.clone(), visitor)).or_default().by_record = record.lead;
        }
    }

    fn lead(
        &mut self,
        lead: &Lead,
        conversions: &[Conversion],
        deliveries: impl Iterator<Item = DeliveryId>,
    ) {
        self.counts.leads += 1;
        self.counts.conversions += conversions.len() as u64;
        self.leads.insert(lead.id);
        for id in deliveries {
            self.counts.deliveries += 1;
            if id.lead != lead.id {
                self.complain(format!(
                    "lead {}: a delivery of the lead {} is with it",
                    lead.id, id.lead
                ));
            }
        }
        let mut numbers: Vec<u32> =
            conversions.iter().map(|conversion| conversion.number).collect();
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=lead.conversions) {
            self.complain(format!(
                "lead {}: {} conversions are counted, and those that are there are numbered {numbers:?}",
                lead.id, lead.conversions
            ));
        }
        // A proposal takes no browser.
        if lead.standing != Standing::Verified {
            return;
        }
        for join in lead.valid_joins() {
            let mut handover = |at_ms: Option<i64>, from, to, side| {
                if let (Some(at_ms), Some(from), Some(to)) = (at_ms, from, to) {
                    let key = (lead.site.clone(), join.visitor, at_ms, from, to);
                    *self.handovers.entry(key).or_default() += side;
                }
            };
            handover(join.until_ms, Some(lead.id), join.until_lead, 1);
            handover(join.from_ms, join.from_lead, Some(lead.id), -1);
        }
        for join in lead.valid_joins().filter(|join| join.until_ms.is_none()) {
            let member = self.members.entry((lead.site.clone(), join.visitor)).or_default();
            if let Some(other) = member.by_lead.replace(lead.id).filter(|other| *other != lead.id) {
                let visitor = join.visitor;
                self.complain(format!(
                    "visitor {visitor}: the leads {other} and {} both have it now",
                    lead.id
                ));
            }
        }
    }

    fn records(&mut self, lead: &Lead, records: &[Record]) {
        self.counts.records += records.len() as u64;
        for (kind, name) in records.iter().filter_map(Record::identity) {
            let member = self.told_of.entry((lead.site.clone(), kind, name)).or_default();
            let before = member.by_lead.replace(lead.id);
            if let Some(other) = before.filter(|other| *other != lead.id) {
                let (kind, lead) = (kind.as_str(), lead.id);
                self.complain(format!("the leads {other} and {lead} both were told of one {kind}"));
            }
        }
    }

    fn complain(&mut self, problem: String) {
        match self.problems.len() < TOLD {
            true => self.problems.push(problem),
            false => self.further += 1,
        }
    }
}

#[cfg(test)]
mod tests;
