//! Leads that may be one person: what the store noted about them, without those that are merged
//! already or were found to be two people.

use super::find::answering;
use clew_store::{Leads, StoreError};
use shared::ids::{LeadId, SiteId};
use shared::lead::{Lead, LikeBy};
use std::collections::BTreeMap;

/// Two leads that may be one person.
pub struct Duplicate {
    /// The newer lead.
    pub lead: Lead,
    /// The older lead.
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
    let mut found = Vec::new();
    for lead in leads {
        for (other, by) in alike(&lead) {
            let Some(other) = answering(store, other).await? else { continue };
            if other.id != lead.id && !are_two(&lead, &other) && !are_two(&other, &lead) {
                found.push(Duplicate { lead: lead.clone(), other, by });
            }
        }
    }
    Ok((found, last))
}

/// The older leads that are like this one, and in what.
fn alike(lead: &Lead) -> BTreeMap<LeadId, Vec<LikeBy>> {
    let mut others: BTreeMap<LeadId, Vec<LikeBy>> = BTreeMap::new();
    for like in &lead.likenesses {
        others.entry(like.lead).or_default().push(like.by);
    }
    for other in lead.phone_shared_with.iter().filter(|other| **other < lead.id) {
        others.entry(*other).or_default().push(LikeBy::Phone);
    }
    others.values_mut().for_each(|by| by.sort_unstable());
    others
}

/// Whether the other lead was merged into this one and taken out again.
fn are_two(lead: &Lead, other: &Lead) -> bool {
    lead.merges.iter().any(|merge| !merge.is_valid() && merge.leads.contains(&other.id))
}
