//! Finds what changed since a time, by search.
//!
//! A search returns no more than 10,000 results, so paging by number does not work. Instead, the
//! time of the last change is the lower bound of the next search. If all changes on a page have the
//! same time, the ids with that time are walked instead.
//!
//! Search results may be outdated. They only say which records changed; those are then read by id.
//! Otherwise an outdated search result could reopen a deal that a webhook reported as won.

use super::account::Hubspot;
use super::read::results;
use super::words::{BATCH, CONTACT, DEAL, id, time, unreadable};
use crate::crm::adapter::Page;
use crate::crm::record::{RecordRef, RecordState};
use crate::error::CallError;
use serde_json::{Value, json};

impl Hubspot {
    pub(super) async fn changed_since(&self, feed: &str, since_ms: i64) -> Result<Page, CallError> {
        let (kind, changed) = match feed {
            CONTACT => ("contacts", "lastmodifieddate"),
            DEAL => ("deals", "hs_lastmodifieddate"),
            other => return Err(CallError::Invalid(format!("there is no list `{other}`"))),
        };
        let since = json!({
            "propertyName": changed, "operator": "GTE", "value": since_ms.to_string(),
        });
        let (mut found, has_more) = self.search(kind, &[since], changed, changed).await?;
        let last_ms = match found.last() {
            None => since_ms,
            Some(last) => {
                time(&last["properties"][changed]).ok_or_else(|| unreadable("time of a change"))?
            }
        };
        let mut more_from_ms = has_more.then_some(last_ms);
        if has_more && last_ms <= since_ms {
            found = self.all_at(kind, changed, since_ms).await?;
            more_from_ms = Some(since_ms + 1);
        }
        let ids = found.iter().filter_map(|found| id(&found["id"]));
        let records = ids.map(|id| RecordRef { object: feed.to_owned(), id });
        let records: Vec<RecordRef> = records.collect();
        let mut changes = self.read_records(&records).await?;
        changes.sort_by_key(|change| match change {
            RecordState::Person(person) => person.changed_at_ms,
            RecordState::Deal(deal) => deal.changed_at_ms,
            RecordState::PersonGone(_) | RecordState::DealGone(_) => i64::MAX,
        });
        Ok(Page { changes, more_from_ms })
    }

    /// Everything that changed in one millisecond, by id: an import can change thousands of records
    /// at once.
    async fn all_at(
        &self,
        kind: &'static str,
        changed: &str,
        at_ms: i64,
    ) -> Result<Vec<Value>, CallError> {
        let at = at_ms.to_string();
        let then = json!({
            "propertyName": changed, "operator": "BETWEEN", "value": at, "highValue": at,
        });
        let mut walk = self.interrupted.resume(kind, at_ms);
        loop {
            let behind = json!({
                "propertyName": "hs_object_id", "operator": "GT", "value": walk.after.to_string(),
            });
            let filters = [then.clone(), behind];
            let (page, has_more) = match self.search(kind, &filters, "hs_object_id", changed).await
            {
                Ok(page) => page,
                Err(error) => {
                    self.interrupted.keep(walk);
                    return Err(error);
                }
            };
            let last = page.last().and_then(|last| id(&last["id"])?.parse().ok());
            walk.found.extend(page);
            match last {
                Some(last) if has_more && last > walk.after => walk.after = last,
                _ => return Ok(walk.found),
            }
        }
    }

    /// The first page of a search in ascending order, and whether there are more.
    async fn search(
        &self,
        kind: &str,
        filters: &[Value],
        sort: &str,
        property: &str,
    ) -> Result<(Vec<Value>, bool), CallError> {
        let body = json!({
            "filterGroups": [{ "filters": filters }], "sorts": [sort], "properties": [property],
            "limit": BATCH, "after": "0",
        });
        let body = self.post(&self.paths.objects(&format!("{kind}/search")), &body).await?;
        let has_more = id(&body["paging"]["next"]["after"]).is_some();
        Ok((results(&body)?.to_vec(), has_more))
    }
}
