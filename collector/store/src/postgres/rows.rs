//! Converts between rows and the domain's types: keys, buckets, documents, and statements with
//! parameters.

use super::pool::PostgresError;
use super::statement::{MultiRow, Statement};
use crate::delivery::DeliveryId;
use crate::error::StoreError;
use crate::memo::MemoKind;
use crate::record::RecordId;
use crate::visitor;
use deadpool_postgres::GenericClient;
use futures_util::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::ids::{EventId, LeadId, SiteId, VisitorId};
use shared::lead::LeadStatus;
use shared::visit::Trail;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json, ToSql};
use xxhash_rust::xxh3::xxh3_64;

/// A parameter of a statement.
pub(super) type Parameter = Arc<dyn ToSql + Send + Sync>;

/// A statement's parameters, or those of many rows in sequence.
#[derive(Clone, Default)]
pub(super) struct Parameters(Vec<Parameter>);

impl Parameters {
    /// Appends one more.
    pub(super) fn and(mut self, value: impl ToSql + Send + Sync + 'static) -> Self {
        self.push(value);
        self
    }

    pub(super) fn push(&mut self, value: impl ToSql + Send + Sync + 'static) {
        self.0.push(Arc::new(value));
    }

    pub(super) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn as_refs(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

impl FromIterator<Parameter> for Parameters {
    fn from_iter<I: IntoIterator<Item = Parameter>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

macro_rules! parameters {
    ($($value:expr),* $(,)?) => {
        [$(std::sync::Arc::new($value) as $crate::postgres::rows::Parameter),*]
            .into_iter()
            .collect::<$crate::postgres::rows::Parameters>()
    };
}
pub(super) use parameters;

/// The bucket of a key's bytes. It is part of every row, and so of the stored format.
fn bucket(parts: &[&[u8]]) -> i16 {
    (xxh3_64(&parts.concat()) % 256) as i16
}

pub(super) fn visitor_bucket(site: &SiteId, visitor: VisitorId) -> i16 {
    bucket(&[site.as_str().as_bytes(), &[0], visitor.as_bytes()])
}

pub(super) fn lead_bucket(lead: LeadId) -> i16 {
    bucket(&[lead.as_bytes()])
}

pub(super) fn visitor_key(site: &SiteId, visitor: VisitorId) -> Parameters {
    parameters![visitor_bucket(site, visitor), site.as_str().to_owned(), visitor.0]
}

pub(super) fn lead_key(lead: LeadId) -> Parameters {
    parameters![lead_bucket(lead), lead.0]
}

/// The list that a lead is in, stored in the column `site`: its site's list of verified leads, or a
/// separate list for leads that are not verified. No site name begins with these marks.
pub(super) fn list(site: &SiteId, status: LeadStatus) -> String {
    match status {
        LeadStatus::Verified => site.as_str().to_owned(),
        LeadStatus::Proposed => format!("?{site}"),
        LeadStatus::Confirmed(_) | LeadStatus::Merged(_) => format!("!{site}"),
    }
}

pub(super) fn delivery_key(id: DeliveryId) -> Parameters {
    lead_key(id.lead).and(id.hash.to_vec())
}

pub(super) fn identity_key(site: &SiteId, kind: &'static str, value: &str) -> Parameters {
    let site = site.as_str();
    let bucket = bucket(&[site.as_bytes(), &[0], kind.as_bytes(), &[0], value.as_bytes()]);
    parameters![bucket, site.to_owned(), kind, value.to_owned()]
}

pub(super) fn unmatched_key(site: &SiteId, id: RecordId) -> Parameters {
    let site = site.as_str();
    let bucket = bucket(&[site.as_bytes(), &[0], id.as_bytes()]);
    parameters![bucket, site.to_owned(), id.0]
}

pub(super) fn memo_key(kind: MemoKind, name: &str) -> Parameters {
    let kind = kind.as_str();
    let bucket = bucket(&[kind.as_bytes(), &[0], name.as_bytes()]);
    parameters![bucket, kind, name.to_owned()]
}

pub(super) fn used_key(site: &SiteId, key: &str) -> Parameters {
    let site = site.as_str();
    let bucket = bucket(&[site.as_bytes(), &[0], key.as_bytes()]);
    parameters![bucket, site.to_owned(), key.to_owned()]
}

/// Serialises a value as a document.
pub(super) fn json<T: Serialize>(
    value: &T,
) -> Result<Json<Box<serde_json::value::RawValue>>, StoreError> {
    let raw = serde_json::value::to_raw_value(value);
    raw.map(Json).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads a column of a row.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, StoreError> {
    row.try_get(index).map_err(|error| StoreError::Corrupt(super::pool::describe(&error)))
}

/// Reads a column that contains a site.
pub(super) fn site(row: &Row, index: usize) -> Result<SiteId, StoreError> {
    let name: &str = column(row, index)?;
    SiteId::parse(name).ok_or_else(|| StoreError::Corrupt(format!("`{name}` is not a site name")))
}

/// Reads a document from a row.
pub(super) fn document<T: DeserializeOwned>(row: &Row, index: usize) -> Result<T, StoreError> {
    column::<Json<T>>(row, index).map(|Json(value)| value)
}

/// Reads the documents in the first column of rows.
pub(super) fn documents<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(|row| document(row, 0)).collect()
}

/// A visitor's rows with their ids.
pub(super) fn events(
    rows: &[Row],
) -> impl Iterator<Item = Result<(EventId, crate::visitor::Row), StoreError>> {
    rows.iter().map(|row| Ok((EventId(column(row, 0)?), document(row, 1)?)))
}

/// A visitor's page views and summary, from its rows.
pub(super) fn trail(rows: &[Row]) -> Result<Trail, StoreError> {
    let rows: Vec<_> = events(rows).map(|row| Ok(row?.1)).collect::<Result<_, StoreError>>()?;
    Ok(visitor::trail(rows))
}

/// Reads rows.
pub(super) async fn query(
    client: &impl GenericClient,
    statement: &Statement,
    parameters: &Parameters,
) -> Result<Vec<Row>, PostgresError> {
    let prepared = client.prepare_cached(statement.sql).await?;
    Ok(client.query(&prepared, &parameters.as_refs()).await?)
}

/// Changes rows. Returns how many.
pub(super) async fn execute(
    client: &impl GenericClient,
    statement: &Statement,
    parameters: &Parameters,
) -> Result<u64, PostgresError> {
    let prepared = client.prepare_cached(statement.sql).await?;
    Ok(client.execute(&prepared, &parameters.as_refs()).await?)
}

/// Runs one statement for many keys, pipelined: without waiting for a response before sending the
/// next.
pub(super) async fn query_each(
    client: &impl GenericClient,
    statement: &Statement,
    keys: &[Parameters],
) -> Result<Vec<Result<Vec<Row>, tokio_postgres::Error>>, PostgresError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let prepared = client.prepare_cached(statement.sql).await?;
    let keys: Vec<_> = keys.iter().map(Parameters::as_refs).collect();
    Ok(join_all(keys.iter().map(|key| client.query(&prepared, key))).await)
}

/// Inserts many rows, given as a sequence of parameters. Returns how many were inserted or changed.
pub(super) async fn insert(
    client: &impl GenericClient,
    statement: &MultiRow,
    parameters: &Parameters,
) -> Result<u64, PostgresError> {
    let all = parameters.as_refs();
    let mut rest = all.as_slice();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let (rows, text) = statement.fitting(rest.len() / statement.width());
        let (part, behind) = rest.split_at(rows * statement.width());
        parts.push((client.prepare_cached(text).await?, part));
        rest = behind;
    }
    // Pipelined: sent without waiting for responses in between.
    let mut inserted = 0;
    for count in join_all(parts.iter().map(|(text, part)| client.execute(text, part))).await {
        inserted += count?;
    }
    Ok(inserted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Buckets are part of every row of every database, so they must never change. The values were
    /// computed with the reference implementation (Python's `xxhash`).
    #[test]
    fn buckets_stay_what_they_are() {
        let site = SiteId::parse("demo").unwrap();
        let visitor = VisitorId::parse("0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11").unwrap();
        let lead = LeadId::parse("0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11").unwrap();
        assert_eq!(visitor_bucket(&site, visitor), 20);
        assert_eq!(lead_bucket(lead), 3);
        assert_eq!(bucket(&[b"demo", &[0], b"email", &[0], b"a@example.com"]), 24);
    }
}
