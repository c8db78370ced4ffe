//! Checks that a store is consistent: stored counts match the rows, and references between entities
//! match on both sides. Pure; it takes entities one by one and reports at the end.

use clew_store::visitor::{Row, Visitor, trail};
use clew_store::{DeliveryId, Entity, Record};
use shared::ids::{LeadId, SiteId, VisitorId};
use shared::lead::{Conversion, IdentityKind, Lead, LeadStatus, Merge};
use shared::time::rfc3339;
use std::collections::{BTreeMap, HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// Problems that are reported one by one; further ones are only counted.
const LISTED: usize = 20;

/// A check in progress; takes every entity of a store.
#[derive(Default)]
pub struct Check {
    counts: Counts,
    rules: BTreeMap<u64, u64>,
    digest: u128,
    problems: Vec<String>,
    further: u64,
    leads: HashSet<LeadId>,
    /// For each visitor, the lead that its record names and the lead that claims it now.
    members: HashMap<(SiteId, VisitorId), Membership>,
    /// For each deal or CRM record, the lead that it is looked up as and the lead that it was
    /// reported for.
    identities: HashMap<(SiteId, IdentityKind, String), Membership>,
    /// Leads that another entity refers to, and what that entity is.
    named: HashMap<LeadId, &'static str>,
    /// For each merged lead, the lead that it names and the lead that names it.
    merged: HashMap<LeadId, Membership>,
    /// For each handover of a visitor, the number of leads that gave it minus those that took it; 0
    /// if both sides agree.
    handovers: HashMap<Handover, i32>,
}

/// Site, visitor, time, giving lead, taking lead.
type Handover = (SiteId, VisitorId, i64, LeadId, LeadId);

#[derive(Default)]
struct Membership {
    by_record: Option<LeadId>,
    by_lead: Option<LeadId>,
}

/// The number of entities of each kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Visitors.
    pub visitors: u64,
    /// Page views.
    pub page_views: u64,
    /// Engagement totals whose page view has not arrived.
    pub stubs: u64,
    /// Form submissions, custom events and identifications.
    pub actions: u64,
    /// Touches of all journeys.
    pub touches: u64,
    /// Leads.
    pub leads: u64,
    /// Conversions of leads.
    pub conversions: u64,
    /// Deliveries in any state.
    pub deliveries: u64,
    /// Stages, deals and links recorded for leads.
    pub records: u64,
    /// Records that match no lead.
    pub unmatched: u64,
    /// Memos: the state of background work, and subscriptions.
    pub memos: u64,
    /// Identities by which leads are looked up.
    pub identities: u64,
    /// Names and mailboxes by which likely duplicates are noticed.
    pub likenesses: u64,
    /// Idempotency keys.
    pub used_keys: u64,
}

/// The result of a check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The number of entities.
    pub counts: Counts,
    /// Page views by the hash of the rules that labelled them.
    pub rules: BTreeMap<u64, u64>,
    /// Digest of all entities, independent of their order and of the backend.
    pub digest: String,
    /// Inconsistencies, one sentence each.
    pub problems: Vec<String>,
    /// The number of problems that are not listed.
    pub further: u64,
}

impl Check {
    /// Takes an entity.
    ///
    /// # Errors
    /// If the entity cannot be serialized, which should not happen.
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
                match kind {
                    IdentityKind::Name | IdentityKind::Mailbox => self.counts.likenesses += 1,
                    _ => self.counts.identities += 1,
                }
                if matches!(kind, IdentityKind::Deal | IdentityKind::CrmRecord) {
                    let key = (site.clone(), *kind, value.clone());
                    self.identities.entry(key).or_default().by_record = Some(*lead);
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

    /// Compares what all entities said and returns the report.
    pub fn finish(mut self) -> Report {
        for (lead, what) in std::mem::take(&mut self.named) {
            if !self.leads.contains(&lead) {
                self.complain(format!("{what} refers to lead {lead}, which does not exist"));
            }
        }
        for ((site, visitor), member) in std::mem::take(&mut self.members) {
            if member.by_record != member.by_lead {
                let text = |lead: Option<LeadId>| lead.map_or("none".into(), |lead| lead.to_text());
                let (record, lead) = (text(member.by_record), text(member.by_lead));
                self.complain(format!(
                    "visitor {visitor} of {site}: its record names lead {record}, but it is claimed by lead {lead}"
                ));
            }
        }
        for (lead, member) in std::mem::take(&mut self.merged) {
            if member.by_record != member.by_lead {
                self.complain(format!(
                    "lead {lead}: it and the lead that it was merged into disagree on that"
                ));
            }
        }
        for ((site, kind, name), member) in std::mem::take(&mut self.identities) {
            // A CRM record may have been reported together with a stage or a deal.
            let reported_together = kind == IdentityKind::CrmRecord && member.by_lead.is_none();
            if member.by_record != member.by_lead && !reported_together {
                let kind = kind.as_str();
                self.complain(format!(
                    "{kind} {name} of {site}: looking it up does not find the lead that it was reported for"
                ));
            }
        }
        for ((site, visitor, at_ms, from, to), sides) in std::mem::take(&mut self.handovers) {
            if sides != 0 {
                let at = rfc3339(at_ms);
                self.complain(format!(
                    "visitor {visitor} of {site}: it moved from lead {from} to lead {to} at {at}, but only one of \
                     the two leads records this"
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
                "{}: has {} page views and {actions} actions, but its record counts {} and {}",
                name(),
                views.len() as u32 + stubs,
                record.views,
                record.actions
            ));
        }
        if record.summed_up.is_some() != trail.past.is_some() {
            self.complain(format!(
                "{}: its record and its rows disagree on whether rows were summed up",
                name()
            ));
        }
        if let Some(until) = record.summed_up.map(|summed_up| summed_up.until)
            && views.iter().any(|view| view.position() <= until)
        {
            self.complain(format!("{}: a page view is both stored and summed up", name()));
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
                    "lead {}: is stored with a delivery of lead {}",
                    lead.id, id.lead
                ));
            }
        }
        let mut numbers: Vec<u32> =
            conversions.iter().map(|conversion| conversion.number).collect();
        numbers.sort_unstable();
        if !numbers.iter().copied().eq(1..=lead.conversions) {
            self.complain(format!(
                "lead {}: counts {} conversions, but the stored ones are numbered {numbers:?}",
                lead.id, lead.conversions
            ));
        }
        for merged in lead.valid_merges().filter_map(Merge::lead) {
            self.merged.entry(merged).or_default().by_lead = Some(lead.id);
        }
        match lead.status {
            LeadStatus::Verified => {}
            LeadStatus::Merged(into) => {
                self.merged.entry(lead.id).or_default().by_record = Some(into);
            }
            // A proposed lead takes over no visitors.
            LeadStatus::Proposed | LeadStatus::Confirmed(_) => return,
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
                    "visitor {visitor}: leads {other} and {} both claim it",
                    lead.id
                ));
            }
        }
    }

    fn records(&mut self, lead: &Lead, records: &[Record]) {
        self.counts.records += records.len() as u64;
        for (kind, name) in records.iter().filter_map(Record::identity) {
            let member = self.identities.entry((lead.site.clone(), kind, name)).or_default();
            let before = member.by_lead.replace(lead.id);
            if let Some(other) = before.filter(|other| *other != lead.id) {
                let (kind, lead) = (kind.as_str(), lead.id);
                self.complain(format!("the same {kind} was reported for leads {other} and {lead}"));
            }
        }
    }

    fn complain(&mut self, problem: String) {
        match self.problems.len() < LISTED {
            true => self.problems.push(problem),
            false => self.further += 1,
        }
    }
}

#[cfg(test)]
mod tests;
