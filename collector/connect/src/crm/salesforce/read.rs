//! Reads the current state of Salesforce's records: given ones, or those that changed since a time.

use super::error::SalesforceError;
use super::organization::Salesforce;
use super::record::changed_at;
use super::soql::{Rows, id, quote, text};
use crate::call::Request;
use crate::crm::adapter::Page;
use crate::crm::record::{RecordRef, RecordState};
use crate::error::CallError;
use serde_json::Value;
use shared::time::rfc3339;
use std::collections::{BTreeMap, BTreeSet};

/// The most ids in one query, so that its URL stays short enough.
const IDS: usize = 200;
/// How far back deleted records are reported: just under fifteen days.
const DELETED_MS: i64 = 15 * 86_400_000 - 3_600_000;
/// The shortest period for which deleted records can be requested: more than a minute, ignoring
/// seconds.
const SHORTEST_MS: i64 = 120_000;

impl Salesforce {
    /// The current state of records. Those that are not found are gone.
    pub(super) async fn read_records(
        &self,
        records: &[RecordRef],
    ) -> Result<Vec<RecordState>, SalesforceError> {
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for record in records {
            wanted.entry(&record.object).or_default().insert(&record.id);
        }
        let mut changes = Vec::new();
        for (object, ids) in wanted {
            let ids: Vec<&str> = ids.into_iter().collect();
            for ids in ids.chunks(IDS) {
                let list: Vec<String> = ids.iter().map(|id| quote(id)).collect();
                let condition = format!("WHERE Id IN ({})", list.join(","));
                let mut page = self.rows(object, &condition).await?;
                let mut found = BTreeSet::new();
                loop {
                    for row in &page.records {
                        found.insert(short(id(row)?).to_owned());
                        changes.push(self.change(object, row)?);
                    }
                    let Some(next) = &page.next else { break };
                    page = self.page(next).await?;
                }
                let gone = ids.iter().filter(|id| !found.contains(short(id)));
                changes.extend(gone.map(|id| gone_record(object, id)));
            }
        }
        Ok(changes)
    }

    /// What changed or was deleted since a time. Times are queried in whole seconds, and a page
    /// always extends beyond the second in which it began, so that the next one begins later.
    pub(super) async fn changed_since(
        &self,
        feed: &str,
        since_ms: i64,
    ) -> Result<Page, SalesforceError> {
        let since_ms = since_ms.div_euclid(1000) * 1000;
        let since = rfc3339(since_ms);
        let condition =
            format!("WHERE SystemModstamp >= {since} ORDER BY SystemModstamp ASC, Id ASC");
        let mut page = self.rows(feed, &condition).await?;
        let mut changes = Vec::new();
        let mut last_ms = since_ms;
        let more_from_ms = loop {
            for row in &page.records {
                changes.push(self.change(feed, row)?);
                last_ms = last_ms.max(changed_at(row)?);
            }
            match &page.next {
                None => break None,
                Some(_) if last_ms - since_ms >= 1000 => break Some(last_ms),
                Some(next) => page = self.page(next).await?,
            }
        };
        changes.extend(self.deleted(feed, since_ms, more_from_ms).await?);
        Ok(Page { changes, more_from_ms })
    }

    /// What was deleted during the time covered by a page.
    async fn deleted(
        &self,
        object: &str,
        since_ms: i64,
        until_ms: Option<i64>,
    ) -> Result<Vec<RecordState>, SalesforceError> {
        let now_ms = self.caller.now_ms();
        let (earliest_ms, end_ms) = (now_ms - DELETED_MS, until_ms.unwrap_or(now_ms));
        let start_ms = since_ms.min(end_ms - SHORTEST_MS).max(earliest_ms);
        if end_ms - start_ms < SHORTEST_MS {
            return Ok(Vec::new());
        }
        // With an offset, as in Salesforce's examples.
        let time = |at_ms| rfc3339(at_ms).replace('Z', "%2B00:00");
        let (start, end) = (time(start_ms), time(end_ms));
        let path = format!("{}/sobjects/{object}/deleted?start={start}&end={end}", self.data);
        let body = match self.call(&Request::get(&path)).await {
            Ok(body) => body,
            // The organization is younger than that, or its recycle bin was purged: deletions are
            // unknown.
            Err(SalesforceError::Other(CallError::Invalid(message)))
                if message.contains("INVALID_REPLICATION_DATE") =>
            {
                return Ok(Vec::new());
            }
            Err(failure) => return Err(failure),
        };
        let records = body["deletedRecords"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids = records.iter().filter_map(|record| text(record, "id"));
        Ok(ids.map(|id| gone_record(object, id)).collect())
    }

    /// The first page of a query's result. Leaves out columns that turn out not to exist in this
    /// organization.
    async fn rows(&self, object: &str, condition: &str) -> Result<Rows, SalesforceError> {
        loop {
            let select = self.select(object).ok_or_else(|| {
                SalesforceError::Other(CallError::Invalid(format!(
                    "records of the kind {object} are not read"
                )))
            })?;
            match self.query(&format!("{select} {condition}")).await {
                Err(SalesforceError::Other(CallError::UnknownField { names, message })) => {
                    if !self.is_dispensable(object, &names) {
                        return Err(SalesforceError::Other(CallError::Invalid(message)));
                    }
                }
                rows => return rows,
            }
        }
    }

    async fn page(&self, path: &str) -> Result<Rows, SalesforceError> {
        Rows::read(self.call(&Request::get(path)).await?)
    }

    fn change(&self, object: &str, row: &Value) -> Result<RecordState, SalesforceError> {
        Ok(match object {
            "Opportunity" => RecordState::Deal(self.deal(row)?),
            _ => RecordState::Person(self.person(object, row)?),
        })
    }
}

/// The 15-character form of an id, without the three check characters.
fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

fn gone_record(object: &str, id: &str) -> RecordState {
    match object {
        "Opportunity" => RecordState::DealGone(id.to_owned()),
        _ => RecordState::PersonGone(RecordRef { object: object.to_owned(), id: id.to_owned() }),
    }
}
