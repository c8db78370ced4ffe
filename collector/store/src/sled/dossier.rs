//! Reads a lead with everything that belongs to it as one consistent snapshot.
//!
//! Each commit increases a counter in its own batch. What is read between two equal counts is
//! therefore consistent. If commits arrive too fast for that, the writer waits for one read.

use super::keys;
use super::read::{page, read as read_row, scan};
use super::snapshot::Snapshots;
use super::transaction::failed;
use crate::dossier::{Budget, Dossier, MOST_DELIVERIES, visitors};
use crate::error::StoreError;
use crate::visitor::trail;
use shared::ids::LeadId;
use shared::lead::Lead;

/// How many reads to try concurrently with the writer. After that, the writer has to wait.
const LOOKS: usize = 2;

pub(super) fn read(
    tree: &sled::Tree,
    snapshots: &Snapshots,
    lead: LeadId,
) -> Result<Option<Dossier>, StoreError> {
    for _ in 0..LOOKS {
        let before = tree.get(keys::COMMITS).map_err(failed)?;
        let dossier = gather(tree, lead)?;
        if tree.get(keys::COMMITS).map_err(failed)? == before {
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
    let (mut trails, mut unread, mut budget) = (Vec::new(), 0, Budget::default());
    for visitor in visitors(&lead) {
        if !budget.has_room() {
            unread += 1;
            continue;
        }
        let trail = trail(scan(tree, &keys::rows(&lead.site, visitor))?);
        budget.spend(&trail);
        trails.push((visitor, trail));
    }
    Ok(Some(Dossier::new(lead, conversions, records, deliveries, (trails, unread))))
}
