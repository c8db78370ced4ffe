//! Records what is new in records that were read from a CRM.

use super::work::Work;
use super::{deal, person};
use clew_connect::crm::record::RecordState;
use clew_store::StoreError;

/// Records what is new, in the order of the changes.
pub(super) async fn apply(work: &Work<'_>, changes: &[RecordState]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            RecordState::Person(record) => person::apply(work, record).await?,
            RecordState::Deal(record) => deal::apply(work, record).await?,
            RecordState::DealGone(id) => deal::gone(work, id).await?,
            // A person deleted in the CRM is still a lead here.
            RecordState::PersonGone(_) => {}
        }
    }
    Ok(())
}
