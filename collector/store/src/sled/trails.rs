//! Reads a visitor's rows within a commit.

use super::keys;
use super::transaction::{Transaction, corrupt};
use crate::error::StoreError;
use crate::visitor::{self, Row};
use shared::ids::{EventId, SiteId, VisitorId};
use shared::visit::Trail;
use uuid::Uuid;

/// A visitor's rows with their ids, in the order of the ids.
pub(super) fn rows(
    transaction: &Transaction<'_>,
    site: &SiteId,
    visitor: VisitorId,
) -> Result<Vec<(EventId, Row)>, StoreError> {
    let prefix = keys::rows(site, visitor);
    let rows = transaction.scan(&prefix)?.into_iter().map(|(key, row)| {
        let id = Uuid::from_slice(&key[prefix.len()..]);
        Ok((EventId(id.map_err(|_| corrupt(&key, "it names no event"))?), row))
    });
    rows.collect()
}

/// A visitor's page views and summary.
pub(super) fn trail(
    transaction: &Transaction<'_>,
    site: &SiteId,
    visitor: VisitorId,
) -> Result<Trail, StoreError> {
    Ok(visitor::trail(rows(transaction, site, visitor)?.into_iter().map(|(_, row)| row)))
}
