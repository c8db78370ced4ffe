//! Keeps what is new of records as they stand in a CRM.

use super::work::Work;
use super::{deal, person};
use clew_connect::crm::record::Change;
use clew_store::StoreError;

/// Keeps what is new, in the order of the records.
pub(super) async fn apply(work: &Work<'_>, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        match change {
            Change::Person(record) => person::apply(work, record).await?,
            Change::Deal(record) => deal::apply(work, record).await?,
            Change::DealGone(id) => deal::gone(work, id).await?,
            // Who is gone there is still a lead here.
            Change::PersonGone(_) => {}
        }
    }
    Ok(())
}
