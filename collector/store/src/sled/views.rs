//! A visitor's page views within a commit.

use super::keys;
use super::transaction::Transaction;
use crate::error::StoreError;
use crate::visitor::{Row, only_views};
use shared::ids::{SiteId, VisitorId};
use shared::page_view::PageView;

/// A visitor's page views, in the order of their ids.
pub(super) fn views(
    transaction: &Transaction<'_>,
    site: &SiteId,
    visitor: VisitorId,
) -> Result<Vec<PageView>, StoreError> {
    let rows: Vec<Row> = transaction.scan(&keys::rows(site, visitor))?;
    Ok(only_views(rows))
}
