//! One lead with everything that belongs to it, as it stood at one moment.
//!
//! Whatever changes what a lead consists of (a conversion, a join, its undoing) rewrites the lead's own
//! row in the same commit. So what is read between two equal readings of that row belongs together.

use super::keys;
use super::read::{page, read as read_row, scan};
use super::snapshot::Snapshots;
use super::transaction::failed;
use crate::dossier::{Dossier, MOST_DELIVERIES, visitors};
use crate::error::StoreError;
use crate::visitor::only_views;
use shared::ids::LeadId;
use shared::lead::Lead;

/// Readings beside the writer; then it waits for one that is certain.
const LOOKS: usize = 8;

pub(super) fn read(
    tree: &sled::Tree,
    snapshots: &Snapshots,
    lead: LeadId,
) -> Result<Option<Dossier>, StoreError> {
    let key = keys::lead(lead);
    for _ in 0..LOOKS {
        let before = tree.get(&key).map_err(failed)?;
        let dossier = gather(tree, lead)?;
        if tree.get(&key).map_err(failed)? == before {
            return Ok(dossier);
        }
    }
    let _still = snapshots.hold();
    gather(tree, lead)
}

fn gather(tree: &sled::Tree, lead: LeadId) -> Result<Option<Dossier>, StoreError> {
    let Some(lead) = read_row::<Lead>(tree, &keys::lead(lead))? else { return Ok(None) };
    let conversions = scan(tree, &keys::conversions(lead.id))?;
    let records = scan(tree, &keys::records(lead.id))?;
    let deliveries = page(tree, &keys::lead_deliveries(lead.id), None, MOST_DELIVERIES)?;
    let mut seen = Vec::new();
    for visitor in visitors(&lead) {
        seen.push((visitor, only_views(scan(tree, &keys::rows(&lead.site, visitor))?)));
    }
    Ok(Some(Dossier::new(lead, conversions, records, deliveries, seen)))
}
