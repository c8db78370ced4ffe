//! Merging leads that turned out to be one person, and undoing it. This is the one definition of the
//! verbs `merge` and `undo_merge`, independent of any backend.
//!
//! A merge moves nothing. The merged lead keeps its rows and names the lead that answers for it, and
//! the surviving lead names it; readers put the two together. What is reported from then on belongs
//! to the surviving lead, and stays there if the merge is undone.

use crate::dossier::Dossier;
use crate::record::Record;
use shared::ids::{ConversionId, LeadId};
use shared::lead::{Conversion, Lead, LeadStatus, Merge};
use shared::limits;

/// Two leads to be made one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMerge {
    /// The lead that keeps its id.
    pub survivor: LeadId,
    /// The lead that it answers for from now on.
    pub merged: LeadId,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The name of the API key.
    pub by: String,
}

/// Why leads were not merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MergeRefused {
    /// One of them is proposed, of another site, or merged into a third lead.
    #[error(
        "Only verified leads of one site can be merged, and not those that are merged already."
    )]
    NotVerified,
    /// Both are the same lead.
    #[error("Both are the same lead.")]
    Same,
    /// The survivor has no room for another one.
    #[error("A lead can be made of {} leads at most.", limits::LEAD_MERGES + 1)]
    Full,
}

/// Merges a lead into another one; `false` if that had been done before.
pub(super) fn merge(
    survivor: &mut Lead,
    merged: &mut Lead,
    new: NewMerge,
) -> Result<bool, MergeRefused> {
    if merged.id == survivor.id {
        return Err(MergeRefused::Same);
    }
    if merged.status == LeadStatus::Merged(survivor.id) {
        return Ok(false);
    }
    let is_verified = |lead: &Lead| lead.status == LeadStatus::Verified;
    if !is_verified(survivor) || !is_verified(merged) || survivor.site != merged.site {
        return Err(MergeRefused::NotVerified);
    }
    let merge = Merge::of(merged, new.at_ms, new.by);
    if survivor.merged_leads().count() + merge.leads.len() > limits::LEAD_MERGES {
        return Err(MergeRefused::Full);
    }
    survivor.merges.push(merge);
    merged.status = LeadStatus::Merged(survivor.id);
    Ok(true)
}

/// Whether a merge was undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Undone {
    /// Yes, now.
    Now,
    /// It had been undone before.
    Before,
    /// The two were never merged.
    Never,
}

/// Undoes a merge.
pub(super) fn undo(survivor: &mut Lead, merged: &mut Lead, now_ms: i64) -> Undone {
    let is_it = |merge: &&mut Merge| merge.lead() == Some(merged.id);
    let Some(merge) = survivor.merges.iter_mut().rfind(is_it) else { return Undone::Never };
    if !merge.is_valid() {
        return Undone::Before;
    }
    merge.undone_at_ms = Some(now_ms);
    merged.status = LeadStatus::Verified;
    Undone::Now
}

impl Dossier {
    /// Adds what belongs to a lead that this one answers for. Its visitors' page views are left
    /// out where the budget is used up.
    pub fn absorb(&mut self, merged: Self) {
        if self.numbers.is_empty() {
            self.numbers = numbers(self.lead.id, &self.conversions).collect();
        }
        self.numbers.extend(numbers(merged.lead.id, &merged.conversions));
        let Self { lead, conversions, records, deliveries, visitors, unread, .. } = merged;
        self.lead.joins.extend(lead.joins);
        let family: Vec<LeadId> = self.lead.merged_leads().chain([self.lead.id]).collect();
        for join in &mut self.lead.joins {
            // What the same person did before is there anyway.
            if join.from_lead.is_some_and(|before| family.contains(&before)) {
                join.shown_from_ms = None;
            }
        }
        self.conversions.extend(conversions);
        self.conversions.sort_by_key(|conversion| (conversion.at_ms, conversion.id));
        (1..).zip(&mut self.conversions).for_each(|(number, made)| made.number = number);
        absorb_records(&self.lead, &mut self.records, lead.id, records);
        self.deliveries.extend(deliveries);
        self.unread += unread;
        let mut budget = self.budget();
        for (visitor, trail) in visitors {
            if self.visitors.iter().any(|(known, _)| *known == visitor) {
                continue;
            }
            if budget.has_room() {
                budget.spend(&trail);
                self.visitors.push((visitor, trail));
            } else {
                self.unread += 1;
            }
        }
    }
}

/// Adds the records of a lead merged into `survivor` to its own. The survivor's CRM record stays its
/// record; only a link made since the merge counts, because the CRM may have merged the two.
pub fn absorb_records(
    survivor: &Lead,
    own: &mut Vec<Record>,
    merged: LeadId,
    records: Vec<Record>,
) {
    let merge = survivor.valid_merges().find(|merge| merge.leads.contains(&merged));
    let merged_at_ms = merge.map_or(i64::MIN, |merge| merge.merged_at_ms);
    let is_linked = |provider: &str| {
        let mut own = own.iter();
        own.any(|one| matches!(one, Record::Link(link) if link.provider == provider))
    };
    let is_kept = |record: &Record| match record {
        Record::Link(link) => link.linked_at_ms > merged_at_ms || !is_linked(&link.provider),
        Record::Stage(_) | Record::Deal(_) => true,
    };
    let kept: Vec<Record> = records.into_iter().filter(is_kept).collect();
    own.extend(kept);
    own.sort_by_key(|record| (record.recorded_at_ms(), record.id()));
}

/// What each conversion is stored as.
fn numbers(
    lead: LeadId,
    conversions: &[Conversion],
) -> impl Iterator<Item = (ConversionId, (LeadId, u32))> {
    conversions.iter().map(move |made| (made.id, (lead, made.number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::SiteId;
    use shared::lead::Contact;

    fn lead(number: u8) -> Lead {
        let contact = Contact {
            email: Some(format!("{number}@example.com")),
            phone: (number == 2).then(|| "+33612345678".into()),
            ..Contact::default()
        };
        let id = LeadId::new(0, [number; 10]);
        Lead { contact, ..Lead::new(id, SiteId::parse("demo").unwrap(), number.into()) }
    }

    fn new(survivor: &Lead, merged: &Lead) -> NewMerge {
        NewMerge { survivor: survivor.id, merged: merged.id, at_ms: 9, by: "key".into() }
    }

    #[test]
    fn one_person_has_several_addresses() {
        let (mut first, mut second, mut third) = (lead(1), lead(2), lead(3));
        let request = new(&second, &third);
        assert_eq!(merge(&mut second, &mut third, request.clone()), Ok(true));
        assert_eq!(merge(&mut second, &mut third, request), Ok(false));
        let request = new(&first, &second);
        assert_eq!(merge(&mut first, &mut second, request), Ok(true));
        assert_eq!(first.emails(), ["1@example.com", "2@example.com", "3@example.com"]);
        assert_eq!(first.known_contact().phone.as_deref(), Some("+33612345678"));
        assert_eq!(first.merged_leads().collect::<Vec<_>>(), [second.id, third.id]);
        assert_eq!((first.converted_at_ms, first.last_converted_at_ms()), (1, 3));

        // What is merged is undone from the outside in.
        assert_eq!(undo(&mut first, &mut third, 10), Undone::Never);
        assert_eq!(undo(&mut first, &mut second, 10), Undone::Now);
        assert_eq!(undo(&mut first, &mut second, 11), Undone::Before);
        assert_eq!(first.last_converted_at_ms(), 1);
        assert_eq!((first.emails(), first.known_contact().phone), (vec!["1@example.com"], None));
        assert_eq!((second.status, second.emails().len()), (LeadStatus::Verified, 2));
        assert_eq!(third.status, LeadStatus::Merged(second.id));
    }

    #[test]
    fn what_cannot_be_merged() {
        let check = |change: fn(&mut Lead, &mut Lead), expected| {
            let (mut first, mut second) = (lead(1), lead(2));
            change(&mut first, &mut second);
            let before = (first.clone(), second.clone());
            let request = new(&first, &second);
            assert_eq!(merge(&mut first, &mut second, request), Err(expected));
            assert_eq!((first, second), before);
        };
        check(|first, second| second.id = first.id, MergeRefused::Same);
        check(|first, _| first.status = LeadStatus::Proposed, MergeRefused::NotVerified);
        check(|_, second| second.status = LeadStatus::Proposed, MergeRefused::NotVerified);
        check(
            |_, second| second.status = LeadStatus::Merged(lead(3).id),
            MergeRefused::NotVerified,
        );
        check(|_, second| second.site = SiteId::parse("other").unwrap(), MergeRefused::NotVerified);
        let fill = |first: &mut Lead, _: &mut Lead| {
            for number in 0..limits::LEAD_MERGES {
                let mut other = lead(10 + number as u8);
                let request = new(first, &other);
                assert_eq!(merge(first, &mut other, request), Ok(true));
            }
        };
        check(fill, MergeRefused::Full);
    }
}
