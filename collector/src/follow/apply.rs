//! Records what is new in records that were read from a CRM.

use super::work::Work;
use super::{deal, person};
use clew_connect::crm::record::Change;
use clew_store::StoreError;

/// Records what is new, in the order of the changes.
pub(super) async fn apply(work: &Work<'_>, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Person(record) => person::apply(work, record).await?,
            Change::Deal(record) => deal::apply(work, record).await?,
            Change::DealGone(id) => deal::gone(work, id).await?,
            // A person deleted in the CRM is still a lead here.
            Change::PersonGone(_) => {}
        }
    }
    Ok(())
}
