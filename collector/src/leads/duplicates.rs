//! Leads that may be one person: what the store noted about them, without those that are merged
//! already or were found to be two people.

use super::find::answering;
use clew_store::{Leads, StoreError};
use shared::ids::{LeadId, SiteId};
use shared::lead::{Lead, LikeBy};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Two leads that may be one person.
pub struct Duplicate {
    /// The lead at which it was noticed.
    pub lead: Lead,
    /// The other lead.
    pub other: Lead,
    /// What they have in common.
    pub by: Vec<LikeBy>,
}

/// The likely duplicates among the next `limit` leads of a site, newest first, starting after
/// `after`. Returns them with the last lead that was looked at, if there may be more.
///
/// # Errors
/// The store's errors.
pub async fn duplicates(
    store: &(impl Leads + ?Sized),
    site: &SiteId,
    after: Option<LeadId>,
    limit: usize,
) -> Result<(Vec<Duplicate>, Option<LeadId>), StoreError> {
    let leads = store.leads(site, after, limit).await?;
    let last = leads.last().map(|lead| lead.id).filter(|_| leads.len() == limit);
    let (mut found, mut answers) = (Vec::new(), HashMap::new());
    for lead in leads {
        let mut others: BTreeMap<LeadId, (Lead, Vec<LikeBy>)> = BTreeMap::new();
        for (other, by) in alike(&lead) {
            let other = match answers.entry(other) {
                Entry::Occupied(known) => Option::<Lead>::clone(known.get()),
                Entry::Vacant(new) => new.insert(answering(store, other).await?).clone(),
            };
            let Some(other) = other else { continue };
            if other.id != lead.id && !are_two(&lead, &other) && !are_two(&other, &lead) {
                others.entry(other.id).or_insert_with(|| (other, Vec::new())).1.push(by);
            }
        }
        for (other, mut by) in others.into_values() {
            by.sort_unstable();
            by.dedup();
            found.push(Duplicate { lead: lead.clone(), other, by });
        }
    }
    Ok((found, last))
}

/// The leads that a lead is like, and in what. Of two that share a number, the newer one.
fn alike(lead: &Lead) -> Vec<(LeadId, LikeBy)> {
    let noted = lead.all_likenesses().map(|like| (like.lead, like.by));
    let shared = lead.shares_phone_with().into_iter().filter(|other| *other < lead.id);
    noted.chain(shared.map(|other| (other, LikeBy::Phone))).collect()
}

/// Whether the other lead was merged into this one and taken out again.
fn are_two(lead: &Lead, other: &Lead) -> bool {
    lead.merges.iter().any(|merge| !merge.is_valid() && merge.leads.contains(&other.id))
}
