//! Merging two leads, and undoing it. The store decides; the CRMs get the lead's new fields.

use crate::settings::Settings;
use clew_core::Core;
use clew_store::{DeliveryKind, DestinationId, MergeRefused, NewMerge, StoreError};
use shared::ids::LeadId;
use shared::lead::Lead;

/// Merges a lead into another one. Returns the surviving lead, or why they were not merged.
///
/// # Errors
/// The store's errors.
pub async fn merge(
    core: &Core,
    settings: &Settings,
    survivor: LeadId,
    merged: LeadId,
    by: &str,
) -> Result<Result<Lead, MergeRefused>, StoreError> {
    let new = NewMerge { survivor, merged, at_ms: core.now_ms(), by: by.to_owned() };
    let done = core.store.merge(new).await?;
    if done.is_ok() {
        hand_off_again(core, settings, survivor).await?;
    }
    Ok(done)
}

/// Undoes the merge of a lead into another one; `false` if they never were merged.
///
/// # Errors
/// The store's errors.
pub async fn undo_merge(
    core: &Core,
    settings: &Settings,
    survivor: LeadId,
    merged: LeadId,
) -> Result<bool, StoreError> {
    let undone = core.store.undo_merge(survivor, merged, core.now_ms()).await?;
    if undone.is_some() {
        hand_off_again(core, settings, survivor).await?;
        hand_off_again(core, settings, merged).await?;
    }
    Ok(undone.is_some())
}

/// Repeats the hand-off of the lead's last conversion to each of its CRMs. It writes the fields as
/// they are now, and finds the conversion's note.
///
/// # Errors
/// The store's errors.
pub async fn hand_off_again(
    core: &Core,
    settings: &Settings,
    lead: LeadId,
) -> Result<(), StoreError> {
    let Some(dossier) = core.store.dossiers(&[lead]).await?.pop() else { return Ok(()) };
    for crm in &settings.config.crm {
        let crm = DestinationId::Configured(crm.name.clone());
        let own = dossier.deliveries.iter().filter(|delivery| {
            delivery.kind == DeliveryKind::Converted && delivery.destination == crm
        });
        if let Some(last) = own.max_by_key(|delivery| (delivery.created_at_ms, delivery.id)) {
            core.store.replay_delivery(last.id, core.now_ms()).await?;
        }
    }
    Ok(())
}
